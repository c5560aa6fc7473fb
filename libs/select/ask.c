/* ask.c - from the keys of `resources` to one way of saying it. */
#include "select/ask.h"

#include <math.h>
#include <string.h>

const char *const ask_key_names[N_KEYS] = {
	[KEY_NONE] = "",
	[KEY_PARTITION] = "partition",
	[KEY_NODES] = "nodes",
	[KEY_NTASKS] = "ntasks",
	[KEY_NTASKS_PER_NODE] = "ntasks_per_node",
	[KEY_CPUS_PER_TASK] = "cpus_per_task",
	[KEY_CPUS_PER_GPU] = "cpus_per_gpu",
	[KEY_GPUS] = "gpus",
	[KEY_GPUS_PER_NODE] = "gpus_per_node",
	[KEY_GPUS_PER_TASK] = "gpus_per_task",
	[KEY_NTASKS_PER_GPU] = "ntasks_per_gpu",
	[KEY_GPU_TYPE] = "gpu_type",
	[KEY_MEM] = "mem",
	[KEY_MEM_PER_CPU] = "mem_per_cpu",
	[KEY_MEM_PER_GPU] = "mem_per_gpu",
	[KEY_TMP] = "tmp",
	[KEY_TIME] = "time",
	[KEY_CONSTRAINT] = "constraint",
	[KEY_EXCLUDE] = "exclude",
	[KEY_NODELIST] = "nodelist",
	[KEY_LICENSES] = "licenses",
	[KEY_GRES] = "gres",
};

const struct weft_text *ask_key_text(
	const struct weft_resource_texts *r, enum ask_key key)
{
	switch (key) {
	case KEY_PARTITION:
		return &r->partition;
	case KEY_NODES:
		return &r->nodes;
	case KEY_NTASKS:
		return &r->ntasks;
	case KEY_NTASKS_PER_NODE:
		return &r->ntasks_per_node;
	case KEY_CPUS_PER_TASK:
		return &r->cpus_per_task;
	case KEY_CPUS_PER_GPU:
		return &r->cpus_per_gpu;
	case KEY_GPUS:
		return &r->gpus;
	case KEY_GPUS_PER_NODE:
		return &r->gpus_per_node;
	case KEY_GPUS_PER_TASK:
		return &r->gpus_per_task;
	case KEY_NTASKS_PER_GPU:
		return &r->ntasks_per_gpu;
	case KEY_GPU_TYPE:
		return &r->gpu_type;
	case KEY_MEM:
		return &r->mem;
	case KEY_MEM_PER_CPU:
		return &r->mem_per_cpu;
	case KEY_MEM_PER_GPU:
		return &r->mem_per_gpu;
	case KEY_TMP:
		return &r->tmp;
	case KEY_TIME:
		return &r->time;
	case KEY_CONSTRAINT:
		return &r->constraint;
	case KEY_EXCLUDE:
		return &r->exclude;
	case KEY_NODELIST:
		return &r->nodelist;
	case KEY_LICENSES:
		return &r->licenses;
	case KEY_GRES:
		return &r->gres;
	case KEY_NONE:
	case N_KEYS:
		break;
	}
	return NULL;
}

/* While the keys are being reconciled. */
struct draft {
	struct ask *a;
	unsigned ntasks, per_node; /* as written or as they follow */
	unsigned gpus, gpus_node;
	enum ask_key *key;
	struct weft_err *err;
};

static int clash(struct draft *d, enum ask_key key, const char *hint, const char *fmt,
	...) WEFT_PRINTF(4, 5);
static int clash(
	struct draft *d, enum ask_key key, const char *hint, const char *fmt, ...)
{
	weft_autostr struct weft_str s = {0};
	va_list ap;

	va_start(ap, fmt);
	weft_str_vprintf(&s, fmt, ap);
	va_end(ap);
	*d->key = key;
	weft_err_set(d->err, WEFT_ESPEC, "%s", s.s ? s.s : "");
	return weft_err_hint(d->err, "%s", hint);
}

