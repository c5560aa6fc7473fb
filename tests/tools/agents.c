/* agents.c - for a bench: how many ends of members an engine takes in a second.
 *
 *   agents FOLDER MEMBERS AGENTS CPUS
 *
 * The engine is the real one, on a run in FOLDER.  What it starts as `srun` is this
 * program again, which is all of its agents at once: each takes orders for its CPUs,
 * says of each member at once that it has ended, and has it recorded.  None begins
 * before all have as much as they can take, so the first members end all at once.
 * Their records, each agent's in its own file, are synced together, as those of many
 * nodes would be.  Their nodes' models are known, so that CPUs are placed.  Prints
 * members, seconds from the first end to the last one that the
 * engine knows of, and the CPU seconds of the engine in all. */
#include "engine/order.h"
#include "wire/link.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOB "1"

static char *node_name(size_t i)
{
	return weft_printf("n%05zu", i);
}

static int fail(const char *what, struct weft_err *err)
{
	weft_autofree char *line = weft_err_line(err);

	fprintf(stderr, "agents: %s: %s\n", what, line ? line : "?");
	return 1;
}

/* ---- the agents ---------------------------------------------------------- */

struct all;

struct one {
	struct all *all;
	char *name, *allowed;
	struct weft_link *link;
	struct weft_recorder *recorder;
	struct weft_str results; /* frames, each behind its length */
	size_t taken;
};

struct all {
	struct weft_loop *loop;
	struct weft_run *run;
	struct weft_workflow *wf;
	struct one *one;
	size_t n, cpus, full;
	size_t open; /* links */
	double begun, ended;
	int fs; /* where the records are */
	struct weft_soon soon;
};

static void put_framed(struct weft_str *out, const struct weft_str *frame)
{
	weft_str_addn(out, (const char *)&frame->len, sizeof(frame->len));
	weft_str_addn(out, frame->s, frame->len);
}

static void send_framed(struct one *o)
{
	for (size_t at = 0; at < o->results.len;) {
		size_t n;

		memcpy(&n, o->results.s + at, sizeof(n));
		at += sizeof(n);
		weft_link_send(o->link, ORDER_RESULT, o->results.s + at, n);
		at += n;
	}
	o->results.len = 0;
}

/* All that have ended since: freed, recorded, told. */
static void complete(void *arg)
{
	struct all *a = arg;
	struct weft_err err = {0};
	bool any = false;

	if (!a->begun)
		a->begun = weft_monotonic();
	for (size_t i = 0; i < a->n; i++)
		if (weft_recorder_pending(a->one[i].recorder)) {
			any = true;
			if (weft_recorder_begin(a->one[i].recorder, &err))
				exit(fail("records", &err));
		}
	if (any && syncfs(a->fs)) {
		weft_err_sys(&err, WEFT_ESYS, "syncfs");
		exit(fail("records", &err));
	}
	for (size_t i = 0; i < a->n; i++)
		if (weft_recorder_pending(a->one[i].recorder)) {
			weft_recorder_end(a->one[i].recorder, true);
			send_framed(&a->one[i]);
		}
}

static int end_member(struct one *o, const struct order_start *s, struct weft_err *err)
{
	const struct weft_workflow *wf = o->all->wf;
	weft_autostr struct weft_str frame = {0}, freed = {0};
	struct weft_member m;

	if (weft_sweep_member(wf, &wf->step[s->step], s->member, &m, err))
		return -1;
	double now = weft_now();
	const struct weft_record rec = {.state = WEFT_STATE_DONE,
		.step = (char *)wf->step[s->step].name,
		.member = m.id,
		.index = s->member,
		.attempt = s->attempt,
		.reason = (char *)"",
		.job = (char *)JOB,
		.hosts = o->name,
		.started = now,
		.ended = now,
		.user_seconds = 0.001,
		.max_rss = 1 << 20};
	const struct order_result res = {.tag = s->tag,
		.state = WEFT_STATE_DONE,
		.attempt = s->attempt,
		.ended = now,
		.cause = ""};
	int bad = weft_recorder_add(o->recorder, &rec, err);

	weft_member_clear(&m);
	if (bad || order_put_tag(&freed, s->tag) || order_put_result(&frame, &res))
		return bad ? bad : weft_err_nomem(err);
	put_framed(&o->results, &frame);
	if (o->all->begun)
		weft_link_send(o->link, ORDER_FREE, freed.s, freed.len);
	return 0;
}

static void on_frame(
	void *arg, struct weft_link *link, unsigned type, void *data, size_t n)
{
	struct weft_err err = {0};
	struct one *o = arg;
	struct all *a = o->all;
	struct order_start s;

	(void)link;
	if (type != ORDER_START)
		return;
	if (!order_get_start(data, n, &s) || end_member(o, &s, &err))
		exit(fail("an order", &err));
	if (++o->taken == a->cpus)
		a->full++;
	if (a->full == a->n)
		weft_loop_soon(a->loop, &a->soon);
}

