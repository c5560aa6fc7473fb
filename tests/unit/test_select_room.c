/* test_select_room.c - when there is room: against a count of each node by itself, on
 * random clusters in use, and the figures of small ones by hand. */
#include "suite.h"

#include <math.h>
#include <string.h>

#include "select/room.h"

static uint64_t state = 88172645463325252u;

static unsigned roll(unsigned n) /* 0 .. n-1 */
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % n;
}

static struct weft_cluster *cluster;
static struct pools pools;

static void open_cluster(const char *text)
{
	struct weft_err err = {0};

	ck_assert_msg(
		weft_cluster_parse("c.yaml", text, strlen(text), &cluster, &err) == 0,
		"%s: %s", err.path, err.text);
	ck_assert_int_eq(pools_make(&pools, cluster, NULL, &err), 0);
}

static void close_cluster(void)
{
	pools_free(&pools);
	weft_cluster_free(cluster);
}

static struct ask nothing(void)
{
	return (struct ask){.gpu_type = "",
		.constraint = "",
		.exclude = "",
		.nodelist = "",
		.reservation = "",
		.partition = ""};
}

static const char three[] =
	"partitions: [{name: p, nodes: 'n[1-4]'}]\n"
	"nodes:\n"
	"- {nodes: n1, cpus: 8, mem: 8G}\n"
	"- {nodes: n2, cpus: 8, mem: 8G, state: mixed, cpus_used: 6, mem_used: 7G,\n"
	"   releases: [{after: 10m, cpus: 2, mem: 1G}, {after: 1h, cpus: 4, mem: "
	"6G}]}\n"
	"- {nodes: n3, cpus: 8, mem: 8G, state: allocated}\n"
	"- {nodes: n4, cpus: 8, mem: 8G, state: down}\n";

START_TEST(by_hand)
{
	struct ask a = nothing();
	struct sized s = {.nodes = 1, .cpus_node = 2};
	const struct room *r;

	open_cluster(three);
	r = room_of(&pools, &pools.pool[0], &a, &s, false);
	ck_assert_uint_eq(r->now, 2);
	ck_assert(room_wait(r, 1) == 0);
	ck_assert(room_jobs(r, 1, 0) == 5); /* four of n1, one of n2 */
	ck_assert(room_jobs(r, 1, 599) == 5);
	ck_assert(room_jobs(r, 1, 600) == 6);
	ck_assert(room_jobs(r, 1, 3600) == 8); /* never those of n3 */
	ck_assert(room_finish(r, 1, 1, 0, 60) == 60);
	ck_assert(room_finish(r, 1, 5, 0, 60) == 60);
	ck_assert(room_finish(r, 1, 10, 0, 60) == 120);
	ck_assert(room_finish(r, 1, 10, 2, 60) == 300); /* two at a time */
	/* Without the place from 10 m on it is 5 * 600, with it less; not 8 from 1 h.
	 */
	ck_assert(room_finish(r, 1, 25, 0, 600) == (25 * 600 + 600) / 6.0);
	ck_assert(isinf(room_wait(r, 9)));

	s.mem = 2ull << 30; /* memory is short on n2 for an hour less */
	r = room_of(&pools, &pools.pool[0], &a, &s, false);
	ck_assert_uint_eq(r->now, 1);
	ck_assert(room_jobs(r, 1, 600) == 5);
	s.mem = 0;
	s.nodes = 2; /* a node each */
	r = room_of(&pools, &pools.pool[0], &a, &s, false);
	ck_assert(room_wait(r, 2) == 0);
	ck_assert(isinf(room_wait(r, 3)));
	r = room_of(&pools, &pools.pool[0], &a, &s, true); /* nothing beside it */
	ck_assert(room_wait(r, 2) == 3600);
	a.exclude = "n1";
	s.nodes = 1;
	r = room_of(&pools, &pools.pool[0], &a, &s, true);
	ck_assert(room_wait(r, 1) == 3600);
	a.exclude = "";
	a.nodelist = "n3";
	r = room_of(&pools, &pools.pool[0], &a, &s, false);
	ck_assert(isinf(room_wait(r, 1)));
	close_cluster();
}
END_TEST

static void random_node(struct weft_str *out, unsigned i)
{
	unsigned cpus = 4 + roll(13), gpus = roll(3), used = roll(cpus + 1),
		 left = used;
	unsigned gpus_used = used && gpus ? roll(gpus + 1) : 0, after = 0;

	weft_str_printf(out, "- {nodes: n%u, cpus: %u, mem: 64G", i, cpus);
	if (gpus)
		weft_str_printf(out, ", gpus: {t: %u}", gpus);
	if (used)
		weft_str_printf(out, ", state: mixed, cpus_used: %u", used);
	if (gpus_used)
		weft_str_printf(out, ", gpus_used: {t: %u}", gpus_used);
	weft_str_add(out, ", releases: [");
	while (left && roll(4)) {
		unsigned cpu = 1 + roll(left),
			 gpu = gpus_used ? roll(gpus_used + 1) : 0;

		weft_str_printf(out, "%s{after: %um, cpus: %u", after ? ", " : "",
			after + 1 + roll(3), cpu);
		after += 4;
		if (gpu)
			weft_str_printf(out, ", gpus: {t: %u}", gpu);
		weft_str_addc(out, '}');
		left -= cpu;
		gpus_used -= gpu;
	}
	weft_str_add(out, "]}\n");
}

