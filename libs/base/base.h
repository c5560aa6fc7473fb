/*
 * base - what every room stands on: errors, strings, memory, units, files,
 * child processes, messages.
 *
 * Ownership: what a function returns through `char **` or as `char *` is the
 * caller's to free() unless its comment says otherwise; arenas own what they
 * hand out.  Units: sizes are bytes (uint64_t), durations whole seconds
 * (int64_t), instants seconds since the epoch (double).  Errors: 0 or -1 with
 * *err set, outputs untouched or NULL.  Threads: no shared state except the
 * message sink (set it once, before threads).  Fork: everything but
 * weft_spawn()'s child part may allocate; between fork and exec only what is
 * marked async-signal-safe is called.  Runs as: whoever calls; what is safe to
 * call as root on paths a user can change says so.
 */
#ifndef WEFT_BASE_H
#define WEFT_BASE_H

#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define WEFT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define WEFT_COUNT(array) (sizeof(array) / sizeof((array)[0]))

extern const char weft_version[]; /* "0.1.0" */

/* ---- errors ------------------------------------------------------------ */

/* The kind of an error; also the exit status of the command (see weft.1). */
enum weft_code {
	WEFT_OK = 0,
	WEFT_EFAILED = 1, /* a step failed */
	WEFT_EUSAGE = 2,  /* wrong options or arguments */
	WEFT_ESPEC = 3,   /* the workflow file */
	WEFT_EPLACE = 4,  /* cannot be placed: selection or placement */
	WEFT_ESTAGE = 5,  /* staging, outputs that are missing */
	WEFT_ESLURM = 6,  /* Slurm unreachable, or it refused */
	WEFT_EINTR = 7,   /* interrupted */
	WEFT_ECONF = 8,   /* weft.conf, plugstack.conf */
	WEFT_ESYS = 9,    /* the operating system: file, process, memory */
};

struct weft_pos {
	unsigned line, col; /* 1-based; 0: unknown */
};

/* Zero-initialise.  All strings are owned by the error; NULL: unknown. */
struct weft_err {
	enum weft_code code;
	int sys;    /* errno, or 0 */
	char *file; /* of pos */
	struct weft_pos pos;
	unsigned width; /* columns that the caret underlines; 0: one */
	char *path;     /* "steps[2].resources.gpus" */
	char *text;     /* what is wrong, without a final stop */
	char *hint;     /* what to do */
};

/* All return -1, keep errno, and accept err == NULL.  set() replaces. */
int weft_err_set(struct weft_err *err, enum weft_code code, const char *fmt, ...)
	WEFT_PRINTF(3, 4);
int weft_err_vset(struct weft_err *err, enum weft_code code, const char *fmt,
	va_list ap) WEFT_PRINTF(3, 0);
/* As set, with ": strerror(errno)" appended and err->sys filled. */
int weft_err_sys(struct weft_err *err, enum weft_code code, const char *fmt, ...)
	WEFT_PRINTF(3, 4);
int weft_err_nomem(struct weft_err *err);
/* Adds the place or the hint to an error that is set; return -1 too. */
int weft_err_at(
	struct weft_err *err, const char *file, struct weft_pos pos, const char *path);
int weft_err_hint(struct weft_err *err, const char *fmt, ...) WEFT_PRINTF(2, 3);
/* Puts "fmt: " before the text. */
int weft_err_prefix(struct weft_err *err, const char *fmt, ...) WEFT_PRINTF(2, 3);
void weft_err_clear(struct weft_err *err);
/* Moves; dst is cleared first, src is empty afterwards. */
void weft_err_move(struct weft_err *dst, struct weft_err *src);
/* "file:line:col: path: text (hint)" on one line, for logs; malloced. */
char *weft_err_line(const struct weft_err *err);

/* A list of errors of one input; keeps the first `max`, counts all. */
struct weft_errs {
	struct weft_err *v;
	size_t n, max, total; /* max 0 means 20 */
};
/* Takes over *err (empty afterwards). */
void weft_errs_add(struct weft_errs *errs, struct weft_err *err);
void weft_errs_clear(struct weft_errs *errs);

/* ---- memory ------------------------------------------------------------ */

