/* cmd_cluster.c - `weft cluster`: what there is, and how much of it is free */
#include "command.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A partition's nodes, added up; nodes that are down count only as such. */
struct sum {
	unsigned nodes[WEFT_NODE_DOWN + 1];
	unsigned cpus, cpus_free;
	uint64_t mem_min, mem_max;
	struct weft_gpus gpus[WEFT_CLUSTER_MAX_GPU_TYPES];
	size_t n_gpu_types;
};

static void add_gpus(struct sum *s, const struct weft_node *n)
{
	for (size_t i = 0; i < n->n_gpu_types; i++) {
		size_t j = 0;

		while (j < s->n_gpu_types &&
			!weft_streq(s->gpus[j].type, n->gpus[i].type))
			j++;
		if (j == WEFT_CLUSTER_MAX_GPU_TYPES)
			continue;
		if (j == s->n_gpu_types)
			s->gpus[s->n_gpu_types++] =
				(struct weft_gpus){n->gpus[i].type, 0, 0};
		s->gpus[j].count += n->gpus[i].count;
		s->gpus[j].used += n->gpus[i].used;
	}
}

static void add_up(
	const struct weft_cluster *c, const struct weft_partition *p, struct sum *s)
{
	*s = (struct sum){0};
	for (size_t i = 0; i < p->n_nodes; i++) {
		const struct weft_node *n = &c->node[p->node[i]];

		s->nodes[n->state]++;
		if (n->state == WEFT_NODE_DOWN)
			continue;
		s->cpus += n->cpus;
		s->cpus_free += n->cpus - n->cpus_used;
		if (!s->mem_max || n->mem < s->mem_min)
			s->mem_min = n->mem;
		if (n->mem > s->mem_max)
			s->mem_max = n->mem;
		add_gpus(s, n);
	}
}

static const char *gpus_text(struct weft_arena *a, const struct sum *s)
{
	weft_autostr struct weft_str out = {0};

	for (size_t i = 0; i < s->n_gpu_types; i++) {
		const struct weft_gpus *g = &s->gpus[i];

		weft_str_printf(&out, "%s%s %u/%u", i ? ", " : "",
			*g->type ? g->type : "gpu", g->count - g->used, g->count);
	}
	return out.failed ? NULL : weft_arena_strdup(a, out.len ? out.s : "-");
}

static const char *mem_text(struct weft_arena *a, const struct sum *s)
{
	char lo[WEFT_UNIT_MAX], hi[WEFT_UNIT_MAX];

	if (!s->mem_max)
		return "-";
	weft_format_size(lo, s->mem_min);
	weft_format_size(hi, s->mem_max);
	if (weft_streq(lo, hi))
		return weft_arena_strdup(a, lo);
	return weft_arena_printf(a, "%s-%s", lo, hi);
}

/* The table borrows its cells: they live in the arena. */
static int add_row(struct weft_table *t, struct weft_arena *a,
	const struct weft_cluster *c, const struct weft_partition *p)
{
	char limit[WEFT_UNIT_MAX] = "none";
	struct sum s;

	add_up(c, p, &s);
	if (p->max_time)
		weft_format_duration(limit, p->max_time);
	const char *cell[] = {
		weft_arena_printf(a, "%s%s", p->name, p->is_default ? "*" : ""),
		p->up ? "up" : "down", weft_arena_strdup(a, limit),
		weft_arena_printf(a, "%zu", p->n_nodes),
		weft_arena_printf(a, "%u", s.nodes[WEFT_NODE_IDLE]),
		weft_arena_printf(a, "%u", s.nodes[WEFT_NODE_MIXED]),
		weft_arena_printf(a, "%u", s.nodes[WEFT_NODE_ALLOCATED]),
		weft_arena_printf(a, "%u", s.nodes[WEFT_NODE_DOWN]),
		weft_arena_printf(a, "%u/%u", s.cpus_free, s.cpus), mem_text(a, &s),
		gpus_text(a, &s)};
	for (size_t i = 0; i < WEFT_COUNT(cell); i++)
		if (!cell[i])
			return -1;
	return weft_table_row(t, cell);
}

static int print_table(const struct weft_cluster *c, struct weft_str *out)
{
	static const char *const head[] = {"PARTITION", "STATE", "TIME LIMIT", "NODES",
		"IDLE", "MIXED", "ALLOC", "DOWN", "FREE CPUS", "NODE MEMORY",
		"FREE GPUS"};
	struct weft_style style = cmd_style(stdout);
	struct weft_table *t = weft_table_new(WEFT_COUNT(head), head);
	struct weft_arena arena = {0};
	int status = -1;

	if (!t)
		return -1;
	for (size_t i = 3; i <= 9; i++)
		weft_table_right(t, i);
	for (size_t i = 0; i < c->n_partitions; i++)
		if (add_row(t, &arena, c, &c->partition[i]))
			goto out;
	weft_str_printf(out, "%s%sSlurm %s\n", c->name, *c->name ? ", " : "",
		*c->slurm_version ? c->slurm_version : "of unknown version");
	weft_table_print(t, &style, out);
	status = 0;
out:
	weft_table_free(t);
	weft_arena_free(&arena);
	return status;
}

