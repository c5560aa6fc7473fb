/*
 * stage - data moves whole or not at all, always as the user.
 *
 * A file or tree is copied to a temporary sibling by several threads, hashed on the
 * way (XXH3-128 a chunk), made durable as asked, and renamed to its final name: after
 * any kill the final name is absent or whole, and the next call cleans up or goes on.
 * The source's identity (inode, size, mtime, ctime) is checked before and after: what
 * changed is copied once more, then it is an error.  No link is followed below the
 * source or the destination; on the way to the destination only the user's own links
 * and root's are.
 *
 * Ownership: reports are plain data, messages in them the caller's to clear.  Units:
 * bytes, seconds.  Errors: WEFT_ESTAGE with the path and what to do; WEFT_EINTR when
 * told to stop.  Threads: calls on different destinations may run at the same time;
 * threads that a call starts, with all signals blocked, have ended when it returns.
 * Fork: safe between calls.  Runs as: the user, never root on a user's behalf.
 */
#ifndef WEFT_STAGE_H
#define WEFT_STAGE_H

#include <signal.h>

#include "base/base.h"

enum weft_stage_how {
	WEFT_STAGE_AUTO,   /* reflink, else on a network file system the server's own
			      copy, else reading and writing */
	WEFT_STAGE_LINK,   /* symbolic link to the source, read-only use (put only) */
	WEFT_STAGE_HARD,   /* hard link where the file system allows, else as AUTO */
	WEFT_STAGE_COPY,   /* AUTO; put: a private copy, writable */
	WEFT_STAGE_SERVER, /* copy_file_range where it works, else reading and writing
			    */
	WEFT_STAGE_STREAM, /* reading and writing, so that all is hashed */
};

enum weft_stage_durable {
	WEFT_STAGE_DATA, /* what has its final name survives a crash of the machine */
	WEFT_STAGE_FULL, /* and it has that name once the call returns */
	WEFT_STAGE_NONE, /* the machine decides when */
};

enum weft_stage_special {
	WEFT_STAGE_REFUSE, /* a FIFO, socket or device is an error, by name */
	WEFT_STAGE_SKIP,   /* left out, counted */
	WEFT_STAGE_MAKE,   /* made anew, as cp -a does */
};

/* While it runs; total: of what was found so far, final once scanned. */
struct weft_stage_progress {
	uint64_t bytes, total, files;
	double seconds;
	bool scanned;
};

struct weft_stage_options {
	enum weft_stage_how how;
	enum weft_stage_durable durable;
	enum weft_stage_special special;
	bool archive;  /* as cp -a: owner, set-id bits, ACLs, all attributes */
	bool writable; /* the copy is for writing to */
	bool replace;  /* what has the final name goes */
	bool resume;   /* go on from what a killed call has left */
	bool partial;  /* leave what there is for that when it fails */
	bool manifest; /* keep a record beside dst: verify, nothing to do next time */
	struct weft_str *text; /* the record goes here instead; NULL: nowhere */
	unsigned threads;      /* 0: as many as it takes */
	/* Called in the caller's thread, a few times a second. */
	void (*progress)(void *arg, const struct weft_stage_progress *p);
	void *arg;
	/* Nonzero: stop.  May be set by a signal handler. */
	const volatile sig_atomic_t *stop;
};

struct weft_stage_report {
	uint64_t bytes; /* of the data, however it got there */
	uint64_t moved; /* bytes that were really written */
	uint64_t files; /* and links and special files */
	double seconds;
	/* "already there", "reflink", "hard link", "server copy", "copy", "link", or
	 * "mixed" */
	const char *strategy;
	const char *why; /* static text */
	uint64_t folders;
	uint64_t resumed; /* bytes that a killed call had brought */
	uint64_t cached;  /* that a broadcast read from the node's cache */
	uint64_t retries; /* files that changed and were copied again */
	uint64_t skipped; /* special files left out */
	uint64_t owners;  /* entries that could not keep their owner */
	uint64_t dropped; /* attributes (xattrs, ACLs) that dst's file system refused */
	unsigned threads; /* at most */
	/* Of the threads' time that in which they read and wrote data or made it
	 * durable: what would be left if names, attributes, hashes and waiting for each
	 * other cost nothing.  0: nothing was moved. */
	double share;
	char hash[WEFT_DIGEST_HEX]; /* of names, types, data; "": not all was read */
};

/* src: file or folder, a link at the top is followed. dst: final name in a folder
 * that exists; must not exist itself unless options say so (err->sys is EEXIST then).
 * No space: err->sys is ENOSPC or EDQUOT. */
