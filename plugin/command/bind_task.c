/*
 * bind_task.c - `weft bind -- CMD`: this process becomes a bound task.
 *
 * For where the plug-in is not: mpirun, torchrun, a cluster without weft.so, a
 * workstation.  Binding is help, not a duty: what fails is a warning and the command
 * runs all the same, unless --strict.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bind_command.h"
#include "ticket/ticket.h"

struct outcome {
	int64_t task;
	struct weft_str what;
	const char *not_applied; /* why; NULL: applied */
	struct weft_str differs; /* lines of --verify */
};

/* From the ticket, unless options say what to place.  1: not to be bound. */
static int read_step(const struct bind_request *r, struct weft_place_step *step,
	struct weft_err *err)
{
	const char *text = getenv(WEFT_TICKET_ENV);
	struct weft_ticket ticket;

	*step = r->step[0].place;
	if (r->described || !text)
		return 0;
	if (weft_ticket_decode(text, &ticket, err))
		return -1;
	*step = ticket.place;
	if (r->step[0].place.ntasks)
		step->ntasks = r->step[0].place.ntasks;
	return ticket.bind ? 0 : 1;
}

static const char *slurm_gpus(void)
{
	const char *s = getenv("SLURM_STEP_GPUS");
	return s ? s : getenv("SLURM_JOB_GPUS");
}

/* What this machine lets the step's tasks have. */
struct usable {
	struct weft_cpuset cpus;
	unsigned gpu[WEFT_MAX_DEVICES];
	size_t n_gpus;
	const char *visible;             /* the list that names them, NULL: none */
	unsigned left[WEFT_MAX_DEVICES]; /* those of them that others leave */
	size_t n_left;
	struct weft_others others;
	bool around;
};

static int apply(const struct weft_machine *m, const struct weft_placement *p,
	const struct weft_place_step *step, const struct usable *u, struct outcome *o,
	struct weft_err *err)
{
	const struct weft_placed_task *t = &p->task[o->task];
	struct weft_binding b;
	char by[72];

	bind_describe(m, t, &o->what);
	if (weft_bind_prepare(
		    m, t, step, u->gpu, u->n_gpus, u->visible, m->borrowed, &b, err))
		return -1;
	bind_placer(by, sizeof(by));
	weft_bind_nic_map(m, p, 0, &b);
	weft_bind_add_note(m, t, by, u->around ? &u->others : NULL, &b);
	for (size_t i = 0; i < b.n_vars; i++)
		if (setenv(b.var[i].name, b.var[i].value, !b.var[i].keep))
			return weft_err_nomem(err);
	const char *failed = weft_bind_apply(&b);
	if (failed)
		return weft_err_sys(err, WEFT_EPLACE, "%s", failed);
	if (m->borrowed)
		o->not_applied = "borrowed topology";
	return 0;
}

/* Within a Slurm job its other steps are kept apart, unless who starts us says which
 * CPUs are ours. */
static void keep_around(const struct bind_request *r, const struct weft_machine *m,
	const struct weft_place_step *step, struct usable *u)
{
	bool slurm = getenv("SLURM_JOB_ID") && getenv("SLURM_STEP_ID");
	char by[72];

	memcpy(u->left, u->gpu, sizeof(u->left));
	u->n_left = u->n_gpus;
	if (!r->around && (!slurm || r->has_allowed))
		return;
	bind_placer(by, sizeof(by));
	weft_bind_find_others(by, bind_note(), &u->others);
	weft_bind_around(m, &u->others, step, &u->cpus, u->left, &u->n_left);
	u->around = true;
}

static int find_usable(const struct bind_request *r, const struct weft_machine *m,
	struct weft_place_step *step, struct usable *u, struct weft_err *err)
{
	u->cpus = r->allowed;
	if (!r->has_allowed && m->borrowed)
		memset(&u->cpus, 0xff, sizeof(u->cpus));
	else if (!r->has_allowed && bind_allowed(step->ntasks, &u->cpus, err))
		return -1;
	weft_cpuset_remove(&u->cpus, &m->reserved);
	u->visible = getenv(weft_bind_visible_name(m));
	u->n_gpus = weft_bind_usable_gpus(m, slurm_gpus(), u->visible, u->gpu);
	/* Fewer visible than the tasks ask for: the launcher has dealt them out by
	 * itself, each task sees its own, and only CPUs are ours to place. */
	if (u->visible && step->ntasks > 1 &&
		(double)u->n_gpus < step->gpus_per_task * step->ntasks)
		step->gpus_per_task = 0;
	keep_around(r, m, step, u);
	return 0;
}

static int place_and_apply(const struct bind_request *r, const struct weft_machine *m,
	struct weft_place_step *step, struct outcome *o, struct weft_err *err)
{
	weft_autofree struct usable *u = calloc(1, sizeof(*u));
	struct weft_placement *p = NULL;

	if (!u)
		return weft_err_nomem(err);
	weft_bind_known_memory(m, step);
	if (find_usable(r, m, step, u, err))
		return -1;
	int rc = weft_place(m, &u->cpus, u->left, u->n_left, step, 1, &p, err);
	if (rc && !r->strict && (step->gpus_per_task > 0 || step->gpus_all)) {
		/* CPUs can be placed without GPUs that the topology doesn't show. */
		weft_log(WEFT_WARN, "GPUs are not dealt out: %s",
			err->text ? err->text : "out of memory");
		weft_err_clear(err);
		step->gpus_per_task = 0;
		step->gpus_all = false;
		rc = weft_place(m, &u->cpus, u->left, u->n_left, step, 1, &p, err);
	}
	if (rc)
		return -1;
	rc = apply(m, p, step, u, o, err);
	weft_placement_free(p);
	return rc;
}

