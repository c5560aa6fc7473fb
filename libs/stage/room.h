/* room.h - one transfer as its threads see it; private to the room */
#ifndef WEFT_STAGE_ROOM_H
#define WEFT_STAGE_ROOM_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "stage/stage.h"

/* A file up to here is done in one go; larger ones are cut into chunks, each hashed
 * by itself. */
#define STAGE_CHUNK ((uint64_t)16 << 20)
/* What a thread reads at once: fits into a core's cache together with its copy.  More,
 * up to the limit, where the copy's file system takes larger pieces best: memory in
 * huge pages, of which a part would be cleared before it is filled; stripes of a
 * server. */
#define STAGE_BUFFER ((size_t)256 << 10)
#define STAGE_BUFFER_MAX ((size_t)4 << 20)
/* From here on room is made for a file before it is filled. */
#define STAGE_ROOM ((off_t)1 << 20)
/* How much of a chunk may be lost by a kill. */
#define STAGE_NOTE ((off_t)1 << 20)
/* Up to here each file is made durable by itself; beyond, one flush of the whole file
 * system is less work, though it waits for what others write. */
#define STAGE_FEW 64
/* Of many files so much is written between two flushes while they are copied: the disk
 * is busy with them before the last one is there. */
#define STAGE_FLUSH ((uint64_t)64 << 20)

/* What tells that a file is the same and unchanged. */
struct stage_id {
	uint64_t ino, size;
	struct timespec mtime, ctime;
};

struct stage_sum {
	unsigned char b[WEFT_DIGEST_BYTES];
	bool known;
};

/* A file or link, for the record; lives in a worker's arena. */
struct stage_entry {
	struct stage_folder *dir;
	const char *name;
	const char *target; /* of a link */
	char type;          /* 'f', 'l', 's' a special file */
	mode_t mode;
	struct stage_id src, dst;
	struct stage_sum sum;
	struct stage_entry *same; /* another name of that file, or NULL */
	unsigned char (*chunk)[WEFT_DIGEST_BYTES];
	uint64_t n_chunks;
};

/* A folder of the source and its copy.  It is open only while somebody works on what
 * is directly in it, so depth and width cost no descriptors. */
struct stage_folder {
	struct stage_folder *up; /* NULL: the top */
	struct stage_folder
		*older; /* all of a job, newest first: children before parents */
	char *name;
	struct stat st; /* of the source */
	struct stage_id dst;
	int in, out;       /* -1: closed */
	atomic_uint users; /* of the descriptors */
	atomic_bool later; /* something will still be made in it */
	bool done;         /* its permissions and times are set */
	gid_t gid;         /* that a new file in it gets */
	bool was_there;    /* a killed call had made it */
};

/* A file on its way. */
struct stage_file {
	struct stage_folder *dir;
	const char *name; /* in `from` */
	const char *to;   /* in `into` */
	int from, into;   /* its folders, borrowed while it is opened */
	struct stat st;
	int in, out;
	bool follow;     /* a link at the top stands for its file */
	bool sparse;     /* holes are looked for */
	bool no_map;     /* what the file system says of holes can't be */
	bool again;      /* copied a second time, for it had changed */
	bool part;       /* partly there already */
	bool final_mode; /* made with the mode that it keeps */
	size_t piece;    /* moved at once; 0: STAGE_BUFFER */
	struct stage_entry *entry;
	/* Large ones. */
	uint64_t chunk, n_chunks, next;
	atomic_uint_fast64_t left;
	unsigned char (*sum)[WEFT_DIGEST_BYTES];
};

struct stage_link { /* another name of a file that is copied already */
	struct stage_folder *dir;
	char *name;
	struct stage_first *first;
	struct stage_entry *entry;
};
struct stage_first {
	struct stage_folder *dir;
	char *name;
	struct stage_entry *entry;
	bool linked;
};

