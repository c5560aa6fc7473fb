/* bcast_unpack.h - records on their way to a file or tree; private to the room */
#ifndef WEFT_STAGE_BCAST_UNPACK_H
#define WEFT_STAGE_BCAST_UNPACK_H

#include "stage/bcast.h"

struct xattr {
	char *name;
	unsigned char *value;
	size_t n;
};

/* Of what was named last, until it is whole. */
struct xattrs {
	struct xattr *v;
	size_t n, cap;
};

struct level {
	struct stage_folder *dir;
	int fd;
	struct xattrs xattrs;
	bool was_there;       /* a killed broadcast had made it */
	struct weft_map said; /* then: what the source has in it */
};

struct first {
	struct stage_folder *dir;
	const char *name;
	struct stage_entry *entry;
};

struct bcast_unpack {
	struct weft_stage_options opt;
	struct stage_target t;
	struct stage_job job;
	struct stage_worker w;
	char *src, *dst, *cache;
	struct weft_stage_limits limits;
	uint64_t next; /* piece */
	bool begun, ended, part;
	bool cached;    /* chunks are noted once their file is whole */
	bool adopted;   /* the part is one that a killed broadcast has left */
	bool keep;      /* the part stays when it isn't whole in the end */
	struct stat of; /* the source's top */
	/* Chunks of the part that are as its journal says, and their sums. */
	struct bcast_had had;
	unsigned char (**had_sum)[WEFT_DIGEST_BYTES];
	size_t cap_had;
	char hash[WEFT_DIGEST_HEX];
	struct level *level;
	size_t n_levels, cap_levels;
	/* With more than one name, by number. */
	struct first *first;
	size_t n_first, cap_first;
	/* The file that is being filled. */
	struct {
		bool on;
		int fd;
		struct stat st;
		struct stage_entry *entry;
		struct xattrs xattrs;
		uint64_t at, chunk, n_chunks, sums;
		size_t had; /* of u->had; SIZE_MAX: nothing of it is there */
		unsigned char (*sum)[WEFT_DIGEST_BYTES];
		size_t cap_sums;
	} f;
};

/* ---- bcast_unpack.c ---- */
int unpack_bad(struct bcast_unpack *u); /* -1: what came makes no sense */
struct level *unpack_top(struct bcast_unpack *u);
/* A name of one component, in the job's arena; NULL: it isn't. */
char *unpack_name(struct bcast_unpack *u, const unsigned char *at, size_t n);

/* ---- folders: bcast_unpack_folder.c ---- */
int unpack_enter(struct bcast_unpack *u, const unsigned char *at, size_t n);
int unpack_leave(struct bcast_unpack *u);

/* ---- files: bcast_unpack_file.c ---- */
int unpack_begin_file(struct bcast_unpack *u, const unsigned char *at, size_t n);
int unpack_add_bytes(struct bcast_unpack *u, const unsigned char *at, size_t n);
int unpack_check_sum(struct bcast_unpack *u, const unsigned char *sum, size_t n);
int unpack_end_file(struct bcast_unpack *u);

/* ---- what a killed broadcast has left: bcast_unpack_had.c ---- */
/* The part that is there, or a new journal. */
int unpack_open_part(struct bcast_unpack *u);
/* The file of this name in the folder that is open: u->f.had. */
int unpack_look_up_had(struct bcast_unpack *u, const char *name);
int unpack_take_had(struct bcast_unpack *u, const unsigned char *at, size_t n);
/* Chunk i is here: the next one may go on from it. */
void unpack_note_chunk(struct bcast_unpack *u, uint64_t i);
/* In a folder that was there: the source has this name.  keep: if it is of this kind
 * it stays (1), whatever else has it goes. */
int unpack_make_way(struct bcast_unpack *u, const char *name, mode_t keep);
/* What the source hasn't goes. */
int unpack_remove_stale(struct bcast_unpack *u, const struct level *l);

/* ---- attributes: bcast_unpack_attr.c ---- */
void unpack_xattrs_clear(struct xattrs *x);
/* Those of a file or folder that was there are no longer the source's. */
void unpack_forget_xattrs(int fd);
int unpack_add_xattr(struct bcast_unpack *u, const unsigned char *at, size_t n);
int unpack_set_attrs(struct bcast_unpack *u, int fd, const struct stat *st,
	const struct xattrs *x, const struct stage_folder *dir, const char *name);

/* ---- what has no data, and the final name: bcast_unpack_end.c ---- */
int unpack_make_link(struct bcast_unpack *u, const unsigned char *at, size_t n);
int unpack_make_special(struct bcast_unpack *u, const unsigned char *at, size_t n);
int unpack_make_same(struct bcast_unpack *u, const unsigned char *at, size_t n);
int unpack_check_all(struct bcast_unpack *u, const unsigned char *at, size_t n);
int unpack_publish(struct bcast_unpack *u);

#endif
