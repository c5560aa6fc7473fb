/*
 * bcast.h - one to many, as its parts see it; private to the room
 *
 * The source reads each file once and packs names, attributes and data into numbered
 * pieces (bcast_pack.c).  Each node gets them from its parent, passes them on to its
 * children before anything else (bcast_relay.c), and unpacks them beside the final name
 * (bcast_unpack.c).  A control link from each node to the source says who feeds whom,
 * and what became of it (bcast_control.c, bcast_receive.c).  Before that each has said
 * what a killed broadcast has left there (bcast_had.c).  The whole, from the source's
 * side: bcast.c.
 */
#ifndef WEFT_STAGE_BCAST_H
#define WEFT_STAGE_BCAST_H

#include "stage/publish.h"
#include "wire/link.h"

#define BCAST_PIECE ((size_t)256 << 10)
/* Kept for a node whose parent dies. */
#define BCAST_KEEP ((size_t)64 << 20)
/* Not yet passed on, or not yet written, before no more is asked for. */
#define BCAST_AHEAD ((size_t)16 << 20)
#define BCAST_SLOTS 4096
/* Taken out is who takes so much less than could come, for as long as a silence may
 * last. */
#define BCAST_SLOW 4

/* ---- pieces ---- */
struct bcast_piece {
	atomic_uint users;
	uint64_t no;
	bool last;
	bool full; /* of the pool */
	struct bcast_piece *next;
	size_t n;              /* of the data behind the 8 bytes of its number */
	unsigned char frame[]; /* as it is sent */
};
struct bcast_piece *bcast_piece_new(size_t n);
struct bcast_piece *bcast_piece_use(struct bcast_piece *p);
void bcast_piece_drop(void *p);
/* The memory of those that nobody uses goes. */
void bcast_piece_trim(void);
static inline unsigned char *bcast_data(struct bcast_piece *p)
{
	return p->frame + 8;
}
/* Writes number and end into the frame; reads them from it. */
void bcast_piece_number(struct bcast_piece *p, uint64_t no, bool last);
void bcast_piece_read(struct bcast_piece *p);

/* Between the loop and the thread that reads or writes. */
struct bcast_queue {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	struct bcast_piece *slot[BCAST_SLOTS];
	size_t first, n, bytes;
	bool closed;
};
void bcast_queue_init(struct bcast_queue *q);
void bcast_queue_free(struct bcast_queue *q);
/* Waits for room below so many bytes; -1: closed. Takes p over. */
int bcast_queue_put(struct bcast_queue *q, struct bcast_piece *p, size_t limit);
/* Waits for one unless told not to; NULL: closed, or none. */
struct bcast_piece *bcast_queue_take(struct bcast_queue *q, bool wait);
void bcast_queue_close(struct bcast_queue *q);
size_t bcast_queue_bytes(struct bcast_queue *q);

/* ---- what is there already: bcast_there.c ---- */
/* What the source is, without reading it: of each entry its type, path and identity, in
 * any order. */
struct bcast_identity {
	uint64_t sum[2];
};
#define BCAST_IDENTITY 16
/* path: below the top, "" the top. */
void bcast_identity_add(struct bcast_identity *id, char type, const char *path,
	const struct stage_id *of);
/* Of one entry; -1: no memory. */
int bcast_entry_digest(unsigned char sum[WEFT_DIGEST_BYTES], char type,
	const char *path, const struct stage_id *of);
void bcast_identity_write(const struct bcast_identity *id, unsigned char *at);
/* What the source tells each node before it begins. */
struct bcast_plan {
	const char *dst, *src;
	const char *cache; /* "": none */
	struct weft_stage_limits limits;
	/* What comes has been checked only once a file is whole. */
	bool cached;
	struct bcast_identity identity;
	struct stat top; /* st_dev, and what is in its meta */
};
/* Is this, with its record, a whole copy of it? */
bool bcast_is_there(const struct stage_target *t, const struct bcast_identity *id,
	struct weft_stage_report *report);