void weft_freep(void *ptr_to_ptr);
void weft_closep(int *fd);
void weft_fclosep(FILE **f);
#define weft_autofree __attribute__((cleanup(weft_freep)))
#define weft_autoclose __attribute__((cleanup(weft_closep)))
#define weft_autofclose __attribute__((cleanup(weft_fclosep)))
#define weft_autoerr __attribute__((cleanup(weft_err_clear)))
#define weft_autostr __attribute__((cleanup(weft_str_free)))
#define weft_steal(pp)                                                                 \
	({                                                                             \
		__typeof__(*(pp)) stolen_ = *(pp);                                     \
		*(pp) = NULL;                                                          \
		stolen_;                                                               \
	})

/* Makes room for one more element: *v of `size`-byte elements, *cap of them.
 * 0, or -1 (ENOMEM) with *v unchanged. */
int weft_grow_(void *v, size_t n, size_t *cap, size_t size);
#define weft_grow(v, n, cap) weft_grow_(&(v), (n), &(cap), sizeof(*(v)))

/* Bump allocator: everything is freed at once. */
struct weft_arena {
	struct weft_arena_block *head;
	size_t bytes; /* taken from the system */
};
/* Zeroed memory, or NULL. */
void *weft_arena_alloc(struct weft_arena *a, size_t size);
char *weft_arena_strndup(struct weft_arena *a, const char *s, size_t n);
char *weft_arena_strdup(struct weft_arena *a, const char *s);
char *weft_arena_printf(struct weft_arena *a, const char *fmt, ...) WEFT_PRINTF(2, 3);
void weft_arena_free(struct weft_arena *a);

/* ---- strings ----------------------------------------------------------- */

/* Growing string; zero-initialise.  After a failed allocation `failed` stays
 * set and further appends do nothing, so one check at the end is enough. */
struct weft_str {
	char *s; /* NUL-terminated once anything was appended */
	size_t len, cap;
	bool failed;
};
void weft_str_add(struct weft_str *b, const char *s);
void weft_str_addn(struct weft_str *b, const char *s, size_t n);
void weft_str_addc(struct weft_str *b, char c);
void weft_str_add_number(struct weft_str *b, uint64_t v); /* decimal */
void weft_str_printf(struct weft_str *b, const char *fmt, ...) WEFT_PRINTF(2, 3);
void weft_str_vprintf(struct weft_str *b, const char *fmt, va_list ap);
/* One POSIX shell word, as first word too: as it is where harmless, else in
 * single quotes. */
void weft_str_add_shell_word(struct weft_str *b, const char *s);
/* The text (never NULL unless failed), owned by the caller; *b is empty after. */
char *weft_str_take(struct weft_str *b);
void weft_str_free(struct weft_str *b);

/* NULL: no memory. */
char *weft_printf(const char *fmt, ...) WEFT_PRINTF(1, 2);
char *weft_vprintf(const char *fmt, va_list ap) WEFT_PRINTF(1, 0);
static inline bool weft_streq(const char *a, const char *b)
{
	return a && b ? __builtin_strcmp(a, b) == 0 : a == b;
}
bool weft_starts_with(const char *s, const char *prefix);
/* Strict decimal, whole string, within [min, max]. */
bool weft_parse_int(const char *s, int64_t min, int64_t max, int64_t *out);
bool weft_utf8_valid(const char *s, size_t n);
/* The word of the list nearest to `word` by edits, NULL if none is near. */
const char *weft_nearest(const char *word, const char *const *words, size_t n);

/* NULL-terminated argv under construction.  argv and words are owned. */
struct weft_argv {
	char **v;
	size_t n, cap;
	bool failed;
};
void weft_argv_add(struct weft_argv *a, const char *s);
void weft_argv_addf(struct weft_argv *a, const char *fmt, ...) WEFT_PRINTF(2, 3);
void weft_argv_free(struct weft_argv *a);
#define weft_autoargv __attribute__((cleanup(weft_argv_free)))

/* Environment under construction ("NAME=value"), later sets replace. */
struct weft_env {
	struct weft_argv vars;
};
int weft_env_copy(struct weft_env *e, char *const *environ_like);
int weft_env_set(struct weft_env *e, const char *name, const char *value);
void weft_env_unset(struct weft_env *e, const char *name);
/* Removes every variable whose name begins so. */
void weft_env_unset_prefix(struct weft_env *e, const char *prefix);
const char *weft_env_get(const struct weft_env *e, const char *name);
void weft_env_free(struct weft_env *e);

