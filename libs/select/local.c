/* local.c - this machine instead of a cluster: a step is made to fit it. */
#include "select/fit.h"

static void add_note(struct weft_str *note, const char *fmt, ...) WEFT_PRINTF(2, 3);
static void add_note(struct weft_str *note, const char *fmt, ...)
{
	va_list ap;

	if (note->len)
		weft_str_add(note, "; ");
	va_start(ap, fmt);
	weft_str_vprintf(note, fmt, ap);
	va_end(ap);
}

static void fit_gpus(const struct weft_node *n, const struct ask *a, struct fit *out,
	struct weft_str *note)
{
	struct sized *s = &out->size;

	out->lacking = s->gpus > n->n_gpus;
	if (!s->gpus)
		return;
	if (!n->n_gpus) {
		add_note(note, "no GPUs here, %u asked for: runs on CPUs", s->gpus);
		s->gpus = 0;
	} else if (s->gpus > n->n_gpus) {
		add_note(note, "%u of %u GPUs are here", n->n_gpus, s->gpus);
		s->gpus = n->n_gpus;
	} else if (*a->gpu_type && !node_gpus(n, a->gpu_type)) {
		add_note(note, "GPUs of another type than %s", a->gpu_type);
	}
	s->gpus_node = s->gpus;
}

int fit_local(const struct weft_node *n, const struct ask *a, struct fit *out,
	struct weft_str *note, struct weft_err *err)
{
	struct sized *s = &out->size;
	unsigned nodes = a->lo;
	char buf[WEFT_UNIT_MAX];

	*out = (struct fit){.detail = "", .node = n, .nodes = 1, .idle = 1};
	/* An even torchrun may begin to fit above the least number of nodes. */
	if (!ask_size(a, nodes, s))
		return weft_err_set(err, WEFT_EPLACE,
			"this is more than %d tasks or GPUs on one machine",
			WEFT_MAX_TASKS);
	if (nodes > 1)
		add_note(note, "%u nodes on one machine", nodes);
	s->nodes = 1;
	s->tasks_node = s->tasks;
	fit_gpus(n, a, out, note);
	unsigned cpus = n->cpus ? n->cpus : 1;
	unsigned each = s->tasks < cpus ? cpus / s->tasks : 1;

	if (s->tasks > cpus)
		add_note(note, "%u tasks share %u CPUs", s->tasks, cpus);
	if (s->cpus_task > each) {
		add_note(note, "%u %s a task instead of %u", each,
			each == 1 ? "CPU" : "CPUs", s->cpus_task);
		s->cpus_task = each;
	}
	s->cpus_node = (uint64_t)s->cpus_task * s->tasks;
	if (n->mem && s->mem > n->mem) {
		add_note(note, "memory: the %s that are here",
			weft_format_size(buf, n->mem));
		s->mem = n->mem;
	}
	out->time = a->time; /* weft keeps it itself, to the second */
	out->stage = STAGE_FITS;
	return 0;
}