struct stage_job {
	const struct weft_stage_options *opt;
	const char *src; /* as the user named it, for messages */
	int in, out; /* the top folders; or AT_FDCWD and the folder of a single file */
	bool read_only; /* nothing is written: verify */
	bool record;    /* entries are kept */
	bool tree;
	dev_t out_dev; /* the copy's top */
	ino_t out_ino;
	dev_t in_dev; /* of the source */
	mode_t umask;
	double start;
	double moving; /* seconds, of all threads: in reading and writing data */
	double lived;  /* that the threads but the caller's were there */
	struct timespec started, ended; /* as file systems tell the time */

	pthread_mutex_t lock; /* of all down to the next blank line */
	struct stage_folder *folders;
	struct weft_map links; /* "dev:ino" -> first */
	struct stage_first **first;
	size_t n_first, cap_first;
	struct stage_link *link;
	size_t n_links, cap_links;
	struct weft_arena arena;
	struct weft_err err; /* of who failed first */
	int kept[STAGE_FEW]; /* descriptors for stage_sync */
	size_t n_kept, few;
	bool many; /* more than these */
	pthread_t flusher;
	pthread_cond_t flush;
	bool flushing, flush_end;
	int flush_errno;

	struct stage_pool *pool;
	struct stage_resume *resume; /* NULL: nothing to go on from, nothing kept */
	atomic_bool failed, folder_changed, no_clone, no_server, no_xattrs;
	atomic_uint_fast64_t flushed; /* of moved, or on its way */
	atomic_uint_fast64_t bytes, moved, files, n_folders, resumed, retries, skipped,
		owners, dropped, seen, cloned, linked, served, streamed;
	atomic_bool scanned;
	struct stage_entry **entry; /* all, once the threads have ended */
	size_t n_entries;
};

struct stage_worker {
	struct stage_job *job;
	unsigned index; /* 0: the caller's thread */
	char *buf;
	size_t buf_size;
	struct weft_hasher *hasher;
	struct weft_arena arena;
	struct stage_entry **entry;
	size_t n_entries, cap_entries;
	struct weft_str note; /* for the journal of chunks */
	uint64_t note_bytes;  /* of data that it stands for */
	double told;          /* when progress was */
	double moving;        /* seconds in reading and writing data */
	double born, ended;   /* its thread */
	double looked, used;  /* when it looked at the CPU time that it had wanted */
	long read;            /* blocks from a disk, until then */
	double blocked; /* share of the time that it waited for a disk or server */
	struct weft_err err;
};

/* ---- beneath.c: opening ---- */
/* A path below a folder, without links, magic or not, and without "..". */
int stage_open_beneath(int dir, const char *path, int flags);
/* The folder that a destination will be in. */
int stage_open_folder(const char *path, struct weft_err *err);

/* ---- ident.c: what a file is ---- */
struct stage_id stage_id_of(const struct stat *st);
bool stage_id_same(const struct stage_id *a, const struct stage_id *b);
bool stage_same(const struct stat *before, const struct stat *after);
const char *stage_kind(mode_t mode); /* "a FIFO" */
/* Path below the top: "" for the top itself. */
void stage_folder_path(const struct stage_folder *dir, struct weft_str *path);
/* The worker's error, with the source's path: "WHAT PATH: strerror". */
int stage_sys(struct stage_worker *w, const char *what, const struct stage_folder *dir,
	const char *name);
int stage_changed(
	struct stage_worker *w, const struct stage_folder *dir, const char *name);
/* PATH as messages show it. */
char *stage_shown(
	const struct stage_job *job, const struct stage_folder *dir, const char *name);

/* ---- attr.c: modes, owners, times, attributes ---- */
int stage_attrs(struct stage_worker *w, const struct stat *st, int in, int out,
	const struct stage_folder *dir, const char *name);
/* Of a file, which is `now` then. */
int stage_file_attrs(
	struct stage_worker *w, const struct stage_file *f, struct stat *now);
