/*
 * command - what the verbs of `weft` share.  One file a verb: cmd_VERB.c, which
 * registers itself with WEFT_VERB and is handed its arguments, argv[0] the verb.
 * A verb returns the exit status (enum weft_code, at most WEFT_EINTR for users).
 */
#ifndef WEFT_COMMAND_H
#define WEFT_COMMAND_H

#include <getopt.h>
#include <signal.h>

#include "cluster/cluster.h"
#include "conf/conf.h"
#include "report/report.h"
#include "topo/topo.h"

struct weft_verb {
	const char *name;
	const char *synopsis; /* "[-o FILE] FILE..."; printed by --help */
	const char *summary;  /* one line */
	const char *help;     /* the options, as --help prints them; may be NULL */
	int order;            /* place in `weft --help`; 0: not listed (internal) */
	int (*run)(int argc, char **argv);
};

/* In a section of its own, so that a new verb is a new file and nothing else. */
#define WEFT_VERB(id, ...)                                                             \
	static const struct weft_verb verb_##id = {__VA_ARGS__};                       \
	static const struct weft_verb *const verb_ptr_##id                             \
		__attribute__((used, section("weft_verbs"))) = &verb_##id

const struct weft_verb *cmd_verb(const char *name);

/* getopt_long for a verb: prints --help (and exits the verb with 0) and wrong
 * options (status 2) by itself. Returns the option; -1: end; -2: return
 * *status from the verb now. Always call cmd_getopt_start first. */
void cmd_getopt_start(void);
int cmd_getopt(const struct weft_verb *v, int argc, char **argv, const char *shortopts,
	const struct option *longopts, int *status);
/* "weft VERB: message" and a pointer to --help, to stderr; returns 2. */
int cmd_usage(const struct weft_verb *v, const char *fmt, ...) WEFT_PRINTF(2, 3);

/* Prints the error(s) to stderr as a person reads them, or with json to stdout as
 * JSON; returns the exit status that fits. Clears them. */
int cmd_fail(struct weft_err *err);
int cmd_fail_errs(struct weft_errs *errs, bool json);

/* How to print to this stream: NO_COLOR, a terminal, its width. */
struct weft_style cmd_style(FILE *f);
/* Writes and frees the string; 0, or an exit status when stdout is broken. */
int cmd_print(struct weft_str *s);

/* The conf that root goes by, on a node: $WEFT_CONF or the default, trusted. */
int cmd_site_conf(struct weft_conf **conf, struct weft_err *err);

/* SIGINT, SIGTERM and SIGHUP are to stop a transfer, which then leaves nothing. */
const volatile sig_atomic_t *cmd_stop(void);

/* Who we are, as weft.conf names users. */
const char *cmd_user(void);
/* Is weft switched on, for us? -1: err says why not, and the admin is told.
 * workflow: its name, or NULL. */
int cmd_switched_on(
	const struct weft_conf *conf, const char *workflow, struct weft_err *err);

/* The path of weft on the nodes: the conf's (which may be NULL), else this program's;
 * malloced, or NULL. */
char *cmd_path_on_nodes(const struct weft_conf *conf);

/* The snapshot: of --cluster FILE, else live Slurm's. */
int cmd_cluster(const char *file, struct weft_cluster **c, struct weft_err *err);
/* This machine as a cluster of one node and one partition, for --local. */
int cmd_local_cluster(
	struct weft_cluster **c, struct weft_machine **m, struct weft_err *err);

/* The step of "STEP" or "STEP.MEMBER"; *member: what stands behind the dot, or NULL.
 * of: the file or run, for the message. */
const struct weft_step *cmd_step(const struct weft_workflow *wf, const char *of,
	const char *word, const char **member, struct weft_err *err);
/* A member of a step by its number from 0 or its id. */
int cmd_member(const struct weft_workflow *wf, const struct weft_step *step,
	const char *which, size_t *index, struct weft_err *err);

/* --set, --overlay: collected by the verbs that read a workflow. */
struct cmd_workflow_args {
	const char *set[256], *overlay[64];
	size_t n_set, n_overlay;
};
enum { CMD_OPT_SET = 512, CMD_OPT_OVERLAY };
#define CMD_WORKFLOW_OPTIONS                                                           \
	{"set", required_argument, NULL, CMD_OPT_SET},                                 \
	{                                                                              \
		"overlay", required_argument, NULL, CMD_OPT_OVERLAY                    \
	}
/* Keeps optarg, of one of these two; 0, or the exit status. */
int cmd_workflow_option(const struct weft_verb *v, struct cmd_workflow_args *w, int c);
/* Borrows from w. */
struct weft_spec_options cmd_spec_options(const struct cmd_workflow_args *w);

#endif