/* Two packages, so that there is something to place. */
static void print_model(struct weft_str *out, size_t cpus)
{
	size_t half = cpus / 2 ? cpus / 2 : 1, n = cpus > half ? 2 : 1;

	weft_str_printf(out,
		"weft-topology 1\nhost any\n"
		"size packages=%zu l3=%zu cores=%zu cpus=%zu numa=%zu gpus=0 nics=0\n",
		n, n, cpus, cpus, n);
	for (size_t i = 0; i < n; i++)
		weft_str_printf(out,
			"numa %zu os=%zu kind=dram bytes=8388608000 cpus=%zu-%zu\n", i,
			i, i * half, i + 1 < n ? half - 1 : cpus - 1);
	for (size_t i = 0; i < cpus; i++) {
		size_t k = n > 1 && i >= half;

		weft_str_printf(out, "core %zu package=%zu numa=%zu l3=%zu cpus=%zu\n",
			i, k, k, k, i);
	}
	weft_str_add(out, "end\n");
}

static void on_open(void *arg, struct weft_link *link)
{
	struct one *o = arg;
	weft_autostr struct weft_str frame = {0}, model = {0};
	const struct order_hello h = {.node = o->name, .allowed = o->allowed};

	print_model(&model, o->all->cpus);
	if (!model.failed)
		weft_link_send(link, ORDER_MODEL, model.s, model.len);
	if (order_put_hello(&frame, &h) == 0)
		weft_link_send(link, ORDER_HELLO, frame.s, frame.len);
}

static void on_closed(void *arg, struct weft_link *link, const struct weft_err *why)
{
	struct one *o = arg;

	(void)link;
	if (why->code)
		fprintf(stderr, "agents: %s: %s\n", o->name, why->text);
	if (!o->all->ended)
		o->all->ended = weft_monotonic();
	if (!--o->all->open)
		weft_loop_stop(o->all->loop);
}

static int open_one(struct all *a, size_t i, const struct weft_engine *e,
	const char *host, unsigned port, const struct weft_link_options *opt,
	struct weft_err *err)
{
	struct weft_link_options own = *opt;
	struct one *o = &a->one[i];

	o->all = a;
	o->name = node_name(i);
	o->allowed = weft_printf("0-%zu", a->cpus - 1);
	weft_autofree char *writer = o->name ? order_writer(e, o->name) : NULL;
	own.arg = o;
	if (!o->allowed || !writer)
		return weft_err_nomem(err);
	return weft_recorder_open(a->run, writer, &o->recorder, err) ||
	       weft_link_connect(&o->link, a->loop, host, port, &own, err);
}