/* Attributes of what isn't opened. */
int stage_name_xattrs(
	struct stage_worker *w, const struct stage_folder *dir, const char *name);
/* Of a folder alone; archive: ACLs, too.  -1 (errno). */
int stage_folder_xattrs(int in, int out, bool archive);
mode_t stage_umask(void);

/* ---- xattr.c: whose they are ---- */
/* To be copied; without archive only those that anybody may give. */
bool stage_xattr_wanted(const char *name, bool archive);
/* Part of what the file is, so that it is no other's with the same bytes. */
bool stage_xattr_is_own(const char *name);
/* Where it is refused, is something lost? */
bool stage_xattr_matters(const char *name, const void *value, size_t n);

/* ---- look.c ---- */
/* 1: it is, or holds, a file with attributes or an ACL. */
int stage_file_attributes(const char *path, struct weft_err *err);

/* ---- data.c: bytes ---- */
/* [off, end) of f, hashed into w->hasher.  1: the file is shorter than that. */
int stage_data(struct stage_worker *w, struct stage_file *f, off_t off, off_t end);
/* Room for all of f, and how large the pieces are that its place takes best. */
int stage_reserve(struct stage_worker *w, struct stage_file *f);
/* Looks whether f has holes, and how to find them. */
void stage_holes(struct stage_file *f);
/* Whole by the file system: 1 done, 0 it can't. */
int stage_clone(struct stage_worker *w, struct stage_file *f);
/* By its server: as stage_clone, -1 an error. */
int stage_server_copy(struct stage_worker *w, struct stage_file *f);
/* Is it not on a disk, or in the memory, of this machine?  The path is for a fd of
 * AT_FDCWD. */
bool stage_is_remote(int fd, const char *path);

/* ---- file.c, big.c: one file ---- */
int stage_file(struct stage_worker *w, struct stage_folder *dir, const char *name,
	const char *to, bool follow);
/* Large: made ready, a chunk, all chunks done. */
int stage_big_add(struct stage_worker *w, const struct stage_file *f);
int stage_big_open(struct stage_worker *w, struct stage_file *f);
int stage_big_chunk(struct stage_worker *w, struct stage_file *f, uint64_t i);
uint64_t stage_chunk_of(uint64_t size);
/* After the data: identity, attributes, record.  1: it has changed. */
int stage_file_end(struct stage_worker *w, struct stage_file *f);
int stage_create(struct stage_worker *w, struct stage_file *f);
/* 1: another name of a file that is copied already, made in the end; -1. */
int stage_known_name(struct stage_worker *w, struct stage_folder *dir, const char *name,
	const struct stat *st, struct stage_entry *entry);
void stage_big_free(struct stage_file *f);
struct stage_entry *stage_entry_new(struct stage_worker *w, struct stage_folder *dir,
	const char *name, char type, const struct stat *st);

/* ---- tree.c: folders ---- */
struct stage_folder *stage_folder_new(
	struct stage_worker *w, struct stage_folder *up, const char *name);
int stage_scan(struct stage_worker *w, struct stage_folder *dir);
void stage_folder_use(struct stage_folder *dir);
int stage_folder_drop(struct stage_worker *w, struct stage_folder *dir);
/* In the end: other names of files, then the folders' own attributes. */
int stage_tree_end(struct stage_worker *w);

/* ---- special.c: what is neither file nor folder ---- */
int stage_symlink(struct stage_worker *w, struct stage_folder *dir, const char *name);
int stage_special(struct stage_worker *w, struct stage_folder *dir, const char *name,
	const struct stat *st);

/* ---- pool.c: who does it ---- */
struct stage_pool *stage_pool_new(void);
void stage_pool_free(struct stage_pool *p); /* with all entries */
/* Runs all that the top needs with as many threads as help. */
int stage_pool_run(struct stage_job *job, struct stage_folder *top, const char *name,
	const char *to, unsigned *threads);