/* gres: "gpu:a100:2,nvme:1": the GPUs are ours to place, the rest is Slurm's. */
static int take_gres(struct draft *d, const char *gres, struct weft_arena *arena)
{
	weft_autostr struct weft_str rest = {0};
	struct ask *a = d->a;

	for (const char *p = gres; *p;) {
		size_t n = strcspn(p, ",");
		const char *item = weft_arena_strndup(arena, p, n);

		if (!item)
			return weft_err_nomem(d->err);
		if (weft_streq(item, "gpu") || weft_starts_with(item, "gpu:") ||
			weft_starts_with(item, "gres:gpu")) {
			const char *type = strchr(item, ':'),
				   *last = strrchr(item, ':');
			int64_t count = 1;

			if (weft_starts_with(item, "gres:"))
				type = strchr(item + 5, ':');
			if (type && weft_parse_int(last + 1, 0, WEFT_MAX_TASKS, &count))
				type = type == last ? NULL : type;
			else
				last = item + n;
			if (d->gpus_node && d->gpus_node != (unsigned)count)
				return clash(d, KEY_GRES, "write gpus_per_node alone",
					"%s says %u GPUs a node, gres %d",
					ask_key_names[a->gpus_key], d->gpus_node,
					(int)count);
			d->gpus_node = (unsigned)count;
			a->gpus_key = KEY_GRES;
			if (type && !*a->gpu_type) {
				a->gpu_type = weft_arena_strndup(arena, type + 1,
					(size_t)(last > type ? last - type - 1 : 0));
				if (!a->gpu_type)
					return weft_err_nomem(d->err);
			}
		} else if (n) {
			weft_str_printf(&rest, "%s%s", rest.len ? "," : "", item);
		}
		p += n + (p[n] == ',');
	}
	a->gres = weft_arena_strdup(arena, rest.s ? rest.s : "");
	return a->gres && !rest.failed ? 0 : weft_err_nomem(d->err);
}

/* gpus_per_task and ntasks_per_gpu: num GPUs for every den tasks. */
static int link_gpus(struct draft *d, const struct weft_resources *r)
{
	struct ask *a = d->a;
	double q = r->gpus_per_task;

	if (q > 0 && r->ntasks_per_gpu)
		return clash(d, KEY_NTASKS_PER_GPU, "write one of them",
			"gpus_per_task and ntasks_per_gpu exclude each other");
	if (r->ntasks_per_gpu) {
		a->gpu_num = 1;
		a->gpu_den = r->ntasks_per_gpu;
		return 0;
	}
	if (!(q > 0))
		return 0;
	if (q >= 1 && q == floor(q) && q <= WEFT_MAX_TASKS) {
		a->gpu_num = (unsigned)q;
		a->gpu_den = 1;
		return 0;
	}
	double share = floor(1 / q + 0.5);

	if (q > 1 || share > WEFT_MAX_TASKS || fabs(share * q - 1) > 1e-6)
		return clash(d, KEY_GPUS_PER_TASK,
			"use a whole number, or a part such as 0.5 or 0.25",
			"gpus_per_task: %g is neither whole nor an even part of one",
			q);
	a->gpu_num = 1;
	a->gpu_den = (unsigned)share;
	a->tasks_gpu = q < 1 ? a->gpu_den : 0;
	return 0;
}

/* Tasks that follow from GPUs where the two are linked, and the other way round. */
static int tasks_of_gpus(struct draft *d)
{
	struct ask *a = d->a;
	enum ask_key link = a->gpu_den > 1 || a->gpus_key == KEY_NTASKS_PER_GPU
				    ? KEY_NTASKS_PER_GPU
				    : KEY_GPUS_PER_TASK;
	const char *hint = "leave one of them out: it follows from the others";

	if (!a->gpu_num)
		return 0;
	if (d->gpus) {
		uint64_t t = (uint64_t)d->gpus * a->gpu_den / a->gpu_num;

		if (t * a->gpu_num != (uint64_t)d->gpus * a->gpu_den)
			return clash(d, link, hint, "%u GPUs are not %u for each task",
				d->gpus, a->gpu_num);
		if (t > WEFT_MAX_TASKS || (d->ntasks && d->ntasks != t))
			return clash(d, KEY_NTASKS, hint,
				"ntasks: %u, but gpus: %u make %ju tasks", d->ntasks,
				d->gpus, (uintmax_t)t);
		d->ntasks = (unsigned)t;
	}
	if (d->gpus_node) {
		uint64_t t = (uint64_t)d->gpus_node * a->gpu_den / a->gpu_num;

		if (t * a->gpu_num != (uint64_t)d->gpus_node * a->gpu_den)
			return clash(d, link, hint,
				"%u GPUs a node are not %u for each task", d->gpus_node,
				a->gpu_num);
		if (t > WEFT_MAX_TASKS || (d->per_node && d->per_node != t))
			return clash(d, KEY_NTASKS_PER_NODE, hint,
				"ntasks_per_node: %u, but gpus_per_node: %u make %ju "
				"tasks a node",
				d->per_node, d->gpus_node, (uintmax_t)t);
		d->per_node = (unsigned)t;
	}
	return 0;
}

