/* stage_bcast.c - weft stage bcast: to all nodes of a job, or to hosts; and the half of
 * it that runs there */
#include "cmd_stage.h"

#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/engine.h"
#include "wire/link.h"

#define MAX_HOSTS 100000

struct args {
	struct stage_args stage;
	const char *hosts, *nodes, *launcher, *address;
	int64_t deadline, start, silence;
	bool tree;
	bool send; /* for the engine: as it stages, and says */
	/* receive; send: name of the input */
	const char *from, *context, *name;
	bool key_in;
};

enum {
	REPLACE = 1,
	DURABLE,
	SPECIAL,
	NO_RECORD,
	JSON,
	NODES,
	HOSTS,
	LAUNCHER,
	ADDRESS,
	DEADLINE,
	START,
	SILENCE,
	TREE,
	CACHE,
	FOLDER,
	WRITABLE,
	FROM,
	CONTEXT,
	NAME,
	KEY_IN
};

static const struct option options[] = {{"replace", no_argument, NULL, REPLACE},
	{"durable", required_argument, NULL, DURABLE},
	{"special", required_argument, NULL, SPECIAL},
	{"no-record", no_argument, NULL, NO_RECORD}, {"json", no_argument, NULL, JSON},
	{"nodes", required_argument, NULL, NODES},
	{"hosts", required_argument, NULL, HOSTS},
	{"launcher", required_argument, NULL, LAUNCHER},
	{"address", required_argument, NULL, ADDRESS},
	{"deadline", required_argument, NULL, DEADLINE},
	{"start", required_argument, NULL, START},
	{"silence", required_argument, NULL, SILENCE},
	{"tree", no_argument, NULL, TREE}, {"cache", no_argument, NULL, CACHE},
	{"dir", required_argument, NULL, FOLDER}, {"quiet", no_argument, NULL, 'q'},
	{NULL, 0, NULL, 0}};
static const struct option send_options[] = {{"nodes", required_argument, NULL, NODES},
	{"dir", required_argument, NULL, FOLDER},
	{"name", required_argument, NULL, NAME},
	{"writable", no_argument, NULL, WRITABLE}, {NULL, 0, NULL, 0}};
static const struct option receive_options[] = {{"from", required_argument, NULL, FROM},
	{"context", required_argument, NULL, CONTEXT},
	{"name", required_argument, NULL, NAME},
	{"silence", required_argument, NULL, SILENCE},
	{"key-in", no_argument, NULL, KEY_IN}, {NULL, 0, NULL, 0}};

static int usage(const char *what)
{
	return cmd_usage(cmd_verb("stage"), "%s", what);
}

/* One of these words; -1: none. */
static int word_of(const char *const *words)
{
	for (int i = 0; words[i]; i++)
		if (weft_streq(words[i], optarg))
			return i;
	return -1;
}

static int take_word(struct args *a, int c)
{
	static const char *const durables[] = {"data", "full", "none", NULL};
	static const char *const specials[] = {"refuse", "skip", "copy", NULL};
	int which = word_of(c == DURABLE ? durables : specials);

	if (which < 0)
		return usage(c == DURABLE ? "--durable is data, full or none"
					  : "--special is refuse, skip or copy");
	if (c == DURABLE)
		a->stage.opt.durable = (enum weft_stage_durable)which;
	else
		a->stage.opt.special = (enum weft_stage_special)which;
	return 0;
}

static int take_time(struct args *a, int c)
{
	int64_t *to = c == DEADLINE ? &a->deadline
		      : c == START  ? &a->start
				    : &a->silence;
	const char *why;

	if (!weft_parse_duration(optarg, to, &why))
		return cmd_usage(cmd_verb("stage"), "%s: %s", optarg, why);
	return 0;
}

static int take_option(struct args *a, int c)
{
	switch (c) {
	case REPLACE:
		a->stage.opt.replace = true;
		break;
	case DURABLE:
	case SPECIAL:
		return take_word(a, c);
	case NO_RECORD:
		a->stage.opt.manifest = false;
		break;
	case JSON:
		a->stage.json = true;
		break;
	case NODES:
		a->nodes = optarg;
		break;
	case HOSTS:
		a->hosts = optarg;
		break;
	case LAUNCHER:
		a->launcher = optarg;
		break;
	case ADDRESS:
		a->address = optarg;
		break;
	case DEADLINE:
	case START:
	case SILENCE:
		return take_time(a, c);
	case TREE:
		a->tree = true;
		break;
	case CACHE:
		a->stage.cache = true;
		break;
	case FOLDER:
		a->stage.dir = optarg;
		break;
	case WRITABLE:
		a->stage.opt.writable = true;
		break;
	case FROM:
		a->from = optarg;
		break;
	case CONTEXT:
		a->context = optarg;
		break;
	case NAME:
		a->name = optarg;
		break;
	case KEY_IN:
		a->key_in = true;
		break;
	default:
		a->stage.quiet = true;
	}
	return 0;
}