/* Called as the engine calls srun. */
static int agents(int argc, char **argv)
{
	static const struct weft_link_events events = {
		.open = on_open, .frame = on_frame, .closed = on_closed};
	const char *n = getenv("BENCH_AGENTS"), *cpus = getenv("BENCH_CPUS");
	struct weft_errs errs = {0};
	struct weft_err err = {0};
	struct weft_auth *auth;
	struct all a = {0};
	char host[256];
	unsigned port = 0;

	for (int i = 1; i < argc; i++)
		if (sscanf(argv[i], "--connect=%255[^:]:%u", host, &port) == 2)
			break;
	if (!port || !n || !cpus || weft_run_open(argv[argc - 1], NULL, &a.run, &err))
		return fail(argv[argc - 1], &err);
	if (weft_run_workflow(a.run, &a.wf, &errs))
		return fail("workflow", &errs.v[0]);
	a.n = strtoul(n, NULL, 10);
	a.cpus = strtoul(cpus, NULL, 10);
	a.one = calloc(a.n, sizeof(*a.one));
	a.fs = open(a.run->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	a.soon = (struct weft_soon){.fn = complete, .arg = &a};
	const struct weft_engine e = {.run = a.run, .job = JOB};
	weft_autofree char *context = order_context(&e);
	if (!a.one || !context || a.fs < 0 || weft_auth_from_env(&auth, &err) ||
		weft_loop_new(&a.loop, &err))
		return fail("setting up", &err);
	const struct weft_link_options opt = {.auth = auth,
		.context = context,
		.on = &events,
		.patience = 60,
		.keepalive = ORDER_KEEPALIVE,
		.deadline = ORDER_DEADLINE};
	for (size_t i = 0; i < a.n; i++)
		if (open_one(&a, i, &e, host, port, &opt, &err))
			return fail("connecting", &err);
	a.open = a.n;
	weft_loop_run(a.loop);
	for (size_t i = 0; i < a.n; i++) {
		weft_link_free(a.one[i].link);
		weft_recorder_close(a.one[i].recorder);
		weft_str_free(&a.one[i].results);
		free(a.one[i].name);
		free(a.one[i].allowed);
	}
	weft_autofree char *said = weft_path_join(a.run->dir, "seconds");
	FILE *out = said ? fopen(said, "w") : NULL;
	if (out) {
		fprintf(out, "%.6f\n", a.ended - a.begun);
		fclose(out);
	}
	close(a.fs);
	free(a.one);
	weft_loop_free(a.loop);
	weft_auth_free(auth);
	weft_spec_free(a.wf);
	weft_run_free(a.run);
	return out ? 0 : 1;
}

/* ---- the engine ---------------------------------------------------------- */

/* A folder that has this program as srun comes first in PATH. */
static int be_srun(const char *folder, const char *self)
{
	weft_autofree char *bin = weft_path_join(folder, "bin");
	weft_autofree char *srun = bin ? weft_path_join(bin, "srun") : NULL;
	weft_autofree char *path = weft_printf("%s:%s", bin, getenv("PATH"));

	return !srun || !path || mkdir(bin, 0755) || symlink(self, srun) ||
	       setenv("PATH", path, 1);
}

static int run_engine(struct weft_engine *e, size_t agents, unsigned cpus)
{
	struct weft_engine_node *node = calloc(agents, sizeof(*node));
	struct weft_err err = {0};
	double seconds = 0;
	struct rusage use;

	if (!node)
		return 1;
	for (size_t i = 0; i < agents; i++)
		node[i] = (struct weft_engine_node){.name = node_name(i), .cpus = cpus};
	e->node = node;
	e->n_nodes = agents;
	int code = weft_engine_run(e, &err);
	if (code)
		return fail("the engine", &err);
	getrusage(RUSAGE_SELF, &use);
	weft_autofree char *said = weft_path_join(e->run->dir, "seconds");
	FILE *in = said ? fopen(said, "r") : NULL;
	if (!in || fscanf(in, "%lf", &seconds) != 1)
		return fail("no time was taken", &err);
	fclose(in);
	printf("%zu %.3f %.3f\n", e->wf->step[0].sweep.count, seconds,
		(double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
			(double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6);
	for (size_t i = 0; i < agents; i++)
		free((char *)node[i].name);
	free(node);
	return 0;
}

int main(int argc, char **argv)
{
	const char *base = strrchr(argv[0], '/');
	struct weft_errs errs = {0};
	struct weft_err err = {0};
	struct weft_workflow *wf;
	struct weft_conf *conf;
	struct weft_run *run;

	if (weft_streq(base ? base + 1 : argv[0], "srun"))
		return agents(argc, argv);
	if (argc != 5)
		return 2;
	weft_autofree char *self = weft_self_path();
	weft_autofree char *runs = weft_path_join(argv[1], "runs");
	weft_autofree char *file = weft_path_join(argv[1], "agents.yaml");
	weft_autofree char *text = weft_printf(
		"name: agents\nparams: {i: {range: [1, %s]}}\n"
		"steps:\n  - {name: sim, sweep: [i], command: [/bin/true]}\n",
		argv[2]);
	if (!self || !runs || !file || !text || be_srun(argv[1], self) ||
		setenv("BENCH_AGENTS", argv[3], 1) || setenv("BENCH_CPUS", argv[4], 1))
		return fail("setting up", &err);
	if (weft_spec_parse(file, text, strlen(text), NULL, &wf, &errs))
		return fail(file, &errs.v[0]);
	struct weft_run_new def = {.parent = runs,
		.name = "agents",
		.file = file,
		.dir = argv[1],
		.source = text,
		.source_len = strlen(text),
		.plan_json = "{}",
		.n_steps = 1};
	struct weft_plan_step step = {.name = "sim",
		.partition = "",
		.launch = WEFT_LAUNCH_SINGLE,
		.nodes = 1,
		.ntasks = 1,
		.ntasks_per_node = 1,
		.cpus_per_task = 1,
		.time = 60};
	const struct weft_plan plan = {.step = &step, .n_steps = 1};
	if (weft_run_create(&def, &run, &err) ||
		weft_conf_load(NULL, false, &conf, &err))
		return fail("run", &err);
	struct weft_engine e = {.run = run,
		.wf = wf,
		.plan = &plan,
		.conf = conf,
		.slurm = true,
		.weft = "weft",
		.job = JOB,
		.shared = true};
	int bad = run_engine(
		&e, strtoul(argv[3], NULL, 10), (unsigned)strtoul(argv[4], NULL, 10));
	weft_conf_free(conf);
	weft_spec_free(wf);
	weft_run_free(run);
	return bad;
}