/* The plug-in has placed this very task: what is left is to compare. */
static bool placed_already(struct outcome *o)
{
	const struct weft_note *note = bind_note();
	char by[72], list[WEFT_MAX_CPUS * 5];

	bind_placer(by, sizeof(by));
	if (!note || !weft_streq(note->by, by) || !bind_launched_by_slurm())
		return false;
	weft_cpuset_print(&note->cpus, list, sizeof(list));
	weft_str_printf(&o->what, "cpus %s numa ", list);
	struct weft_cpuset nodes = {0};
	memcpy(nodes.w, note->nodemask, sizeof(note->nodemask));
	weft_cpuset_print(&nodes, list, sizeof(list));
	weft_str_printf(&o->what, "%s%s%s", *list ? list : "any",
		*note->gpus ? " gpu " : "", note->gpus);
	if (note->borrowed)
		o->not_applied = "borrowed topology";
	return true;
}

static int bind_this(
	const struct bind_request *r, struct outcome *o, struct weft_err *err)
{
	struct weft_machine *m = NULL;
	struct weft_place_step step;
	int rc = read_step(r, &step, err);
	int64_t tasks = step.ntasks;

	bind_local_task(&o->task, &tasks);
	if (r->task >= 0)
		o->task = r->task;
	if (r->verify && placed_already(o))
		return 0;
	if (getenv("WEFT_BOUND"))
		o->not_applied = "the plug-in has bound this task";
	else if (rc == 1)
		o->not_applied = "place: none";
	if (rc < 0 || o->not_applied)
		return rc < 0 ? -1 : 0;
	if (!step.ntasks)
		step.ntasks = (unsigned)tasks;
	if (o->task >= step.ntasks)
		return weft_err_set(err, WEFT_EPLACE,
			"this is task %lld of the node, but %u are to be placed",
			(long long)o->task, step.ntasks);
	if (bind_machine(r, &m, err))
		return -1;
	rc = place_and_apply(r, m, &step, o, err);
	weft_machine_free(m);
	return rc;
}

/* What the kernel says now, beside what was planned. 0: the same. */
static int verify(struct outcome *o, struct weft_err *err)
{
	const struct weft_note *note = bind_note();

	if (!note)
		return weft_err_set(err, WEFT_EPLACE, "this task was not placed");
	weft_bind_verify(note, &o->differs);
	if (!o->differs.len)
		return 0;
	o->differs.s[o->differs.len - 1] = '\0';
	for (char *p = o->differs.s; (p = strchr(p, '\n'));)
		*p = ';';
	return weft_err_set(err, WEFT_EPLACE, "not as it was placed: %s", o->differs.s);
}

static void report(const struct bind_request *r, const char *file,
	const struct outcome *o, const struct weft_err *err)
{
	weft_autostr struct weft_str line = {0};
	const char *why = err->text ? err->text : o->not_applied;

	weft_str_printf(&line, "task %lld:", (long long)o->task);
	if (o->what.len)
		weft_str_printf(&line, " %s", o->what.s);
	if (o->differs.len)
		weft_str_printf(&line, " differs: %s\n", o->differs.s);
	else
		weft_str_printf(&line, "%s%s%s\n", why ? " not applied: " : " applied",
			why ? why : "", !why && r->verify ? ", verified" : "");
	if (line.failed)
		return;
	if (!file) {
		fputs(line.s, stderr);
		return;
	}
	/* One write to a file opened for appending: lines of tasks don't mix. */
	weft_autofclose FILE *f = fopen(file, "ae");
	if (!f || fwrite(line.s, 1, line.len, f) != line.len || fflush(f))
		weft_log(WEFT_WARN, "%s: %s", file, strerror(errno));
}

/* Where to report, "" nowhere.  The engine says it in the environment, not for what the
 * command binds in turn.  On several nodes' way to its one file lines may get lost: one
 * node stands for all, whose differences are warnings in any case. */
static char *report_file(const struct bind_request *r)
{
	const char *env = getenv("WEFT_BIND_REPORT"), *node = getenv("SLURM_NODEID");
	char *file;

	if (r->report)
		env = r->report_file;
	else if (node && *node && !weft_streq(node, "0"))
		env = NULL;
	file = strdup(env ? env : "");
	unsetenv("WEFT_BIND_REPORT");
	return file;
}

int bind_exec(const struct bind_request *r, char *const *argv)
{
	struct weft_err err = {0};
	struct outcome o = {0};
	weft_autofree char *file = report_file(r);

	if (!file)
		return WEFT_EFAILED;
	int rc = bind_this(r, &o, &err);

	if (!rc && r->verify && (!o.not_applied || bind_note()))
		rc = verify(&o, &err);
	if (r->report || *file)
		report(r, *file ? file : NULL, &o, &err);
	weft_str_free(&o.what);
	if (rc && r->strict) {
		weft_str_free(&o.differs);
		return cmd_fail(&err);
	}
	if (rc) {
		weft_log(WEFT_WARN, "%s%s", o.differs.len ? "" : "not bound: ",
			err.text ? err.text : "out of memory");
		weft_err_clear(&err);
	}
	weft_str_free(&o.differs);
	unsetenv("WEFT_BIND_TOPOLOGY");
	execvp(argv[0], argv);
	/* As shells do. */
	int status = errno == ENOENT ? 127 : 126;
	fprintf(stderr, "weft bind: %s: %s\n", argv[0], strerror(errno));
	return status;
}
