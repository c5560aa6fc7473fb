/* The snapshot file: read, refused, printed, and back again. */
#include <stdio.h>
#include <string.h>

#include "cluster/cluster.h"
#include "suite.h"

static struct weft_cluster *good(const char *text)
{
	weft_autoerr struct weft_err err = {0};
	struct weft_cluster *c;

	ck_assert_msg(weft_cluster_parse("t.yaml", text, strlen(text), &c, &err) == 0,
		"%u:%u: %s: %s", err.pos.line, err.pos.col, err.path, err.text);
	return c;
}

static const char full[] =
	"cluster: demo\n"
	"slurm: 22.05.8\n"
	"taken: 2026-11-21T12:00:00Z\n"
	"max_array_size: 1001\n"
	"select_by_memory: false\n"
	"user:\n"
	"    name: alice\n"
	"    groups: [alice, lab]\n"
	"    default_account: phys\n"
	"    associations:\n"
	"      - {account: phys, partition: gpu, qos: [normal, high], "
	"default_qos: normal}\n"
	"      - {account: chem}\n"
	"licenses:\n"
	"  - name: ansys\n"
	"    total: 10\n"
	"    used: 3\n"
	"partitions:\n"
	"  - name: cpu\n"
	"    default: true\n"
	"    max_time: 1-00:00:00\n"
	"    default_time: 01:00:00\n"
	"    min_nodes: 1\n"
	"    max_nodes: 4\n"
	"    max_cpus_per_node: 16\n"
	"    max_mem_per_node: 32G\n"
	"    def_mem_per_cpu: 1000M\n"
	"    allow_accounts: [phys, chem]\n"
	"    deny_accounts: [\"a b\"]\n"
	"    allow_groups: [users]\n"
	"    allow_qos: [normal, \"null\"]\n"
	"    nodes: c[1-3]\n"
	"  - name: gpu\n"
	"    up: false\n"
	"    exclusive: true\n"
	"    def_mem_per_node: 4G\n"
	"    nodes: g[01-02],c3\n"
	"  - name: empty\n"
	"    nodes: \"\"\n"
	"reservations:\n"
	"  - name: course\n"
	"    partition: cpu\n"
	"    start: 01:00:00\n"
	"    end: 1-00:00:00\n"
	"    users: [alice, \"-bob\"]\n"
	"    accounts: [phys]\n"
	"    nodes: c[1-2]\n"
	"nodes:\n"
	"  - nodes: c[1,3]\n"
	"    state: mixed\n"
	"    cpus: 16\n"
	"    cpus_used: 4\n"
	"    cores: 8\n"
	"    sockets: 2\n"
	"    threads_per_core: 2\n"
	"    mem: 64000M\n"
	"    mem_used: 1G\n"
	"    tmp: 1T\n"
	"    features: [avx512, ib]\n"
	"    releases:\n"
	"      - {after: 00:30:00, cpus: 3, mem: 512M}\n"
	"      - {after: 1-00:00:00, cpus: 1}\n"
	"  - nodes: c2\n"
	"    state: down\n"
	"    reason: \"disk: \\\"sda\\\" # dead\"\n"
	"    cpus: 16\n"
	"    cores: 16\n"
	"    sockets: 1\n"
	"    threads_per_core: 1\n"
	"  - nodes: g01\n"
	"    state: idle\n"
	"    cpus: 64\n"
	"    cores: 64\n"
	"    sockets: 1\n"
	"    threads_per_core: 1\n"
	"    gpus: {a100: 4, t4: 1}\n"
	"    gpus_used: {a100: 2, t4: 1}\n"
	"    releases:\n"
	"      - {after: 00:01:00, gpus: {a100: 1, t4: 1}}\n"
	"      - {after: 00:02:00, gpus: {a100: 1}}\n"
	"  - nodes: g02\n"
	"    state: idle\n"
	"    cpus: 64\n"
	"    cores: 64\n"
	"    sockets: 1\n"
	"    threads_per_core: 1\n"
	"    gpus: 2\n"
	"    gpus_used: 1\n"
	"    releases:\n"
	"      - {after: 00:01:00, gpus: 1}\n";