/* String -> index map (open addressing); keys are borrowed. */
struct weft_map {
	struct weft_map_slot *slot;
	size_t n, cap;
	bool fold; /* ASCII case doesn't matter */
};
/* 1 added, 0 was there (*found is its value), -1 no memory. */
int weft_map_add(struct weft_map *m, const char *key, size_t value, size_t *found);
bool weft_map_get(const struct weft_map *m, const char *key, size_t *value);
void weft_map_free(struct weft_map *m);

/* ---- units ------------------------------------------------------------- */

/* "90s" "15m" "2h" "1d" "HH:MM:SS" "D-HH:MM:SS"; bare numbers and MM:SS are
 * refused with a reason in *why (static).  Source: weft-workflow(5). */
bool weft_parse_duration(const char *s, int64_t *seconds, const char **why);
/* "512M" "4G" "1.5T" "64K" "100" (bytes), powers of 1024. */
bool weft_parse_size(const char *s, uint64_t *bytes, const char **why);
/* "D-HH:MM:SS" or "HH:MM:SS" as Slurm prints; buf of WEFT_UNIT_MAX. */
#define WEFT_UNIT_MAX 32
char *weft_format_duration(char *buf, int64_t seconds);
char *weft_format_size(char *buf, uint64_t bytes); /* "1.5G" */

/* ---- digest ------------------------------------------------------------ */

#define WEFT_DIGEST_HEX 33 /* 32 hex digits and NUL */
/* XXH3-128 in canonical (big-endian) hex. Source: xxHash's specification. */
void weft_digest(const void *data, size_t n, char hex[WEFT_DIGEST_HEX]);
struct weft_hasher;
struct weft_hasher *weft_hasher_new(void);
void weft_hasher_add(struct weft_hasher *h, const void *data, size_t n);
void weft_hasher_end(struct weft_hasher *h, char hex[WEFT_DIGEST_HEX]); /* frees h */
/* The same as bytes; peek: of what was added so far; take: and h begins anew. */
#define WEFT_DIGEST_BYTES 16
void weft_digest_bytes(
	const void *data, size_t n, unsigned char sum[WEFT_DIGEST_BYTES]);
void weft_digest_hex(
	const unsigned char sum[WEFT_DIGEST_BYTES], char hex[WEFT_DIGEST_HEX]);
void weft_hasher_peek(
	const struct weft_hasher *h, unsigned char sum[WEFT_DIGEST_BYTES]);
void weft_hasher_take(struct weft_hasher *h, unsigned char sum[WEFT_DIGEST_BYTES]);
void weft_hasher_free(struct weft_hasher *h); /* NULL is fine */

/* ---- files ------------------------------------------------------------- */

/* Whole regular file (or /dev/null), at most max bytes (EFBIG beyond), NUL added
 * after.  Never waits for a pipe. */
int weft_read_file(
	const char *path, size_t max, char **data, size_t *n, struct weft_err *err);
int weft_read_fd(int fd, const char *name, size_t max, char **data, size_t *n,
	struct weft_err *err);
int weft_write_all(int fd, const void *data, size_t n);
/* Complete or absent: temporary sibling, fsync, rename, fsync of the folder. */
int weft_write_file(const char *path, const void *data, size_t n, mode_t mode,
	struct weft_err *err);
/* How much of it a crash of the machine leaves: anything, the old file or the whole new
 * one, surely the new one. */
enum weft_sync { WEFT_SYNC_NONE, WEFT_SYNC_DATA, WEFT_SYNC_ALL };
int weft_write_file_sync(const char *path, const void *data, size_t n, mode_t mode,
	enum weft_sync sync, struct weft_err *err);
/* mkdir -p */
int weft_mkdirs(const char *path, mode_t mode, struct weft_err *err);
/* rm -rf that never follows a link, leaves its folder or enters a mount in it;
 * a path that doesn't exist is fine.  Not for root in a user's folder. */