static int nodes_of_gpus(struct draft *d)
{
	struct ask *a = d->a;

	if (!d->gpus || !d->gpus_node)
		return 0;
	unsigned n = d->gpus / d->gpus_node;

	if (n * d->gpus_node != d->gpus)
		return clash(d, KEY_GPUS, "leave gpus out, or make it a multiple",
			"gpus: %u is not a multiple of gpus_per_node: %u", d->gpus,
			d->gpus_node);
	if ((a->lo && n < a->lo) || (a->hi && n > a->hi))
		return clash(d, KEY_NODES, "leave gpus or nodes out",
			"gpus: %u with gpus_per_node: %u are %u nodes", d->gpus,
			d->gpus_node, n);
	a->lo = a->hi = n;
	return 0;
}

static void set_gpu_mode(struct draft *d)
{
	struct ask *a = d->a;

	if (d->gpus_node) {
		a->gpu_mode = GPUS_NODE;
		a->gpus = d->gpus_node;
	} else if (a->gpu_num) {
		a->gpu_mode = GPUS_TASK;
	} else if (d->gpus) {
		a->gpu_mode = GPUS_TOTAL;
		a->gpus = d->gpus;
	}
}

static int set_nodes(struct draft *d, bool torchrun)
{
	struct ask *a = d->a;
	unsigned gpus = a->gpu_mode == GPUS_TOTAL ? a->gpus : 0;

	if (a->hi && a->hi < a->lo)
		return clash(d, KEY_NODES, "write the smaller number first",
			"nodes: %u-%u is empty", a->lo, a->hi);
	if (a->tasks && a->lo > a->tasks)
		return clash(d, KEY_NODES,
			"use as many tasks as nodes, or leave ntasks out",
			"%u nodes for %u %s: Slurm gives no node without a task", a->lo,
			a->tasks, a->tasks == 1 ? "task" : "tasks");
	if (gpus && a->lo > gpus)
		return clash(d, KEY_NODES, "use as many GPUs as nodes",
			"%u GPUs over %u nodes leave nodes without one", gpus, a->lo);
	if (a->tasks && a->task_node) {
		unsigned n = (a->tasks + a->task_node - 1) / a->task_node;

		if (a->hi && n > a->hi)
			return clash(d, KEY_NTASKS, "raise nodes or ntasks_per_node",
				"%u tasks at %u a node are %u nodes, and nodes says %u",
				a->tasks, a->task_node, n, a->hi);
		if (a->lo < n)
			a->lo = n;
	}
	if (!a->lo)
		a->lo = 1;
	if (!a->tasks && (uint64_t)a->lo * a->task_node > WEFT_MAX_TASKS)
		return clash(d, KEY_NTASKS_PER_NODE, "use fewer nodes or tasks",
			"%u nodes of %u tasks are more than %d", a->lo, a->task_node,
			WEFT_MAX_TASKS);
	if (torchrun && gpus && a->lo == a->hi && gpus % a->lo)
		return clash(d, KEY_GPUS, "use a multiple of nodes",
			"torchrun needs as many GPUs on each node: %u are not even "
			"over "
			"%u nodes",
			gpus, a->lo);
	if (torchrun && a->tasks && a->lo == a->hi && a->tasks % a->lo)
		return clash(d, KEY_NTASKS, "use a multiple of nodes",
			"torchrun needs as many workers on each node: %u are not even "
			"over %u nodes",
			a->tasks, a->lo);
	return 0;
}