START_TEST(every_key)
{
	struct weft_cluster *c = good(full);
	const struct weft_partition *p = weft_cluster_partition(c, "cpu");
	const struct weft_node *n;

	ck_assert_str_eq(c->name, "demo");
	ck_assert_str_eq(c->slurm_version, "22.05.8");
	ck_assert(c->taken == 1795262400.0);
	ck_assert_uint_eq(c->max_array_size, 1001);
	ck_assert(!c->select_by_memory);
	ck_assert_uint_eq(c->n_reservations, 1);
	ck_assert_int_eq(c->reservation[0].start, 3600);
	ck_assert_str_eq(c->reservation[0].users[1], "-bob");
	ck_assert_str_eq(c->node[c->reservation[0].node[1]].name, "c2");
	ck_assert_ptr_eq(weft_cluster_reservation(c, "course"), c->reservation);
	ck_assert_ptr_null(weft_cluster_reservation(c, "curse"));
	ck_assert_str_eq(c->user.name, "alice");
	ck_assert_uint_eq(c->user.n_groups, 2);
	ck_assert_str_eq(c->user.default_account, "phys");
	ck_assert_uint_eq(c->user.n_associations, 2);
	ck_assert_str_eq(c->user.association[0].qos[1], "high");
	ck_assert_str_eq(c->user.association[1].partition, "");
	ck_assert_uint_eq(c->n_licenses, 1);
	ck_assert_uint_eq(c->license[0].used, 3);

	ck_assert_uint_eq(c->n_partitions, 3);
	ck_assert(p->is_default && p->up && !p->exclusive);
	ck_assert_int_eq(p->max_time, 86400);
	ck_assert_int_eq(p->default_time, 3600);
	ck_assert_uint_eq(p->max_nodes, 4);
	ck_assert_uint_eq(p->max_mem_per_node, 32ull << 30);
	ck_assert_uint_eq(p->def_mem_per_cpu, 1000ull << 20);
	ck_assert_uint_eq(p->n_allow_accounts, 2);
	ck_assert_str_eq(p->deny_accounts[0], "a b");
	ck_assert_str_eq(p->allow_qos[1], "null");
	ck_assert_uint_eq(p->n_nodes, 3);
	ck_assert_str_eq(c->node[p->node[1]].name, "c2");
	p = weft_cluster_partition(c, "gpu");
	ck_assert(!p->up && p->exclusive);
	ck_assert_str_eq(c->node[p->node[2]].name, "c3");
	ck_assert_uint_eq(weft_cluster_partition(c, "empty")->n_nodes, 0);
	ck_assert_ptr_null(weft_cluster_partition(c, "none"));

	ck_assert_uint_eq(c->n_nodes, 5);
	n = &c->node[0];
	ck_assert_int_eq(n->state, WEFT_NODE_MIXED);
	ck_assert_uint_eq(n->cpus_used, 4);
	ck_assert_uint_eq(n->cores, 8);
	ck_assert_uint_eq(n->mem, 64000ull << 20);
	ck_assert_uint_eq(n->tmp, 1ull << 40);
	ck_assert_str_eq(n->feature[1], "ib");
	ck_assert_uint_eq(n->n_releases, 2);
	ck_assert_int_eq(n->release[0].after, 1800);
	ck_assert_uint_eq(n->release[0].cpus, 3);
	ck_assert_uint_eq(n->release[0].mem, 512ull << 20);
	ck_assert_str_eq(c->node[2].reason, "disk: \"sda\" # dead");
	n = &c->node[3];
	ck_assert_uint_eq(n->n_gpus, 5);
	ck_assert_uint_eq(n->n_gpu_types, 2);
	ck_assert_str_eq(n->gpus[0].type, "a100");
	ck_assert_uint_eq(n->gpus[0].used, 2);
	ck_assert_uint_eq(n->gpus[1].used, 1);
	ck_assert_uint_eq(n->release[0].gpus[1], 1);
	ck_assert_uint_eq(n->release[1].gpus[0], 1);
	ck_assert_str_eq(c->node[4].gpus[0].type, "");
	ck_assert_uint_eq(c->node[4].gpus[0].used, 1);
	weft_cluster_free(c);
	weft_cluster_free(NULL);
}
END_TEST

static char *printed(const struct weft_cluster *c)
{
	struct weft_str s = {0};

	ck_assert_int_eq(weft_cluster_print(c, &s), 0);
	return weft_str_take(&s);
}

