/* bind_command - what the files of `weft bind` share. */
#ifndef WEFT_COMMAND_BIND_COMMAND_H
#define WEFT_COMMAND_BIND_COMMAND_H

#include "bind/bind.h"
#include "command.h"

#define BIND_MAX_STEPS 16

struct bind_step {
	char name[64], beside[64];
	struct weft_place_step place;
};
/* "sim:infer=4G": steps that exchange so many bytes. */
struct bind_talk {
	char one[64], other[64];
	uint64_t bytes;
};
struct bind_request {
	struct bind_step step[BIND_MAX_STEPS];
	struct bind_talk talk[BIND_MAX_STEPS];
	size_t n_talks;
	struct weft_place_step place[BIND_MAX_STEPS]; /* theirs, once they are placed */
	size_t n_steps;
	bool described; /* options say what the tasks need: a ticket is not asked */
	bool single;    /* options of the only step were given */
	const char *topology, *node; /* another machine's, or this one's */
	const char *reserve;         /* NULL: as weft.conf says */
	struct weft_cpuset allowed;
	bool has_allowed;
	int64_t task; /* -1: as the launcher says */
	bool strict, report, score, explain;
	bool around, verify, others;
	const char *report_file; /* NULL: stderr */
	const char *format;
};

/* One field of a step: "ntasks", "4".  Errors: WEFT_EUSAGE. */
int bind_set(
	struct bind_step *s, const char *key, const char *value, struct weft_err *err);
/* "name=sim,ntasks=8,..." */
int bind_parse_step(const char *text, struct bind_step *s, struct weft_err *err);

int bind_parse_talk(const char *text, struct bind_talk *t, struct weft_err *err);
/* Names in beside= and --talk: to numbers, as place wants them. */
int bind_find_talks(struct bind_request *r, struct weft_err *err);

int bind_print(const struct bind_request *r, const struct weft_machine *m,
	const struct weft_placement *p);
int bind_json(const struct bind_request *r, const struct weft_machine *m,
	const struct weft_placement *p, struct weft_str *out, struct weft_err *err);
/* --explain: of one task; of all, a line each. */
void bind_explain(const struct bind_request *r, const struct weft_machine *m,
	const struct weft_placement *p, size_t step, size_t task, struct weft_str *out);
void bind_explain_all(const struct bind_request *r, const struct weft_machine *m,
	const struct weft_placement *p, struct weft_str *out);
/* --score */
int bind_score_table(const struct bind_request *r, const struct weft_machine *m,
	const struct weft_placement *p, struct weft_str *out, struct weft_err *err);
struct json_t *bind_score_json(const struct bind_request *r,
	const struct weft_machine *m, const struct weft_placement *p,
	struct weft_err *err);
/* "cpus 24-31 numa 3 gpu 0000:c1:00.0" */
void bind_describe(const struct weft_machine *m, const struct weft_placed_task *t,
	struct weft_str *out);

/* Binds this process as the task that it is, then becomes the command.  Returns
 * only when that fails, with the exit status. */
int bind_exec(const struct bind_request *r, char *const *argv);
/* --verify without a command: this process against its note. */
int bind_verify(void);
/* --others: what the tasks of other steps of the job have here. */
int bind_others(void);
/* Is this process a task of srun itself, not of a launcher that srun started? */
bool bind_launched_by_slurm(void);
/* "JOB.STEP", or "pid:PARENT" outside Slurm: who places this process. */
void bind_placer(char *buf, size_t size);
/* This process's note, that of an ancestor where nothing bound it anew; NULL: none.
 * Static. */
const struct weft_note *bind_note(void);
/* The machine to place on, with what is reserved of it. */
int bind_machine(
	const struct bind_request *r, struct weft_machine **m, struct weft_err *err);
/* The CPUs of the step whose `tasks` tasks are on this node. */
int bind_allowed(unsigned tasks, struct weft_cpuset *cpus, struct weft_err *err);
/* Which of how many tasks of this node we are; 0 of 1 without a launcher.  *tasks: 0,
 * or how many are known to be. */
void bind_local_task(int64_t *id, int64_t *tasks);

#endif