int weft_remove_tree(const char *path, struct weft_err *err);
char *weft_path_join(const char *dir, const char *name);
/* Lexical: absolute against base, without "." "..", "//"; "~/" from HOME. */
char *weft_path_absolute(const char *base, const char *path);
/* Lexical: relative, without "..", not empty; "." is inside. */
bool weft_path_is_inside(const char *relative);
/* Opens for reading a file that only root can have written: every component
 * root-owned and not writable by group or others, no links.  fd or -1. */
int weft_open_trusted(const char *path, struct weft_err *err);

/* ---- Slurm's own files -------------------------------------------------- */

/* What slurm.conf (of SLURM_CONF, or where Slurm keeps it), or what it includes, says
 * of a key: malloced, without what is behind a blank.  NULL: nothing, or no such file.
 */
char *weft_slurm_conf_value(const char *key);
/* The path of a file beside it ("topology.conf"), which needn't be there; malloced. */
char *weft_slurm_conf_file(const char *name);

/* ---- child processes --------------------------------------------------- */

struct weft_spawn {
	char *const *argv;    /* argv[0] absolute, or looked up in PATH */
	const char *program;  /* what to run, by path; NULL: argv[0] */
	char *const *envp;    /* NULL: environ */
	const char *cwd;      /* NULL: ours */
	int in, out, err;     /* fds to become 0, 1, 2; -1: /dev/null */
	bool group;           /* own process group */
	bool die_with_parent; /* PR_SET_PDEATHSIG SIGKILL */
	bool drop;            /* give up root for good: uid, gid, no_new_privs */
	uid_t uid;
	gid_t gid;
	const gid_t *groups; /* with drop: the supplementary ones */
	size_t n_groups;
	int until; /* weft_capture() kills it when this one's other end closes; -1 */
	const uint64_t *cpus; /* affinity mask words, or NULL */
	size_t n_cpu_words;
	/* The child's last word before exec, or NULL: async-signal-safe calls alone. It
	 * shares our memory; not 0: errno is why it doesn't start. */
	int (*prepare)(void *arg);
	void *arg;
	/* Of weft_capture(): once it is nonzero, which a signal handler may see to, the
	 * child's group gets SIGTERM; NULL: never. */
	const volatile sig_atomic_t *stop;
};
#define WEFT_SPAWN_INIT                                                                \
	{                                                                              \
		.in = -1, .out = 1, .err = 2, .until = -1                              \
	}
/* Starts; the error of a failing exec is reported here.  Closes every other
 * descriptor in the child.  Costs the same however much memory we have: until exec the
 * child runs in it, and we wait. */
int weft_spawn(const struct weft_spawn *s, pid_t *pid, struct weft_err *err);
/* Runs to the end and collects stdout (at most max bytes) and, into *errout
 * unless NULL, stderr; kills after timeout seconds (0: none), errno ETIMEDOUT, and when
 * s->until says so, ECANCELED.  *status is wait()'s. */
int weft_capture(const struct weft_spawn *s, double timeout, size_t max, char **out,
	char **errout, int *status, struct weft_err *err);
/* Absolute path of a program in PATH, or NULL. */
char *weft_which(const char *name);
/* Absolute path of this very program (/proc/self/exe). */
char *weft_self_path(void);
double weft_now(void);       /* CLOCK_REALTIME */
double weft_monotonic(void); /* CLOCK_MONOTONIC */

/* ---- messages ---------------------------------------------------------- */

enum weft_level { WEFT_ERROR, WEFT_WARN, WEFT_INFO, WEFT_DEBUG };
/* To stderr as "weft: warning: ..." unless a sink is set. */
void weft_log(enum weft_level level, const char *fmt, ...) WEFT_PRINTF(2, 3);
void weft_log_set(enum weft_level upto, void (*sink)(enum weft_level, const char *));

/* What the site's policy refused to whom: one line in the system's log (syslog(3),
 * facility authpriv, level notice), beside what the user is told.  workflow NULL: none.
 * Texts may be a user's: what could end a line or hide in one becomes '?', and they are
 * cut.  Not for slurmctld's locks: the log's socket may block. */
struct weft_refusal {
	const char *user, *workflow;
	const char *rule;  /* "limits.nodes" */
	const char *value; /* "40 nodes of 16" */
};
void weft_log_refusal(const struct weft_refusal *r);
/* The line. */
void weft_refusal_line(const struct weft_refusal *r, struct weft_str *out);

#endif
