/* Who talks to whom, and whose memory comes from where. */
#include "place/place.h"

#include <string.h>

#include "suite.h"

#define GIB (UINT64_C(1) << 30)

/* Two packages of two NUMA nodes of four cores and 10 GiB; a GPU at nodes 1 and 3; 4
 * GiB of fast memory at node 1, 100 of slow at no CPU. */
static struct weft_machine *machine(void)
{
	static const char text[] =
		"weft-topology 1\nhost -\n"
		"size packages=2 l3=4 cores=16 cpus=16 numa=6 gpus=2 nics=0\n"
		"numa 0 os=0 kind=dram bytes=10737418240 cpus=0-3\n"
		"numa 1 os=1 kind=dram bytes=10737418240 cpus=4-7\n"
		"numa 2 os=2 kind=dram bytes=10737418240 cpus=8-11\n"
		"numa 3 os=3 kind=dram bytes=10737418240 cpus=12-15\n"
		"numa 4 os=4 kind=hbm bytes=4294967296 cpus=4-7\n"
		"numa 5 os=5 kind=cxl bytes=107374182400 cpus=-\n";
	struct weft_str s = {0};
	struct weft_machine *m;
	struct weft_err err = {0};

	weft_str_add(&s, text);
	for (unsigned c = 0; c < 16; c++)
		weft_str_printf(&s, "core %u package=%u numa=%u l3=%u cpus=%u\n", c,
			c / 8, c / 4, c / 4, c);
	for (unsigned g = 0; g < 2; g++)
		weft_str_printf(&s,
			"gpu 0000:%02x:00.0 vendor=nvidia link=none package=%u "
			"cpus=%s path=- name=- uuid=-\n",
			g + 1, g, g ? "12-15" : "4-7");
	weft_str_add(&s, "end\n");
	ck_assert_msg(weft_machine_parse(s.s, s.len, &m, &err) == 0, "%s", err.text);
	weft_str_free(&s);
	return m;
}

static struct weft_placement *place(const struct weft_machine *m,
	const struct weft_place_step *steps, size_t n, const char *refused)
{
	struct weft_placement *p = NULL;
	weft_autoerr struct weft_err err = {0};
	int rc = weft_place(m, NULL, NULL, 0, steps, n, &p, &err);

	if (refused) {
		ck_assert_int_eq(rc, -1);
		ck_assert_msg(strstr(err.text, refused) != NULL, "%s", err.text);
	} else {
		ck_assert_msg(rc == 0, "%s", err.text);
	}
	return p;
}

/* "1 1 3": the NUMA node of each task of a step. */
static const char *homes(const struct weft_machine *m, const struct weft_placement *p,
	size_t step, size_t n)
{
	static char text[128];
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		int cpu = weft_cpuset_next(&p->task[p->first[step] + i].cpus, 0);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u",
			i ? " " : "", m->pu[cpu].numa);
	}
	return text;
}

static const char *nodes(const struct weft_placed_task *t)
{
	static char text[128];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < t->n_numa; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u",
			i ? " " : "", t->numa[i]);
	return text;
}

START_TEST(bytes_decide)
{
	struct weft_machine *m = machine();
	/* Two steps want to be beside the inference; each node has three cores left. */
	struct weft_place_step steps[] = {
		{.ntasks = 4, .cpus_per_task = 1, .talk = {{1, 10}}, .n_talks = 1},
		{.ntasks = 2, .gpus_per_task = 1, .cpus_per_task = 1},
		{.ntasks = 4, .cpus_per_task = 1, .talk = {{1, 1000}}, .n_talks = 1},
	};
	struct weft_placement *p = place(m, steps, 3, NULL);
	struct weft_place_score s;

	ck_assert_str_eq(homes(m, p, 1, 2), "1 3");
	ck_assert_str_eq(homes(m, p, 2, 4), "1 1 3 3");
	ck_assert_str_eq(homes(m, p, 0, 4), "1 0 3 2");
	ck_assert_int_eq(weft_place_score(m, p, steps, 0, &s, NULL), 0);
	ck_assert_uint_eq(s.edges, 4);
	ck_assert_uint_eq(s.edges_inside, 2);
	ck_assert_double_eq(s.bytes, 10);
	ck_assert_double_eq(s.bytes_inside, 5);
	weft_placement_free(p);
	/* The other way round. */
	steps[0].talk[0].bytes = 2000;
	p = place(m, steps, 3, NULL);
	ck_assert_str_eq(homes(m, p, 0, 4), "1 1 3 3");
	ck_assert_str_eq(homes(m, p, 2, 4), "1 0 3 2");
	weft_placement_free(p);
	weft_machine_free(m);
}
END_TEST

