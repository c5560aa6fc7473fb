/* copy.h - between the files of the stage room. */
#ifndef WEFT_STAGE_COPY_H
#define WEFT_STAGE_COPY_H

#include <sys/stat.h>

#include "stage/stage.h"

/* A file with several names inside the tree: the copy has them too. */
struct weft_stage_name {
	dev_t dev;
	ino_t ino;
	char *path; /* of the first copy, below the copy's root */
};

/* One put. */
struct weft_stage_job {
	enum weft_stage_how how;
	struct weft_stage_report *report;
	uint64_t cloned, linked, copied; /* files, by how they got there */
	struct weft_str path; /* of the source, as far as we are, for messages */
	size_t root_len;      /* of the source's own part of it */
	int root;             /* descriptor of the copy's root folder, or -1 */
	dev_t root_dev;       /* and what it is */
	ino_t root_ino;
	struct weft_stage_name *name;
	size_t n_name, cap_name;
	struct weft_err *err;
};

/* Copies the file open as `in`, whose stat was `before`, to a new file dir/name.
 * from_dir/from is its own name, for a hard link.  sync: it is made durable here,
 * and locked while it is written. */
int weft_stage_copy_file(struct weft_stage_job *job, int in, const struct stat *before,
	int from_dir, const char *from, int from_flags, int dir, const char *name,
	bool sync);
/* Copies what is in the folder `in` into the new folder dir/name. */
int weft_stage_copy_tree(struct weft_stage_job *job, int in, const struct stat *before,
	int dir, const char *name);

/* After the data: that `in` is what it was, then its permissions, times and
 * attributes. */
int weft_stage_copy_end(
	struct weft_stage_job *job, int in, const struct stat *before, int out);
/* The source is what it was. */
int weft_stage_check_same(struct weft_stage_job *job, const struct stat *before,
	const struct stat *after);
/* "a FIFO" */
const char *weft_stage_kind(mode_t mode);
/* Sets the error from errno: "WHAT PATH: ...". */
int weft_stage_sys(struct weft_stage_job *job, const char *what);

#endif