START_TEST(round_trip)
{
	struct weft_cluster *c = good(full);
	weft_autofree char *text = printed(c);

	ck_assert_str_eq(text, full);
	weft_cluster_free(c);
}
END_TEST

START_TEST(defaults)
{
	struct weft_cluster *c = good("nodes: [{nodes: 'n[1-2]', cpus: 4}]\n"
				      "partitions: [{name: p, nodes: 'n[1-2]'}]\n");
	struct weft_cluster *none = good("cluster: x\n");

	ck_assert_str_eq(c->name, "");
	ck_assert(c->select_by_memory);
	ck_assert(c->partition[0].up);
	ck_assert_int_eq(c->node[0].state, WEFT_NODE_IDLE);
	ck_assert_uint_eq(c->node[1].cores, 4);
	ck_assert_uint_eq(c->node[1].sockets, 1);
	ck_assert_str_eq(c->node[1].reason, "");
	ck_assert_uint_eq(none->n_nodes, 0);
	weft_cluster_free(c);
	weft_cluster_free(none);
}
END_TEST

/* Nodes that are alike share an entry wherever they stand, and what is printed is
 * read back to the same bytes. */
START_TEST(alike)
{
	struct weft_cluster *c = good("nodes:\n"
				      "- {nodes: a1, cpus: 4}\n"
				      "- {nodes: b1, cpus: 8}\n"
				      "- {nodes: a2, cpus: 4}\n");
	weft_autofree char *text = printed(c), *again = NULL;
	struct weft_cluster *d = good(text);

	ck_assert_ptr_nonnull(strstr(text, "- nodes: a[1-2]\n"));
	ck_assert_uint_eq(d->n_nodes, 3);
	again = printed(d);
	ck_assert_str_eq(text, again);
	weft_cluster_free(c);
	weft_cluster_free(d);
}
END_TEST

#define NODE "nodes: [{nodes: 'n[1-2]', cpus: 4}]\n"

