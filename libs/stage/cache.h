/* cache.h - the node cache as its files see it; private to the room
 *
 *   CACHE/lock     held while entries come and go, for a moment
 *   CACHE/e/KEY    an entry's data, and its record beside it
 *   CACHE/u/KEY    what it is; its time is that of the last use, a lock on it a lease
 *   CACHE/s/PATH   record of a source (by a digest of its path): its key and identity
 *   CACHE/f/PATH   a lock on it: this source is being fetched
 *   CACHE/n/...    what is being made, or on its way out
 */
#ifndef WEFT_STAGE_CACHE_H
#define WEFT_STAGE_CACHE_H

#include "stage/manifest.h"

#define CACHE_KEY (WEFT_DIGEST_HEX + 9) /* "HASH.PERMISSIONS" */

struct weft_stage_cache {
	char *path;
	int top, e, u, s, f, n; /* folders */
	dev_t dev;
	struct weft_stage_limits limits;
	char boot[40]; /* of this start of the machine */
};

/* What u/KEY says. */
struct cache_note {
	uint64_t bytes, files;
	char boot[40];
	char *source;
};

/* An entry that is leased. */
struct cache_entry {
	int lease;
	char key[CACHE_KEY];
	struct cache_note note;
	struct stage_manifest *source, *m; /* of the source, and of the entry */
};

/* ---- cache.c ---- */
/* That of a source (its real path) as it is now; check: read again.  1: there is
 * none. */
int cache_find(struct weft_stage_cache *c, const char *real, bool check,
	const volatile sig_atomic_t *stop, struct cache_entry *e, struct weft_err *err);
void cache_entry_close(struct cache_entry *e);

/* ---- cache_lock.c ---- */
/* Opens (make: and creates) and locks (LOCK_SH, LOCK_EX, LOCK_NB).  The file that has
 * the name in the end, or -1: errno is EWOULDBLOCK, ENOENT... */
int cache_lock(int dir, const char *name, bool make, int how);
/* As that, waiting for it, unless told to stop (WEFT_EINTR).  -2: there is none. */
int cache_wait(int dir, const char *name, bool make, int how,
	const volatile sig_atomic_t *stop, struct weft_err *err);

/* ---- cache_note.c ---- */
void cache_key(const struct stage_manifest *m, char key[CACHE_KEY]);
/* Writes the record of `name` in dir. */
int cache_write_record(int dir, const char *name, const struct stage_manifest *m,
	struct weft_err *err);
void cache_remove_record(int dir, const char *name);
int cache_write_note(const struct weft_stage_cache *c, const char *key,
	const struct cache_note *note, struct weft_err *err);
/* Of an open u/KEY; false: it isn't whole. */
bool cache_read_note(int fd, struct cache_note *note);
void cache_note_free(struct cache_note *note);

/* ---- cache_link.c ---- */
/* Hard links to what m says is `what` in dir `from`, as `name` in dir `to`; made: m's
 * sources are meant, not its copies.  Folders get the attributes of those of `like`;
 * NULL: of what is linked; archive: ACLs, too.  1: it isn't what m says, or can't be
 * linked. */
int cache_link(const struct stage_manifest *m, bool made, int from, const char *what,
	int to, const char *name, const char *like, bool archive, struct weft_err *err);
/* Takes write permissions away from `name` in dir, and notes what it is now in m. */
int cache_seal(
	struct stage_manifest *m, int dir, const char *name, struct weft_err *err);
/* Has one of its files a name outside of it? */
bool cache_is_linked(const struct stage_manifest *m, int dir, const char *name);

/* ---- cache_room.c ---- */
/* Makes room for that much; 1: there is none.  CACHE/lock is held. */
int cache_room(struct weft_stage_cache *c, uint64_t bytes, uint64_t inodes,
	struct weft_err *err);

#endif
