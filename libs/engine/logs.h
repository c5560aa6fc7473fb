/*
 * logs.h - where members run and write, one after the other; private to the room.
 *
 * A pair of files for what they print, and a folder with an empty `work` in it: both
 * become a member's own by a rename, and are the next one's where nothing is in them.
 * So a member that writes nothing costs no file.
 */
#ifndef WEFT_ENGINE_LOGS_H
#define WEFT_ENGINE_LOGS_H

#include "engine/unit.h"

struct logs {
	struct logs *next; /* of those that are free */
	int fd[2];         /* stdout, stderr; -1: not made yet */
	char *path[2];
	bool shown[2]; /* the member's folder has it, too */
	char *folder;  /* a member's folder to be; it is there: */
	bool has_folder;
};
struct log_pool {
	const struct weft_engine *e;
	char *dir; /* RUN/logs/NAME */
	struct logs *idle;
	unsigned made;
};

int logs_open(struct log_pool *p, const struct weft_engine *e, const char *name,
	struct weft_err *err);
void logs_close(struct log_pool *p);
/* An empty pair, or NULL. */
struct logs *logs_take(struct log_pool *p, struct weft_err *err);
/* Makes the folder the member's, with an empty `work`.  1: there is something in the
 * member's already. */
int logs_folder(struct logs *l, const char *member_dir, struct weft_err *err);
/* Takes it back; 1: there is something in it. */
int logs_folder_back(struct logs *l, const char *member_dir);
/* A member that runs for long gets its files while it does. */
void logs_show(struct logs *l, const char *member_dir);
/* Is nothing in them? */
bool logs_silent(const struct logs *l);
/* Its end: they go into its folder where there is something in them, or always. */
int logs_settle(
	struct logs *l, const char *member_dir, bool always, struct weft_err *err);
/* Its end, and they aren't to stay. */
void logs_drop(struct logs *l, const char *member_dir);
/* It may have another member. */
void logs_give(struct log_pool *p, struct logs *l);

#endif