static const struct {
	const char *text;
	unsigned line;
	const char *path, *part;
} refused[] = {
	{"", 0, NULL, "empty"},
	{"- a\n", 1, NULL, "must be a mapping"},
	{"clutser: x\n", 1, NULL, "did you mean 'cluster'?"},
	{"cluster:\n", 1, "cluster", "has no value"},
	{"cluster: [a]\n", 1, "cluster", "must be text, not a list"},
	{"taken: yesterday\n", 1, "taken", "such as 2026-11-21T12:00:00Z"},
	{"taken: 2026-11-21T12:00:00Zx\n", 1, "taken", "such as"},
	{"max_array_size: -1\n", 1, "max_array_size", "whole number"},
	{"max_array_size: 1e3\n", 1, "max_array_size", "whole number"},
	{"select_by_memory: yes\n", 1, "select_by_memory", "true or false"},
	{"nodes: {a: 1}\n", 1, "nodes", "must be a list"},
	{"nodes:\n- {cpus: 4}\n", 2, "nodes[0]", "'nodes' is missing"},
	{"nodes:\n- {nodes: a}\n", 2, "nodes[0]", "'cpus' is missing"},
	{"nodes:\n- {nodes: a, cpus: 0}\n", 2, "nodes[0]", "'cpus' is missing or 0"},
	{"nodes:\n- {nodes: a, cpu: 1}\n", 2, "nodes[0]", "did you mean 'cpus'?"},
	{"nodes:\n- nodes: 'a[1-'\n  cpus: 1\n", 2, "nodes[0].nodes", "without"},
	{"nodes:\n- nodes: 'a[1-262145]'\n  cpus: 1\n", 2, "nodes[0].nodes", "262144"},
	{"nodes:\n- nodes: 'a[0-999999999999999999]'\n  cpus: 1\n", 2, "nodes[0].nodes",
		"more than"},
	{"nodes:\n- nodes: a\n  cpus: 1\n- nodes: a\n  cpus: 1\n", 4, "nodes[1].nodes",
		"node a is there twice"},
	{"nodes:\n- nodes: a\n  cpus: 1\n  state: up\n", 4, "nodes[0].state",
		"idle, mixed, allocated or down"},
	{"nodes:\n- nodes: a\n  cpus: 1\n  mem: 4X\n", 4, "nodes[0].mem", "bad size"},
	{"nodes:\n- {nodes: a, cpus: 1, cpus_used: 2}\n", 2, "nodes[0]", "more CPUs"},
	{"nodes:\n- nodes: a\n  cpus: 1\n  features: ib\n", 4, "nodes[0].features",
		"list"},
	{"nodes:\n- nodes: a\n  cpus: 1\n  gpus: [a]\n", 4, "nodes[0].gpus", "{TYPE:"},
	{"nodes:\n- nodes: a\n  cpus: 1\n  gpus: {a100: x}\n", 4, "nodes[0].gpus",
		"whole number"},
	{"nodes:\n- nodes: a\n  cpus: 1\n"
	 "  gpus: {a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, h: 1, i: 1}\n",
		4, "nodes[0].gpus", "more than 8 types"},
	{"nodes:\n- nodes: a\n  cpus: 1\n  gpus: {a100: 1}\n  gpus_used: {a100: 2}\n",
		5, "nodes[0].gpus_used", "more GPUs in use"},
	{"nodes:\n- nodes: a\n  cpus: 1\n  gpus: {a100: 1}\n  gpus_used: 1\n", 5,
		"nodes[0].gpus_used", "more GPUs in use"},
	{"nodes:\n- nodes: a\n  cpus: 4\n  releases: 1m\n", 4, "nodes[0].releases",
		"must be a list"},
	{"nodes:\n- nodes: a\n  cpus: 4\n  cpus_used: 2\n"
	 "  releases: [{after: 1m, cpus: 1}, {after: 2m, cpus: 2}]\n",
		5, "nodes[0].releases[1]", "more CPUs than are in use"},
	{"nodes:\n- nodes: a\n  cpus: 4\n  releases: [{after: 1m, mem: 1G}]\n", 4,
		"nodes[0].releases[0]", "more memory than is in use"},
	{"nodes:\n- nodes: a\n  cpus: 4\n  gpus: 2\n  gpus_used: 1\n"
	 "  releases: [{after: 1m, gpus: 2}]\n",
		6, "nodes[0].releases[0]", "more GPUs than are in use"},
	{"nodes:\n- nodes: a\n  cpus: 4\n  cpus_used: 2\n"
	 "  releases: [{after: 2m, cpus: 1}, {after: 2m, cpus: 1}]\n",
		5, "nodes[0].releases[1]", "must grow"},
	{"nodes:\n- nodes: a\n  cpus: 4\n  cpus_used: 2\n"
	 "  releases: [{after: 2m, cpu: 1}]\n",
		5, "nodes[0].releases[0]", "did you mean 'cpus'?"},
	{NODE "reservations: x\n", 2, "reservations", "list"},
	{NODE "reservations:\n- {nodes: n1}\n", 3, "reservations[0]",
		"'name' is missing"},
	{NODE "reservations:\n- {name: r, nodes: n9}\n", 3, "reservations[0].nodes",
		"node n9 is not among the nodes"},
	{"user: {groups: [a]}\n", 1, "user", "'name' is missing"},
	{"user:\n  name: a\n  associations: x\n", 3, "user.associations", "list"},
	{"user:\n  name: a\n  associations: [{qos: [a]}]\n", 3, "user.associations[0]",
		"'account' is missing"},
	{NODE "partitions: x\n", 2, "partitions", "must be a list"},
	{NODE "partitions:\n- {nodes: n1}\n", 3, "partitions[0]", "'name' is missing"},
	{NODE "partitions:\n- {name: p}\n", 3, "partitions[0]", "'nodes' is missing"},
	{NODE "partitions:\n- {name: p, nodes: n3}\n", 3, "partitions[0].nodes",
		"node n3 is not among the nodes"},
	{NODE "partitions:\n- {name: p, nodes: 'n1,n1'}\n", 3, "partitions[0].nodes",
		"node n1 is there twice"},
	{NODE "partitions:\n- {name: p, nodes: [n1]}\n", 3, "partitions[0].nodes",
		"must be text"},
	{NODE "partitions:\n- {name: p, nodes: n1}\n- {name: p, nodes: n2}\n", 4,
		"partitions[1]", "partition p is there twice"},
	{NODE "partitions:\n- {name: p, nodes: n1, max_time: 60}\n", 3,
		"partitions[0].max_time", "needs a unit"},
	{"licenses:\n- {total: 3}\n", 2, "licenses[0]", "'name' is missing"},
};