/* ---- what a killed broadcast has left: bcast_had.c ---- */
/* A file, as the source has it now: its path below the top, and its identity. */
#define BCAST_HAD 24 /* its digest, and so many chunks (8) */
struct bcast_had_file {
	unsigned char key[WEFT_DIGEST_BYTES];
	uint64_t chunks; /* from its beginning */
	uint32_t nodes;  /* that have said so */
};
struct bcast_had {
	struct weft_map map; /* key in hex -> file */
	struct weft_arena arena;
	struct bcast_had_file *file;
	size_t n, cap;
};
int bcast_had_key(unsigned char key[WEFT_DIGEST_BYTES], const char *path,
	const struct stage_id *id);
/* NULL: it isn't there. */
struct bcast_had_file *bcast_had_find(
	const struct bcast_had *had, const unsigned char key[WEFT_DIGEST_BYTES]);
/* 0, 1: it was there; -1: no memory. */
int bcast_had_add(struct bcast_had *had, const unsigned char key[WEFT_DIGEST_BYTES],
	uint64_t chunks);
void bcast_had_free(struct bcast_had *had);

/* ---- read from this node's cache: bcast_cached.c ---- */
struct bcast_cached;
/* 1: the cache in dir has not src (its real path) as it is now. */
int bcast_cached_open(struct bcast_cached **c, const char *src, const char *dir,
	const struct weft_stage_limits *limits, bool check,
	const volatile sig_atomic_t *stop);
/* damaged: the entry goes. */
void bcast_cached_close(struct bcast_cached *c, bool damaged);
/* The data of a file of the source (its path below the top), open, and what stat says
 * of it; -1: it isn't there as it was. */
int bcast_cached_file(const struct bcast_cached *c, const char *path,
	const struct stat *source, struct stat *st);
/* Was this its hash when it was brought? */
bool bcast_cached_was(const struct bcast_cached *c, const char *path,
	const unsigned char sum[WEFT_DIGEST_BYTES]);

/* ---- packing: bcast_pack.c ---- */
struct bcast_pack {
	const char *src;
	const struct weft_stage_options *opt;
	struct bcast_identity *only;       /* nothing is read, but this filled */
	const struct bcast_had *had;       /* chunks that all nodes have, or NULL */
	atomic_uint_fast64_t resumed;      /* bytes of them */
	const struct bcast_cached *cached; /* where data is read, or NULL */
	uint64_t from_cache;               /* bytes of it */
	bool damaged;                      /* it isn't what it was */
	/* Takes the piece over; -1: stop. */
	int (*emit)(void *arg, struct bcast_piece *p);
	void *arg;
	uint64_t files, folders, bytes, skipped; /* that it packed */
	char hash[WEFT_DIGEST_HEX];
};
int bcast_pack(struct bcast_pack *pack, struct weft_err *err);
/* A level of folders is a descriptor: as many as we may have. */
void bcast_many_descriptors(void);

/* ---- unpacking: bcast_unpack.c, bcast_unpack_had.c ---- */
struct bcast_unpack;
/* *u stays NULL where it is there already: *report. */
int bcast_unpack_new(struct bcast_unpack **u, const struct bcast_plan *plan,
	const struct weft_stage_options *opt, struct weft_stage_report *report,
	struct weft_err *err);
/* What of it a killed broadcast has left, read again; u's. */
const struct bcast_had *bcast_unpack_had(struct bcast_unpack *u);
/* What there is stays for the next one to go on with. */
void bcast_unpack_keep(struct bcast_unpack *u);
/* The next piece; after the last one all has its final name. */
int bcast_unpack_piece(
	struct bcast_unpack *u, struct bcast_piece *p, struct weft_err *err);
/* What it writes to is memory: it needn't be waited for. */
bool bcast_unpack_is_quick(const struct bcast_unpack *u);
void bcast_unpack_report(const struct bcast_unpack *u, struct weft_stage_report *r);
/* What has no final name is removed. */
void bcast_unpack_free(struct bcast_unpack *u);