static json_t *gpus_json(const struct weft_gpus *gpus, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			a, json_pack("{s:s, s:i, s:i}", "type", gpus[i].type, "count",
				   (int)gpus[i].count, "free",
				   (int)(gpus[i].count - gpus[i].used)));
	return a;
}

static json_t *partition_json(
	const struct weft_cluster *c, const struct weft_partition *p)
{
	json_t *nodes = json_object(), *names = json_array();
	struct sum s;

	add_up(c, p, &s);
	for (int i = 0; i <= WEFT_NODE_DOWN; i++)
		json_object_set_new(nodes,
			weft_node_state_name((enum weft_node_state)i),
			json_integer((json_int_t)s.nodes[i]));
	for (size_t i = 0; i < p->n_nodes; i++)
		json_array_append_new(names, json_string(c->node[p->node[i]].name));
	return json_pack("{s:s, s:b, s:b, s:I, s:i, s:i, s:o, s:o, s:o}", "name",
		p->name, "up", p->up, "default", p->is_default, "max_time_s",
		(json_int_t)p->max_time, "cpus", (int)s.cpus, "cpus_free",
		(int)s.cpus_free, "nodes_by_state", nodes, "gpus",
		gpus_json(s.gpus, s.n_gpu_types), "nodes", names);
}

static json_t *node_json(const struct weft_node *n)
{
	return json_pack("{s:s, s:s, s:o, s:i, s:i, s:I, s:I, s:o}", "name", n->name,
		"state", weft_node_state_name(n->state), "reason",
		weft_report_json_text(n->reason), "cpus", (int)n->cpus, "cpus_used",
		(int)n->cpus_used, "mem_bytes", (json_int_t)n->mem, "mem_used_bytes",
		(json_int_t)n->mem_used, "gpus", gpus_json(n->gpus, n->n_gpu_types));
}

static int print_json(const struct weft_cluster *c, struct weft_str *out)
{
	json_t *partitions = json_array(), *nodes = json_array();

	for (size_t i = 0; i < c->n_partitions; i++)
		json_array_append_new(partitions, partition_json(c, &c->partition[i]));
	for (size_t i = 0; i < c->n_nodes; i++)
		json_array_append_new(nodes, node_json(&c->node[i]));
	return weft_report_json(
		json_pack("{s:s, s:s, s:f, s:i, s:o, s:o}", "cluster", c->name, "slurm",
			c->slurm_version, "taken", c->taken, "max_array_size",
			(int)c->max_array_size, "partitions", partitions, "nodes",
			nodes),
		JSON_INDENT(1), out);
}

static int save(const struct weft_cluster *c, const char *file, struct weft_err *err)
{
	weft_autostr struct weft_str out = {0};

	if (weft_cluster_print(c, &out))
		return weft_err_nomem(err);
	if (!weft_streq(file, "-"))
		return weft_write_file(file, out.s, out.len, 0644, err);
	fwrite(out.s, 1, out.len, stdout);
	return 0;
}

static int run(int argc, char **argv);

WEFT_VERB(cluster, .name = "cluster",
	.synopsis = "[--json] [--save FILE] [--cluster FILE]",
	.summary = "Shows partitions, nodes and GPUs, or saves them for planning",
	.help = "  --json          as JSON, with every node\n"
		"  --save FILE     write a snapshot for --cluster, weft-cluster(5); -: "
		"to\n"
		"                  standard output\n"
		"  --cluster FILE  show a snapshot instead of asking Slurm\n",
	.order = 60, .run = run);

static int run(int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'},
		{"save", required_argument, NULL, 's'},
		{"cluster", required_argument, NULL, 'c'}, {0}};
	const char *file = NULL, *to = NULL;
	struct weft_str out = {0};
	struct weft_err err = {0};
	struct weft_cluster *c;
	bool json = false;
	int opt, status;

	cmd_getopt_start();
	while ((opt = cmd_getopt(&verb_cluster, argc, argv, "", options, &status)) !=
		-1) {
		if (opt == -2)
			return status;
		json |= opt == 'j';
		if (opt == 's')
			to = optarg;
		if (opt == 'c')
			file = optarg;
	}
	if (optind < argc)
		return cmd_usage(&verb_cluster, "no argument is expected, not '%s'",
			argv[optind]);
	if (cmd_cluster(file, &c, &err))
		return cmd_fail(&err);
	if (to)
		status = save(c, to, &err);
	else if (json ? print_json(c, &out) : print_table(c, &out))
		status = weft_err_nomem(&err);
	else
		status = 0;
	weft_cluster_free(c);
	if (status) {
		weft_str_free(&out);
		return cmd_fail(&err);
	}
	return cmd_print(&out);
}