START_TEST(errors)
{
	for (size_t i = 0; i < WEFT_COUNT(refused); i++) {
		weft_autoerr struct weft_err err = {0};
		struct weft_cluster *c = (void *)1;
		const char *text = refused[i].text;

		ck_assert_msg(weft_cluster_parse(
				      "t.yaml", text, strlen(text), &c, &err) == -1,
			"not refused: %s", text);
		ck_assert_ptr_null(c);
		ck_assert_int_eq(err.code, WEFT_ESPEC);
		ck_assert_str_eq(err.file, "t.yaml");
		ck_assert_msg(err.pos.line == refused[i].line, "line %u: %s",
			err.pos.line, text);
		ck_assert_msg(weft_streq(err.path, refused[i].path), "path %s: %s",
			err.path, text);
		ck_assert_msg(strstr(err.text, refused[i].part) ||
				      (err.hint && strstr(err.hint, refused[i].part)),
			"no '%s' in: %s (%s)", refused[i].part, err.text, err.hint);
	}
}
END_TEST

/* 4,096 partitions of 262,144 nodes would be 4 GiB of indices. */
START_TEST(hostile_partitions)
{
	weft_autostr struct weft_str s = {0};
	weft_autoerr struct weft_err err = {0};
	struct weft_cluster *c;

	weft_str_add(&s, "nodes: [{nodes: 'n[1-262144]', cpus: 1}]\npartitions:\n");
	for (int i = 0; i < 100; i++)
		weft_str_printf(&s, "- {name: p%d, nodes: 'n[1-262144]'}\n", i);
	ck_assert_int_eq(weft_cluster_parse("t.yaml", s.s, s.len, &c, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "too many nodes"));
}
END_TEST

/* Whatever bytes there are: an answer, and what is read can be printed and read. */
START_TEST(mutated)
{
	weft_autofree char *text = strdup(full);
	uint64_t seed = 88172645463325252u;
	size_t n = strlen(full);

	for (int i = 0; i < 3000; i++) {
		struct weft_cluster *c;
		size_t at;
		char old;

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		at = seed % n;
		old = text[at];
		text[at] = i & 1 ? (char)(seed >> 32) : "0[],-{}\n"[seed >> 60 & 7];
		if (weft_cluster_parse("t.yaml", text, n, &c, NULL) == 0) {
			weft_autofree char *once = printed(c), *twice = NULL;
			struct weft_cluster *d = good(once);

			twice = printed(d);
			ck_assert_str_eq(once, twice);
			weft_cluster_free(c);
			weft_cluster_free(d);
		} else {
			ck_assert_ptr_null(c);
		}
		text[at] = old;
	}
}
END_TEST

/* What planning needs: 10,000 nodes are there in a moment. */
START_TEST(large)
{
	weft_autostr struct weft_str s = {0};
	weft_autofree char *text = NULL, *again = NULL;
	struct weft_cluster *c, *d;
	double start, spent;

	weft_str_add(&s, "cluster: big\nslurm: 22.05.8\nselect_by_memory: true\n"
			 "partitions:\n  - name: all\n    nodes: n[1-10000]\nnodes:\n");
	for (int i = 1; i <= 10000; i++)
		weft_str_printf(&s,
			"  - nodes: n%d\n    cpus: %d\n    mem: 64G\n"
			"    features: [a, b]\n    gpus: {a100: 4}\n",
			i, 16 + i % 100);
	start = weft_monotonic();
	c = good(s.s);
	ck_assert_uint_eq(c->n_nodes, 10000);
	text = printed(c);
	d = good(text);
	spent = weft_monotonic() - start;
	again = printed(d);
	ck_assert_str_eq(text, again);
	/* A hundredth of it is usual: what is quadratic would take longer. */
	ck_assert_msg(spent < 20.0, "%.3f s", spent);
	if (getenv("WEFT_TEST_TIMES"))
		printf("read, printed and read 10,000 nodes in %.3f s\n", spent);
	weft_cluster_free(c);
	weft_cluster_free(d);
}
END_TEST

SUITE("cluster", every_key, round_trip, defaults, alike, errors, hostile_partitions,
	mutated, large)