int weft_stage_copy(const char *src, const char *dst,
	const struct weft_stage_options *opt, struct weft_stage_report *report,
	struct weft_err *err);
/* The same for the engine: permissions, times, holes, user attributes and links kept,
 * the owner not; WEFT_STAGE_DATA, a link to read from not even that; without a record.
 */
int weft_stage_put(const char *src, const char *dst, enum weft_stage_how how,
	struct weft_stage_report *report, struct weft_err *err);

/* What verify found; paths are relative to dst, in `first`, a line each. */
struct weft_stage_diff {
	uint64_t missing, extra, different;
	uint64_t unread; /* linked, not read: only their identity was compared */
	char *first;     /* malloced, NULL: no difference */
};
/* Reads dst again and compares with the record that weft_stage_copy has left. */
int weft_stage_verify(const char *dst, const struct weft_stage_options *opt,
	struct weft_stage_diff *diff, struct weft_stage_report *report,
	struct weft_err *err);
/* Removes what killed calls of this host have left in a folder, and records whose
 * file or folder is gone; *n: how many.  other_hosts: those, too, after this many
 * seconds without a change (0: never). */
int weft_stage_clean(
	const char *dir, int64_t other_hosts, uint64_t *n, struct weft_err *err);

/*
 * The node cache: what was brought to a node once is there for who asks next.
 *
 * A folder of one user's (0700) on the node's own storage.  An entry is named by the
 * root hash of its data and a digest of its permissions; which source it is of is noted
 * beside it, by that source's identity (as the record of a copy has it), so an entry is
 * given only for a source that is unchanged.  What is given are hard links where the
 * file system allows, else copies; entries and what is linked to them can't be written
 * to.  Whoever brings, links or reads an entry has a lock on an open file of it, which
 * ends with the process: of many who want the same source one fetches, the others wait
 * for it and go on in its place if it dies.
 *
 * An entry is removed, the one used longest ago first, when there is no room in the
 * limits or on the file system; never one that somebody has a lock on or whose files
 * have names elsewhere (that would free nothing).  The only copy of something is never
 * here: what is put here has been published before, by who puts it.
 *
 * Entries are made without waiting for the disk: one from before the machine's last
 * start is read again, against its hashes, before it is given.
 */
struct weft_stage_cache;
struct weft_stage_limits {
	uint64_t bytes, inodes; /* 0: a tenth of the file system's */
};
/* dir and the folder above it are made, or must be the user's alone. */
int weft_stage_cache_open(const char *dir, const struct weft_stage_limits *limits,
	struct weft_stage_cache **cache, struct weft_err *err);
void weft_stage_cache_close(struct weft_stage_cache *cache);
const char *weft_stage_cache_path(const struct weft_stage_cache *cache);
enum {
	WEFT_CACHE_CHECK = 1, /* an entry is read again before it is given */
	WEFT_CACHE_PEEK = 2,  /* what isn't there isn't fetched */
	WEFT_CACHE_ONLY = 4,  /* fetched, but not given: dst means nothing */
};
/* src at dst, by way of the cache; opt: of the copy that dst is (writable: not linked).
 * 1: the cache isn't for it (too large, on the source's own file system, files with
 * attributes or ACLs, peeked for in vain), dst isn't there. */
int weft_stage_cache_get(struct weft_stage_cache *cache, const char *src,
	const char *dst, const struct weft_stage_options *opt, unsigned flags,
	struct weft_stage_report *report, struct weft_err *err);
/* made: on the cache's file system, of which a copy with this record
 * (weft_stage_options.text) was published, or will be when it is renamed, as
 * `published`.  From now on made can't be written to, and who asks for `published` here
 * gets it.  1: the cache isn't for it. */
int weft_stage_cache_add(struct weft_stage_cache *cache, const char *made,
	const char *published, const char *record, struct weft_err *err);

/* copy: on the cache's file system, made elsewhere from `source` (its real path), whose
 * record this is.  From now on it can't be written to, and who asks for the unchanged
 * source here gets it.  1: the cache isn't for it. */
int weft_stage_cache_take(struct weft_stage_cache *cache, const char *copy,
	const char *source, const char *record, struct weft_err *err);