/* Shares that fit into what is free of a node at a time. */
static unsigned places(const struct weft_node *n, const struct sized *s, double time)
{
	unsigned cpus = n->cpus - n->cpus_used, gpus = n->n_gpus, fit;

	if (n->n_gpu_types)
		gpus -= n->gpus[0].used;
	for (size_t i = 0; i < n->n_releases; i++)
		if ((double)n->release[i].after <= time) {
			cpus += n->release[i].cpus;
			gpus += n->release[i].gpus[0];
		}
	fit = cpus / (unsigned)s->cpus_node;
	if (s->gpus_node && gpus / s->gpus_node < fit)
		fit = gpus / s->gpus_node;
	return s->nodes > 1 && fit > 1 ? 1 : fit;
}

START_TEST(as_counted)
{
	for (unsigned round = 0; round < 300; round++) {
		weft_autostr struct weft_str text = {0};
		struct ask a = nothing();
		struct sized s = {.nodes = 1 + roll(3),
			.cpus_node = 1 + roll(8),
			.gpus_node = roll(3)};
		const struct room *r;

		weft_str_add(&text,
			"select_by_memory: false\n"
			"partitions: [{name: p, nodes: 'n[1-12]'}]\nnodes:\n");
		for (unsigned i = 1; i <= 12; i++)
			random_node(&text, i);
		open_cluster(text.s);
		r = room_of(&pools, &pools.pool[0], &a, &s, false);
		ck_assert_ptr_nonnull(r);
		ck_assert_ptr_eq(r, room_of(&pools, &pools.pool[0], &a, &s, false));
		for (double time = 0; time < 3600; time += 60) {
			unsigned sum = 0;

			for (size_t i = 0; i < cluster->n_nodes; i++)
				sum += places(&cluster->node[i], &s, time);
			ck_assert_msg(room_jobs(r, s.nodes, time) == sum / s.nodes,
				"%g of %u at %g\n%s", room_jobs(r, s.nodes, time),
				sum / s.nodes, time, text.s);
			ck_assert((room_wait(r, s.nodes) <= time) == (sum >= s.nodes));
		}
		close_cluster();
	}
}
END_TEST

/* The end of many members: never before it could be, nor after it need be. */
START_TEST(ends_between)
{
	for (unsigned round = 0; round < 300; round++) {
		weft_autostr struct weft_str text = {0};
		struct ask a = nothing();
		struct sized s = {.nodes = 1, .cpus_node = 1 + roll(8)};
		size_t members = 1 + roll(200), parallel = roll(2) ? 1 + roll(20) : 0;
		double run = 60 * (1 + roll(30)), end, wait, few, more;
		const struct room *r;

		weft_str_add(&text,
			"select_by_memory: false\n"
			"partitions: [{name: p, nodes: 'n[1-12]'}]\nnodes:\n");
		for (unsigned i = 1; i <= 12; i++)
			random_node(&text, i);
		open_cluster(text.s);
		r = room_of(&pools, &pools.pool[0], &a, &s, false);
		wait = room_wait(r, 1);
		end = room_finish(r, 1, members, parallel, run);
		if (isinf(wait)) {
			ck_assert(isinf(end));
		} else {
			ck_assert(end >= wait + run);
			ck_assert(end <= wait + run * (double)members);
			few = room_finish(r, 1, members, 1, run);
			more = room_finish(r, 1, members + 1, parallel, run);
			ck_assert(end <= few + 1e-6);
			ck_assert(more >= end - 1e-6);
		}
		close_cluster();
	}
}
END_TEST

/* Beyond a thousand kinds of shares sizes are rounded up: never more room than there
 * is, and never none where there is some. */
START_TEST(rounded)
{
	struct ask a = nothing();
	const struct room *r;

	open_cluster(
		"select_by_memory: true\npartitions: [{name: p, nodes: 'n[1-4]'}]\n"
		"nodes: [{nodes: 'n[1-4]', cpus: 64, mem: 1000000M}]\n");
	for (unsigned i = 1; i < 3000; i++) {
		struct sized s = {
			.nodes = 1, .cpus_node = 1 + i % 64, .mem = (uint64_t)i << 20};

		r = room_of(&pools, &pools.pool[0], &a, &s, false);
		ck_assert_ptr_nonnull(r);
		ck_assert(room_jobs(r, 1, 0) >= 4);
		ck_assert(room_jobs(r, 1, 0) <= 4.0 * (unsigned)(64 / s.cpus_node));
	}
	close_cluster();
}
END_TEST

SUITE("select_room", by_hand, as_counted, ends_between, rounded)