int stage_pool_add_folder(struct stage_worker *w, struct stage_folder *dir);
/* names: n strings, one after the other, malloced; the pool's after success. */
int stage_pool_add_batch(
	struct stage_worker *w, struct stage_folder *dir, char *names, size_t n);
int stage_pool_add_big(struct stage_worker *w, struct stage_file *f);
/* Progress, and whether to go on. */
bool stage_go_on(struct stage_worker *w);

/* ---- resume.c: what a killed call has brought ---- */
/* adopt: the journal must be there, for this source; 1: it isn't. */
int stage_resume_open(struct stage_job *job, int dir, const char *journal,
	const struct stat *source, bool adopt);
void stage_resume_close(struct stage_job *job);
/* Notes the first len bytes of a file (chunk < 0) or of a chunk. */
void stage_resume_note(struct stage_worker *w, const struct stage_file *f,
	int64_t chunk, uint64_t len, const unsigned char *sum);
/* Nothing is held back. */
void stage_resume_flush(struct stage_worker *w);
/* The hash that was noted for exactly this, and of how much; or NULL. */
const unsigned char *stage_resume_find(struct stage_worker *w,
	const struct stage_file *f, int64_t chunk, uint64_t *len);
/* Each file of which at least the beginning was noted, by its path below the top. */
void stage_resume_each(const struct stage_job *job,
	void (*f)(void *arg, const char *path, const struct stage_id *id), void *arg);
/* The journal has another name now. */
int stage_resume_rename(struct stage_job *job, const char *journal);
bool stage_resume_has(const struct stage_job *job);

/* ---- escape.c: text ---- */
void stage_escape(struct weft_str *s, const char *name);
bool stage_unescape(char *s);
/* Each ends with a blank; reading moves *at behind it. */
void stage_write_id(struct weft_str *s, const struct stage_id *id);
void stage_write_hex(struct weft_str *s, uint64_t v);
void stage_write_sum(struct weft_str *s, const struct stage_sum *sum);
bool stage_read_hex(char **at, uint64_t *v);
bool stage_read_id(char **at, struct stage_id *id);
bool stage_read_sum(char **at, struct stage_sum *sum);

/* ---- sync.c: durable ---- */
/* Closes what was written, or keeps it for stage_sync.  -1 (errno). */
int stage_put_away(struct stage_job *job, int fd);
int stage_sync(struct stage_job *job, struct weft_err *err);
/* Its thread has ended when this returns. */
void stage_flush_end(struct stage_job *job);

/* ---- manifest.c, unchanged.c: the record beside dst (see manifest.h) ---- */
struct stage_manifest;
#define STAGE_MANIFEST_NAME 160
void stage_manifest_name(const char *name, char out[STAGE_MANIFEST_NAME]);
/* The root hash ("" where something was not read), and the record. */
int stage_manifest_make(struct stage_job *job, const char *source,
	char hash[WEFT_DIGEST_HEX], struct weft_str *text, struct weft_err *err);
/* NULL: none there, or it is not whole. */
struct stage_manifest *stage_manifest_read(int dir, const char *name);
void stage_manifest_free(struct stage_manifest *m);
void stage_manifest_hash(const struct stage_manifest *m, char hash[WEFT_DIGEST_HEX]);
/* Source and copy are what they were when it was made. */
bool stage_manifest_holds(const struct stage_manifest *m, const char *src, int dir,
	const char *name, struct weft_stage_report *report);
/* Waits until a later change can't have the times that the copy ended with, and looks
 * whether one had them before. */
int stage_settle(struct stage_job *job, struct weft_err *err);

/* ---- copy.c ---- */
int stage_job_init(struct stage_job *job, const struct weft_stage_options *opt,
	const char *src, struct weft_err *err);
void stage_job_free(struct stage_job *job);
void stage_job_report(struct stage_job *job, struct weft_stage_report *report);

#endif