enum bcast_record {
	REC_FOLDER = 'D',  /* meta, name: enter */
	REC_UP = 'U',      /* leave */
	REC_FILE = 'F',    /* meta, name */
	REC_XATTR = 'X',   /* length of name (2), name, value: of what was named last */
	REC_BYTES = 'B',   /* offset (8), data */
	REC_HAD = 'P',     /* so many chunks (8), which each node has */
	REC_SUM = 'C',     /* of the next chunk (16) */
	REC_END = 'Z',     /* of the file */
	REC_LINK = 'L',    /* meta, length of name (2), name, target */
	REC_SPECIAL = 'S', /* meta, name */
	REC_SAME = 'H',    /* number of the entry (8), name: another name of it */
	REC_ALL = 'E',     /* files (8), bytes (8) */
};
#define BCAST_RECORD 5 /* kind, length (4) */

/* ---- numbers, and what stat says: bcast_meta.c ---- */
#define BCAST_META 96
void bcast_meta_write(unsigned char *at, const struct stat *st);
void bcast_meta_read(const unsigned char *at, struct stat *st);
/* The first byte is the highest. */
void bcast_put16(unsigned char *at, uint16_t v);
uint16_t bcast_get16(const unsigned char *at);
void bcast_put32(unsigned char *at, uint32_t v);
uint32_t bcast_get32(const unsigned char *at);
void bcast_put64(unsigned char *at, uint64_t v);
uint64_t bcast_get64(const unsigned char *at);

/* ---- passing on: bcast_relay.c ---- */
enum {
	MSG_PIECE = 1, /* data link, down: a piece */
	MSG_NEED,      /* up: the number of the first piece wanted (8) */
	MSG_ACK, /* up: all below have what is before (8), waits for those below (1) */
	MSG_JOIN = 16, /* control, up: port (4), name */
	/* down: flags (4), durable (4), identity (16), device (8), meta, the cache's
	 * bytes (8) and inodes (8), and each with NUL: dst src cache ("": none) */
	MSG_PLAN,
	MSG_FEED,   /* down: rank (4), port (4), host: be its parent */
	MSG_LEAVE,  /* down: rank (4): no more */
	MSG_LOST,   /* up: rank (4), final (1), why */
	MSG_STATE,  /* up: pieces (8), bytes (8) */
	MSG_DONE,   /* up: bytes (8) files (8) was there before (1) hash */
	MSG_FAILED, /* up: errno (4), text */
	MSG_TRY,    /* down: bytes that mean nothing; a single one: answer */
	MSG_TRIED,  /* up: they are here */
	MSG_HAD,    /* up: what it has (BCAST_HAD each), more is to come (1) first */
};

struct bcast_child;
struct bcast_relay {
	struct weft_loop *loop;
	const struct weft_link_options *link; /* auth, context, times */
	/* final: not a link's accident, it is of no use to try again. */
	void (*lost)(void *arg, uint32_t rank, const char *why, bool final);
	void (*moved)(void *arg); /* there is more room, or more was acknowledged */
	void *arg;
	struct bcast_piece *slot[BCAST_SLOTS];
	uint64_t first, end; /* pieces that are here */
	size_t bytes;
	bool complete; /* the last one is there */
	double best;   /* pieces a second that came when nobody held them up */
	double since;  /* a second's count began */
	uint64_t counted;
	bool held;
	double watched, waited; /* the last watch; seconds without a CPU until then */
	struct bcast_child **child;
	size_t n, cap;
	struct bcast_child *gone; /* freed by the next call */
};
/* Takes p over: the one with number end. */
void bcast_relay_add(struct bcast_relay *r, struct bcast_piece *p);
/* false: no more should be added before moved(). */
bool bcast_relay_has_room(const struct bcast_relay *r);
/* Some times a second: gives up a child that is far slower than what comes.  Time in
 * which this process didn't get to it, or had no CPU, isn't the child's. */
void bcast_relay_watch(struct bcast_relay *r, double now);
/* The one child that has held up all for so long, and how many pieces a second it took;
 * UINT32_MAX: there is none. */
uint32_t bcast_relay_held_by(
	const struct bcast_relay *r, double now, double least, double *rate);
/* All below, and this one, have what is before. */
uint64_t bcast_relay_acked(const struct bcast_relay *r);
int bcast_relay_feed(
	struct bcast_relay *r, uint32_t rank, const char *host, unsigned port);
void bcast_relay_leave(struct bcast_relay *r, uint32_t rank);
void bcast_relay_clear(struct bcast_relay *r);

#endif