struct weft_stage_cached {
	const char *key;    /* HASH.PERMISSIONS */
	const char *path;   /* of the data */
	const char *source; /* that brought it first */
	uint64_t bytes, files;
	double used; /* last, seconds since the epoch */
	bool leased; /* somebody holds it */
	bool linked; /* its files have names elsewhere */
};
/* Each entry, the one used longest ago first, until f returns nonzero. */
int weft_stage_cache_each(struct weft_stage_cache *cache,
	int (*f)(void *ctx, const struct weft_stage_cached *entry), void *ctx,
	struct weft_err *err);
/* Removes what killed processes have left, and entries beyond the limits, or, with all,
 * each that isn't in use; *n, *bytes: of entries. */
int weft_stage_cache_trim(struct weft_stage_cache *cache, bool all, uint64_t *n,
	uint64_t *bytes, struct weft_err *err);
/* Takes one out, unless it is in use (1). */
int weft_stage_cache_drop(
	struct weft_stage_cache *cache, const char *key, struct weft_err *err);

/* ---- one to many ------------------------------------------------------- */

struct weft_auth; /* wire/link.h */

/* What became of a node. */
struct weft_stage_node {
	const char *name;
	bool done;
	char *why;        /* that it isn't; malloced */
	bool there;       /* it had it before */
	const char *from; /* the node that it first got it from; NULL: the source */
	uint64_t bytes, files;
	double seconds;
	char hash[WEFT_DIGEST_HEX];
};

/* Who shall have it, and how its half of the work is started there. */
struct weft_stage_cast {
	char *const *host; /* each one once */
	size_t n_hosts;
	/* Of each the number of its switch, or NULL: a chain goes through the hosts of
	 * one after those of the other, a tree reaches each switch once. */
	const unsigned *at_switch;
	const struct weft_auth *auth;
	/* One of the two, NULL-terminated, before "weft stage receive ...": a command
	 * for all of them, as srun, which gets the key by its environment; or one for
	 * each host, whose name is added, and which hands standard input on. */
	char *const *once, *const *each;
	const char *weft;    /* its path there */
	const char *address; /* of this host, for them; NULL: its name, or what
			      * srun tells them */
	double start;        /* they have to come within so long; 0: 60 */
	double silence;      /* of one that is given up; 0: 5 */
	double deadline;     /* for all of it; 0: none */
	bool tree; /* a tree whatever its size; else as size and hosts suggest */
	/* On each node what came enters the cache in this folder, unless it is for
	 * writing to; and what this host's own has of an unchanged source isn't read
	 * there.  NULL: none. */
	const char *cache;
	struct weft_stage_limits cache_limits;
	bool cache_check; /* it is read again before */
};

/* As weft_stage_copy(), to the same path on each host; opt->manifest, archive, replace,
 * durable, special and progress count.  Reads the source once, and of it not what a
 * killed call has left on all who need it.  0 when each of them has it; -1 when some or
 * none have: node[i] of host[i] (n_hosts of them, the caller's zeroed memory) says
 * which, and err what was wrong in general. */
int weft_stage_broadcast(const char *src, const char *dst,
	const struct weft_stage_cast *cast, const struct weft_stage_options *opt,
	struct weft_stage_node *node, struct weft_stage_report *report,
	struct weft_err *err);
/* A node's half.  name: the one that the source knows it by. */
int weft_stage_receive(const struct weft_auth *auth, const char *host, unsigned port,
	const char *context, const char *name, double silence,
	const volatile sig_atomic_t *stop, struct weft_err *err);

/* Is a path, with links followed, one of these folders or below it?  Of what isn't
 * there yet the folder that it would be in counts.  1, 0, or -1; *real: where it is,
 * malloced. */
int weft_stage_within(const char *path, char *const *dir, size_t n, char **real,
	struct weft_err *err);

/* Bytes and files below a path. */
int weft_stage_measure(
	const char *path, uint64_t *bytes, uint64_t *files, struct weft_err *err);
/* Free bytes and inodes where dst will be. */
int weft_stage_space(
	const char *dst, uint64_t *bytes, uint64_t *inodes, struct weft_err *err);
/* Can a copy of src be where dst is to be?  -1 with what is missing, err->sys ENOSPC:
 * surely not.  A tree isn't counted where there is plenty; the copy itself tells then.
 */
int weft_stage_fits(const char *src, const char *dst, struct weft_err *err);
/* Matches of a glob below dir ("frame-*.bin", "run-?/x"; no "..", hidden only if
 * asked), sorted by bytes, relative to dir.  None is no error. */
int weft_stage_glob(const char *dir, const char *pattern, char ***path, size_t *n,
	struct weft_err *err);
void weft_stage_glob_free(char **path, size_t n);

#endif