/* 1: go on; else the verb's status is *status. */
static int parse(
	struct args *a, int argc, char **argv, const struct option *opts, int *status)
{
	int c;

	cmd_getopt_start();
	while ((c = cmd_getopt(cmd_verb("stage"), argc, argv, "q", opts, status)) !=
		-1) {
		if (c != -2)
			*status = take_option(a, c);
		if (c == -2 || *status)
			return 0;
	}
	return 1;
}

struct bcast {
	struct args *a;
	struct weft_stage_cast cast;
	struct weft_auth *auth;
	struct weft_argv start;
	char **host;
	size_t n;
	unsigned *at_switch;
	char *weft, *dst;
	struct weft_stage_node *node;
};

/* One srun that starts one task a node, beside whatever the job runs; a node that fails
 * must not take the others with it. */
static int by_srun(struct bcast *b, const char *list, struct weft_err *err)
{
	struct weft_argv *a = &b->start;

	static const char *const word[] = {"srun", "--overlap", "--mem=0",
		"--gres=none", "--mpi=none", "--quiet", "--input=none", "--no-kill",
		"--kill-on-bad-exit=0", "--wait=0", "--export=ALL",
		"--ntasks-per-node=1", "--cpus-per-task=1", "--job-name=stage-bcast"};

	for (size_t i = 0; i < WEFT_COUNT(word); i++)
		weft_argv_add(a, word[i]);
	weft_argv_addf(a, "--nodes=%zu", b->n);
	weft_argv_addf(a, "--ntasks=%zu", b->n);
	weft_argv_addf(a, "--nodelist=%s", list);
	b->cast.once = a->v;
	return a->failed ? weft_err_nomem(err) : 0;
}

static int by_launcher(struct bcast *b, struct weft_err *err)
{
	const char *words = b->a->launcher ? b->a->launcher : "ssh";
	weft_autofree char *copy = strdup(words);
	char *save = NULL;

	for (char *w = copy ? strtok_r(copy, " \t", &save) : NULL; w;
		w = strtok_r(NULL, " \t", &save))
		weft_argv_add(&b->start, w);
	if (!copy || b->start.failed)
		return weft_err_nomem(err);
	if (!b->start.n)
		return weft_err_set(err, WEFT_EUSAGE, "--launcher is empty");
	b->cast.each = b->start.v;
	return 0;
}

static int nodes(struct bcast *b, struct weft_err *err)
{
	const char *job = getenv("SLURM_JOB_NODELIST");
	const char *list = b->a->hosts ? b->a->hosts : b->a->nodes ? b->a->nodes : job;

	if (b->a->hosts && b->a->nodes)
		return weft_err_set(err, WEFT_EUSAGE,
			"--nodes are the job's, --hosts are others: one of the two");
	if (!b->a->hosts && !job) {
		weft_err_set(err, WEFT_EUSAGE, "not in a Slurm job");
		return weft_err_hint(err, "name hosts by --hosts, or run it in a job");
	}
	if (weft_hostlist_expand(list, MAX_HOSTS, &b->host, &b->n, err))
		return -1;
	for (size_t i = 0; i < b->n; i++)
		for (size_t k = 0; k < i && b->n < 1000; k++)
			if (weft_streq(b->host[i], b->host[k]))
				return weft_err_set(err, WEFT_EUSAGE,
					"%s is named twice", b->host[i]);
	return b->a->hosts ? by_launcher(b, err) : by_srun(b, list, err);
}

/* The name there: whole, and with the source's own behind a folder. */
static int destination(
	struct bcast *b, const char *src, const char *dst, struct weft_err *err)
{
	size_t len = strlen(dst);
	weft_autofree char *cwd = getcwd(NULL, 0);
	weft_autofree char *real = NULL, *to = NULL;

	if (!len)
		return weft_err_set(err, WEFT_EUSAGE, "an empty destination");
	if (dst[len - 1] == '/') {
		real = realpath(src, NULL);
		if (!real)
			return weft_err_sys(err, WEFT_ESTAGE, "%s", src);
		to = weft_printf("%s%s", dst, strrchr(real, '/') + 1);
	} else {
		to = strdup(dst);
	}
	b->dst = to && cwd ? weft_path_absolute(cwd, to) : NULL;
	return b->dst ? 0 : weft_err_nomem(err);
}

static json_t *node_json(const struct weft_stage_node *n)
{
	return json_pack("{s:s, s:b, s:b, s:s?, s:o*, s:I, s:I, s:s?, s:f}", "name",
		n->name, "done", n->done, "there", n->there, "from", n->from, "why",
		n->why ? weft_report_json_text(n->why) : NULL, "bytes",
		(json_int_t)n->bytes, "files", (json_int_t)n->files, "hash",
		*n->hash ? n->hash : NULL, "seconds", n->seconds);
}