static int check_memory(struct draft *d, const struct weft_resources *r)
{
	struct ask *a = d->a;
	int n = (r->mem != 0) + (r->mem_per_cpu != 0) + (r->mem_per_gpu != 0);

	if (n > 1)
		return clash(d, r->mem ? KEY_MEM : KEY_MEM_PER_CPU, "write one of them",
			"mem, mem_per_cpu and mem_per_gpu exclude each other");
	if (r->mem_per_gpu && a->gpu_mode == GPUS_NONE)
		return clash(d, KEY_MEM_PER_GPU,
			"use mem or mem_per_cpu, or ask for GPUs",
			"mem_per_gpu without GPUs");
	if (r->cpus_per_gpu && a->gpu_mode == GPUS_NONE)
		return clash(d, KEY_CPUS_PER_GPU, "use cpus_per_task, or ask for GPUs",
			"cpus_per_gpu without GPUs");
	if (r->cpus_per_gpu && r->cpus_per_task)
		return clash(d, KEY_CPUS_PER_GPU, "write one of them",
			"cpus_per_task and cpus_per_gpu exclude each other");
	a->mem = r->mem;
	a->mem_cpu = r->mem_per_cpu;
	a->mem_gpu = r->mem_per_gpu;
	a->mem_key = r->mem_per_cpu   ? KEY_MEM_PER_CPU
		     : r->mem_per_gpu ? KEY_MEM_PER_GPU
				      : KEY_MEM;
	a->cpus_gpu = r->cpus_per_gpu;
	a->cpus_task = r->cpus_per_task ? r->cpus_per_task : 1;
	return 0;
}

static const char *copy(struct weft_arena *arena, const char *s, bool *bad)
{
	const char *c = s && *s ? weft_arena_strdup(arena, s) : "";

	*bad |= !c;
	return c ? c : "";
}

int ask_make(struct ask *a, const struct weft_resources *r, enum weft_launch launch,
	struct weft_arena *arena, enum ask_key *key, struct weft_err *err)
{
	struct draft d = {.a = a, .key = key, .err = err};
	bool torchrun = launch == WEFT_LAUNCH_TORCHRUN, bad = false;

	memset(a, 0, sizeof(*a));
	*key = KEY_NONE;
	a->launch = launch;
	a->partition = copy(arena, r->partition, &bad);
	a->gpu_type = copy(arena, r->gpu_type, &bad);
	a->constraint = copy(arena, r->constraint, &bad);
	a->exclude = copy(arena, r->exclude, &bad);
	a->nodelist = copy(arena, r->nodelist, &bad);
	a->licenses = copy(arena, r->licenses, &bad);
	a->gres = a->account = a->qos = a->reservation = a->role_partition = "";
	if (bad)
		return weft_err_nomem(err);
	a->exclusive = r->exclusive;
	a->tmp = r->tmp;
	a->time = r->time;
	a->lo = r->min_nodes;
	a->hi = r->max_nodes ? r->max_nodes : r->min_nodes;
	d.ntasks = r->ntasks;
	d.per_node = r->ntasks_per_node;
	d.gpus = r->gpus;
	d.gpus_node = r->gpus_per_node;
	a->gpus_key = r->gpus_per_node       ? KEY_GPUS_PER_NODE
		      : r->gpus              ? KEY_GPUS
		      : r->gpus_per_task > 0 ? KEY_GPUS_PER_TASK
		      : r->ntasks_per_gpu    ? KEY_NTASKS_PER_GPU
					     : KEY_GPUS;
	a->tasks_key = r->ntasks_per_node ? KEY_NTASKS_PER_NODE : KEY_NTASKS;
	a->many = r->ntasks > 1 || r->ntasks_per_node > 1 || r->min_nodes > 1 ||
		  r->gpus_per_task > 0 || r->ntasks_per_gpu;
	if (r->gres && take_gres(&d, r->gres, arena) < 0)
		return -1;
	if (link_gpus(&d, r) < 0 || tasks_of_gpus(&d) < 0 || nodes_of_gpus(&d) < 0)
		return -1;
	/* torchrun: a worker a GPU, unless it is said otherwise. */
	if (torchrun && !d.ntasks && !d.per_node && !a->gpu_num) {
		d.ntasks = d.gpus_node ? 0 : d.gpus;
		d.per_node = d.gpus_node;
	}
	set_gpu_mode(&d);
	a->tasks = d.ntasks;
	a->task_node = d.per_node ? d.per_node : d.ntasks ? 0 : 1;
	if (set_nodes(&d, torchrun) < 0)
		return -1;
	return check_memory(&d, r);
}

