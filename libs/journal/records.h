/* records.h - the store of completion records; private to the room */
#ifndef WEFT_JOURNAL_RECORDS_H
#define WEFT_JOURNAL_RECORDS_H

#include "journal/line.h"
#include "journal/record.h"

struct records_slot {                          /* of a member */
	uint64_t at : 48, state : 8, code : 8; /* at: of the line in its file */
	uint32_t file;                         /* index + 1; 0: no record */
	uint32_t attempt;
};
struct records_id {
	char id[WEFT_MEMBER_ID];
	uint32_t index;
};
struct records_step {
	struct records_slot *slot;
	size_t n;
	struct records_id *by_id; /* sorted; NULL until it is needed */
	size_t n_ids;
};
struct records_file {
	char *path;  /* below records/ */
	uint64_t at; /* read until here */
};
/* A line of a member that the workflow doesn't have, or not yet. */
struct records_late {
	uint64_t at;
	uint32_t file;
};
struct weft_records {
	const struct weft_run *run;
	const struct weft_workflow *wf;
	char *dir;
	struct records_step *step;
	struct records_file *file;
	size_t n_files, cap_files;
	struct weft_map by_path;
	struct records_late *late;
	size_t n_late, cap_late, members; /* of the workflow, when they were tried */
	struct weft_records_twice *twice;
	size_t n_twice, cap_twice, damaged;
	size_t lines; /* good ones that were read */
	int fd;       /* of file open_file, opened by records_line_at(); -1 */
	uint32_t open_file;
};
struct records_changed {
	void (*f)(void *ctx, unsigned step, size_t member); /* NULL: nobody asks */
	void *ctx;
};

/* A whole line, without its newline. */
int records_add(struct weft_records *rs, uint32_t file, uint64_t at, const char *line,
	size_t n, struct records_changed *changed, struct weft_err *err);

/* records_read.c: all files, or the one at a path below records/ */
int records_scan(
	struct weft_records *rs, struct records_changed *changed, struct weft_err *err);
int records_scan_file(struct weft_records *rs, const char *path,
	struct records_changed *changed, struct weft_err *err);
/* The line at a place, malloced.  1: the file is gone; -1 with errno. */
int records_line_at(
	struct weft_records *rs, uint32_t file, uint64_t at, char **line, size_t *n);
/* All files are read from their beginning by the next scan. */
void records_rewind(struct weft_records *rs);
void records_files_free(struct weft_records *rs);

#endif