static int tell_json(const struct bcast *b, const char *src,
	const struct weft_stage_report *r, const struct weft_err *err)
{
	weft_autofree char *why = err->code ? weft_err_line(err) : NULL;
	json_t *all = json_array(), *root;
	struct weft_str out = {0};
	size_t failed = 0;

	for (size_t i = 0; i < b->n; i++) {
		json_array_append_new(all, node_json(&b->node[i]));
		failed += !b->node[i].done;
	}
	root = json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:s?, "
			 "s:o*, s:I, s:I, s:f, s:o}",
		"source", weft_report_json_text(src), "destination",
		weft_report_json_text(b->dst), "bytes", (json_int_t)r->bytes, "files",
		(json_int_t)r->files, "moved", (json_int_t)r->moved, "resumed",
		(json_int_t)r->resumed, "cached", (json_int_t)r->cached, "folders",
		(json_int_t)r->folders, "strategy", r->strategy ? r->strategy : "none",
		"why", r->why ? r->why : "", "hash", *r->hash ? r->hash : NULL, "error",
		why ? weft_report_json_text(why) : NULL, "retries",
		(json_int_t)r->retries, "failed", (json_int_t)failed, "seconds",
		r->seconds, "nodes", all);
	if (weft_report_json(root, 0, &out))
		out.failed = true;
	return cmd_print(&out);
}

/* As nodes tell the engine. */
static int tell_engine(const struct bcast *b)
{
	struct weft_str out = {0};
	uint64_t moved = 0;

	for (size_t i = 0; i < b->n; i++) {
		moved += b->node[i].bytes;
		weft_str_printf(&out, "hash in %s %s\n", b->a->name, b->node[i].hash);
	}
	weft_str_printf(&out, "moved %ju\n", (uintmax_t)moved);
	return cmd_print(&out);
}

static int tell_text(const struct bcast *b, const struct weft_stage_report *r)
{
	char bytes[WEFT_UNIT_MAX], rate[WEFT_UNIT_MAX];
	struct weft_str out = {0};
	size_t done = 0;

	for (size_t i = 0; i < b->n; i++) {
		done += b->node[i].done;
		if (!b->node[i].done)
			fprintf(stderr, "weft stage: %s: %s\n", b->node[i].name,
				b->node[i].why ? b->node[i].why
					       : "it was not done in the end");
	}
	if (b->a->stage.quiet)
		return 0;
	weft_format_size(bytes, r->bytes);
	weft_format_size(
		rate, r->seconds > 0 ? (uint64_t)((double)r->bytes / r->seconds) : 0);
	weft_report_text(&out, b->dst);
	weft_str_printf(&out,
		": on %zu of %zu nodes, %llu files, %s, %s, %.2f s, %s/s\n", done, b->n,
		(unsigned long long)r->files, bytes, r->strategy ? r->strategy : "none",
		r->seconds, rate);
	return cmd_print(&out);
}

/* An input's place on a node is the engine's to choose. */
static int may_write(struct bcast *b, struct weft_err *err)
{
	const struct weft_conf *conf = b->a->stage.conf;
	char *const own[] = {conf->scratch, conf->memory};
	weft_autofree char *real = NULL;
	int in = b->a->send ? weft_stage_within(b->dst, own, 2, &real, err) : 0;

	if (in < 0)
		return -1;
	return in ? 0 : weft_engine_may_write(conf, cmd_user(), b->dst, err);
}

static int broadcast(struct bcast *b, const char *src, const char *dst)
{
	struct args *a = b->a;
	struct weft_stage_report report = {0};
	struct weft_err err = {0};
	int status;

	b->weft = cmd_path_on_nodes(a->stage.conf);
	if (!b->weft)
		weft_err_nomem(&err);
	if (err.code || nodes(b, &err) || destination(b, src, dst, &err) ||
		weft_engine_may_read(a->stage.conf, cmd_user(), src, &err) ||
		may_write(b, &err) ||
		weft_auth_new(&b->auth, getenv("MUNGE_SOCKET"), &err))
		return stage_fail(&a->stage, &err);
	b->node = calloc(b->n + 1, sizeof(*b->node));
	if (!b->node) {
		weft_err_nomem(&err);
		return stage_fail(&a->stage, &err);
	}
	b->cast.host = b->host;
	b->cast.n_hosts = b->n;
	b->at_switch = weft_cluster_switches(b->host, b->n);
	b->cast.at_switch = b->at_switch;
	b->cast.auth = b->auth;
	b->cast.weft = b->weft;
	b->cast.address = a->address;
	b->cast.deadline = (double)a->deadline;
	b->cast.start = (double)a->start;
	b->cast.silence = (double)a->silence;
	b->cast.tree = a->tree;
	if (a->stage.node) {
		b->cast.cache = weft_stage_cache_path(a->stage.node);
		b->cast.cache_limits =
			(struct weft_stage_limits){a->stage.conf->node_cache_bytes,
				a->stage.conf->node_cache_files};
		b->cast.cache_check = a->stage.check;
	}
	a->stage.opt.arg = b->dst;
	int rc = weft_stage_broadcast(
		src, b->dst, &b->cast, &a->stage.opt, b->node, &report, &err);
	stage_clear_progress(&a->stage);
	status = rc ? (err.code <= WEFT_EINTR ? (int)err.code : WEFT_EUSAGE) : 0;
	int told = a->stage.json    ? tell_json(b, src, &report, &err)
		   : a->send && !rc ? tell_engine(b)
				    : tell_text(b, &report);
	if (rc && !a->stage.json)
		cmd_fail(&err);
	weft_err_clear(&err);
	return status ? status : told;
}