unsigned ask_most_nodes(const struct ask *a)
{
	unsigned most = a->hi ? a->hi : UINT32_MAX;

	if (a->tasks && a->tasks < most)
		most = a->tasks;
	if (a->gpu_mode == GPUS_TOTAL && a->gpus < most)
		most = a->gpus;
	/* What is the same on every node is there from the first on. */
	if (!a->hi && !a->tasks && a->gpu_mode != GPUS_TOTAL)
		most = a->lo;
	return most < a->lo ? a->lo : most;
}

static uint64_t div_up(uint64_t a, uint64_t b)
{
	return (a + b - 1) / b;
}

static uint64_t times(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

bool ask_size(const struct ask *a, unsigned n, struct sized *out)
{
	bool torchrun = a->launch == WEFT_LAUNCH_TORCHRUN;
	uint64_t tasks = a->tasks ? a->tasks : (uint64_t)a->task_node * n, gpus = 0;
	uint64_t tasks_node, gpus_node = 0;

	if (n < 1 || tasks < n || tasks > WEFT_MAX_TASKS)
		return false;
	tasks_node = div_up(tasks, n);
	switch (a->gpu_mode) {
	case GPUS_NONE:
		break;
	case GPUS_TOTAL:
		gpus = a->gpus;
		gpus_node = div_up(gpus, n);
		break;
	case GPUS_NODE:
		gpus_node = a->gpus;
		gpus = gpus_node * n;
		break;
	case GPUS_TASK:
		gpus_node = div_up(tasks_node * a->gpu_num, a->gpu_den);
		gpus = div_up(tasks * a->gpu_num, a->gpu_den);
		/* Tasks that share GPUs round up on each node. */
		if (a->gpu_den > 1)
			gpus = gpus_node * n;
		break;
	}
	if (a->gpu_mode == GPUS_TOTAL && gpus < n)
		return false;
	if (torchrun && (tasks % n || (a->gpu_mode == GPUS_TOTAL && gpus % n)))
		return false;
	if (gpus > WEFT_MAX_TASKS)
		return false;
	*out = (struct sized){.nodes = n,
		.tasks = (unsigned)tasks,
		.tasks_node = (unsigned)tasks_node,
		.gpus = (unsigned)gpus,
		.gpus_node = (unsigned)gpus_node,
		.tasks_gpu = a->tasks_gpu};
	/* What goes with a GPU goes with a part of it in parts. */
	unsigned parts = ask_sharers(a, out);
	uint64_t cpus_task =
		a->cpus_gpu ? div_up(a->cpus_gpu * gpus_node, tasks_node * parts)
			    : a->cpus_task;

	if (cpus_task > UINT32_MAX)
		return false;
	out->cpus_task = (unsigned)cpus_task;
	out->cpus_node = cpus_task * tasks_node;
	out->mem = a->mem_cpu   ? times(a->mem_cpu, out->cpus_node)
		   : a->mem_gpu ? times(a->mem_gpu, gpus_node) / parts
				: a->mem;
	out->in_memory = a->in_memory;
	if (out->mem && __builtin_add_overflow(out->mem, a->in_memory, &out->mem))
		out->mem = UINT64_MAX;
	return true;
}

enum weft_launch ask_launch(const struct ask *a, const struct sized *s)
{
	if (a->launch != WEFT_LAUNCH_DEFAULT)
		return a->launch;
	return a->many && s->tasks > 1 ? WEFT_LAUNCH_SRUN : WEFT_LAUNCH_SINGLE;
}

unsigned ask_sharers(const struct ask *a, const struct sized *s)
{
	bool alone = s->tasks == 1 && ask_launch(a, s) == WEFT_LAUNCH_SINGLE;

	return alone && s->gpus && s->tasks_gpu ? s->tasks_gpu : 1;
}