START_TEST(several_partners)
{
	struct weft_machine *m = machine();
	/* The middle one has two partners on different sockets. */
	struct weft_place_step steps[] = {
		{.ntasks = 1, .gpus_per_task = 1, .cpus_per_task = 4},
		{.ntasks = 1, .gpus_per_task = 1, .cpus_per_task = 1},
		{.ntasks = 1,
			.cpus_per_task = 1,
			.talk = {{0, 5}, {1, 3}},
			.n_talks = 2},
		/* Who is talked to leans, too. */
		{.ntasks = 2, .cpus_per_task = 1, .talk = {{2, 0}}, .n_talks = 1},
	};
	struct weft_placement *p = place(m, steps, 4, NULL);

	ck_assert_str_eq(homes(m, p, 0, 1), "1");
	ck_assert_str_eq(homes(m, p, 1, 1), "3");
	/* Its first partner fills the node: next to it costs 5 times a neighbour and 3
	 * times another socket; beside the second 5 times another socket. */
	ck_assert_str_eq(homes(m, p, 2, 1), "3");
	ck_assert_str_eq(homes(m, p, 3, 2), "3 3");
	weft_placement_free(p);
	steps[0].cpus_per_task = 1;
	p = place(m, steps, 4, NULL);
	ck_assert_str_eq(homes(m, p, 2, 1), "1");
	ck_assert_str_eq(homes(m, p, 3, 2), "1 1");
	weft_placement_free(p);
	steps[3].talk[0].step = 4;
	place(m, steps, 4, "out of range");
	weft_machine_free(m);
}
END_TEST

START_TEST(memory)
{
	struct weft_machine *m = machine();
	struct weft_place_step step = {
		.ntasks = 4, .cpus_per_task = 1, .mem_per_task = 6 * GIB};
	struct weft_placement *p = place(m, &step, 1, NULL);

	for (size_t i = 0; i < 4; i++) {
		ck_assert_uint_eq(p->task[i].n_numa, 1);
		ck_assert_uint_eq(p->task[i].numa[0], i);
		ck_assert(!p->task[i].spills);
	}
	weft_placement_free(p);
	/* Compact would fill the first node's cores: its memory holds one of them. */
	step.cpus = WEFT_PLACE_COMPACT;
	p = place(m, &step, 1, NULL);
	ck_assert_str_eq(homes(m, p, 0, 4), "0 1 1 2");
	ck_assert_str_eq(nodes(&p->task[1]), "1");
	/* What is left of the node, then its fast memory. */
	ck_assert_str_eq(nodes(&p->task[2]), "1 4");
	ck_assert(!p->task[2].spills);
	weft_placement_free(p);
	/* More than any node has: its own, then the neighbour's, and said. */
	step = (struct weft_place_step){
		.ntasks = 1, .gpus_per_task = 1, .mem_per_task = 20 * GIB};
	p = place(m, &step, 1, NULL);
	ck_assert_str_eq(nodes(&p->task[0]), "1 4 0");
	ck_assert(p->task[0].spills);
	weft_placement_free(p);
	step.mem_per_task = 144 * GIB;
	p = place(m, &step, 1, NULL);
	ck_assert_str_eq(nodes(&p->task[0]), "1 4 0 2 3 5");
	weft_placement_free(p);
	step.mem_per_task = 145 * GIB;
	place(m, &step, 1, "the tasks need 145G of memory, this node has 144G");
	/* A model that does not know how much there is. */
	for (size_t i = 0; i < m->n_numa; i++)
		m->numa[i].bytes = 0;
	p = place(m, &step, 1, NULL);
	ck_assert_str_eq(nodes(&p->task[0]), "1");
	weft_placement_free(p);
	weft_machine_free(m);
}
END_TEST

START_TEST(some_gpus)
{
	struct weft_machine *m = machine();
	struct weft_place_step steps[] = {
		{.ntasks = 3, .gpus_all = true, .gpus = 1},
		{.ntasks = 1, .gpus_all = true, .gpus = 1},
	};
	struct weft_placement *p = place(m, steps, 2, NULL);

	for (size_t i = 0; i < 3; i++) {
		ck_assert_uint_eq(p->task[i].n_gpus, 1);
		ck_assert_uint_eq(p->task[i].gpu[0], 0);
	}
	ck_assert_uint_eq(p->task[3].gpu[0], 1);
	weft_placement_free(p);
	steps[1].gpus = 2;
	place(m, steps, 2, "2 GPUs: only 1 is usable on this node");
	weft_machine_free(m);
}
END_TEST

SUITE("place_talk", bytes_decide, several_partners, memory, some_gpus)