/* Pieces come and go by the thousand: their memory is kept, not mapped anew for each.
 */
static void keep_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, 4 << 20);
	mallopt(M_TRIM_THRESHOLD, 256 << 20);
	mallopt(M_TOP_PAD, 8 << 20);
}

static int run(struct args *a, char **argv)
{
	struct bcast b = {.a = a};
	int status;

	keep_memory();
	status = stage_open_conf(&a->stage, a->stage.cache);
	if (status == 0)
		status = broadcast(&b, argv[0], argv[1]);
	weft_auth_free(b.auth);
	weft_argv_free(&b.start);
	if (b.host)
		weft_hostlist_free(b.host, b.n);
	for (size_t i = 0; b.node && i < b.n; i++)
		free(b.node[i].why);
	free(b.node);
	free(b.at_switch);
	free(b.weft);
	free(b.dst);
	weft_stage_cache_close(a->stage.node);
	weft_conf_free(a->stage.conf);
	return status;
}

int stage_bcast(int argc, char **argv)
{
	struct args a = {.stage = {.opt = {.archive = true,
					   .manifest = true,
					   .stop = &stage_stop}}};
	int status = 0;

	if (!parse(&a, argc, argv, options, &status))
		return status;
	if (argc - optind != 2)
		return usage("bcast: one source and one destination");
	if (!a.stage.json && !a.stage.quiet && isatty(2))
		a.stage.opt.progress = stage_show_progress;
	return run(&a, argv + optind);
}

/* An input of a step, from the cache of this node, which the engine isn't on. */
int stage_send(int argc, char **argv)
{
	struct args a = {
		.stage = {.opt = {.stop = &stage_stop}, .cache = true, .quiet = true},
		.send = true};
	int status = 0;

	if (!parse(&a, argc, argv, send_options, &status))
		return status;
	if (argc - optind != 2 || !a.nodes || !a.name)
		return usage("send: what, and to whom?");
	return run(&a, argv + optind);
}

/* ---- there ------------------------------------------------------------------- */

static int key(struct weft_auth **auth, bool from_input, struct weft_err *err)
{
	char line[512];

	if (!from_input)
		return weft_auth_from_env(auth, err);
	if (!fgets(line, sizeof(line), stdin))
		return weft_err_set(err, WEFT_ESYS, "no key on standard input");
	line[strcspn(line, "\n")] = '\0';
	int r = weft_auth_parse(auth, line, err);
	explicit_bzero(line, sizeof(line));
	return r;
}

int stage_receive(int argc, char **argv)
{
	struct args a = {.name = getenv("SLURMD_NODENAME"), .silence = 5};
	weft_autofree char *host = NULL;
	struct weft_auth *auth = NULL;
	struct weft_err err = {0};
	const char *colon;
	int64_t port;
	int status = 0;

	if (!parse(&a, argc, argv, receive_options, &status))
		return status;
	colon = a.from ? strrchr(a.from, ':') : NULL;
	if (!colon || !weft_parse_int(colon + 1, 1, 65535, &port) || !a.context ||
		!a.name)
		return usage("receive: from where?");
	keep_memory();
	/* Under srun: where that runs. */
	const char *launch = getenv("SLURM_LAUNCH_NODE_IPADDR");
	host = colon == a.from && launch ? strdup(launch)
					 : strndup(a.from, (size_t)(colon - a.from));
	if (!host)
		weft_err_nomem(&err);
	if (err.code || key(&auth, a.key_in, &err) ||
		weft_stage_receive(auth, host, (unsigned)port, a.context, a.name,
			(double)a.silence, &stage_stop, &err))
		status = cmd_fail(&err);
	weft_auth_free(auth);
	return status;
}
