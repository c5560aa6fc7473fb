/* cmd_stage.h - what the files of weft stage share */
#ifndef WEFT_CMD_STAGE_H
#define WEFT_CMD_STAGE_H

#include "command.h"

#include <jansson.h>
#include <signal.h>

#include "stage/stage.h"

struct stage_args {
	struct weft_stage_options opt;
	int64_t older;
	bool json, quiet, cache, check, all;
	const char *dir; /* of the cache; NULL: the node's */
	struct weft_conf *conf;
	struct weft_stage_cache *node;
};

/* Each returns an exit status, after saying why. */
int stage_fail(const struct stage_args *a, struct weft_err *err);
/* weft.conf, and the node's cache, which must be there. */
int stage_open_conf(struct stage_args *a, bool cache);
int stage_verify_one(struct stage_args *a, const char *dst);
int stage_print_json(json_t *root); /* takes it */
void stage_clear_progress(const struct stage_args *a);

/* Asked to stop by a signal. */
extern volatile sig_atomic_t stage_stop;
void stage_show_progress(void *arg, const struct weft_stage_progress *p);

/* cmd_stage_cache.c */
int stage_ls(struct stage_args *a);
int stage_trim(struct stage_args *a);
int stage_verify_cache(struct stage_args *a);

/* stage_bcast.c: verbs of their own, with their own options; argv[0] the verb */
int stage_bcast(int argc, char **argv);
int stage_receive(int argc, char **argv);
int stage_send(int argc, char **argv);

#endif
