/* Members that run at once on one machine: each gets what is near its GPUs. */
#include "engine/steer.h"

#include <string.h>

#include "suite.h"

/* Two NUMA nodes of four cores with two threads; a GPU each, the second node's first.
 */
static struct weft_machine *machine(void)
{
	struct weft_str s = {0};
	struct weft_machine *m;
	struct weft_err err = {0};

	weft_str_add(&s, "weft-topology 1\nhost -\n"
			 "size packages=2 l3=2 cores=8 cpus=16 numa=2 gpus=2 nics=0\n"
			 "numa 0 os=0 kind=dram bytes=0 cpus=0-3,8-11\n"
			 "numa 1 os=1 kind=dram bytes=0 cpus=4-7,12-15\n");
	for (unsigned c = 0; c < 8; c++)
		weft_str_printf(&s, "core %u package=%u numa=%u l3=%u cpus=%u,%u\n", c,
			c / 4, c / 4, c / 4, c, c + 8);
	for (unsigned g = 0; g < 2; g++)
		weft_str_printf(&s,
			"gpu 0000:%02x:00.0 vendor=nvidia link=none package=%u "
			"cpus=%s path=- name=- uuid=-\n",
			g + 1, !g, g ? "0-3,8-11" : "4-7,12-15");
	weft_str_add(&s, "end\n");
	ck_assert_msg(weft_machine_parse(s.s, s.len, &m, &err) == 0, "%s", err.text);
	weft_str_free(&s);
	return m;
}

struct fixture {
	struct weft_machine *m;
	struct weft_engine_node node;
	struct weft_engine e;
	struct room r;
	struct weft_step step;
};

static void open_room(struct fixture *f, bool knows, const char *visible)
{
	struct weft_err err = {0};

	memset(f, 0, sizeof(*f));
	f->m = machine();
	f->node = (struct weft_engine_node){.name = "here",
		.cpus = 16,
		.gpus = 2,
		.visible = visible,
		.machine = knows ? f->m : NULL};
	weft_cpuset_parse("0-15", &f->node.allowed);
	f->e = (struct weft_engine){
		.node = &f->node, .n_nodes = 1, .machine = knows ? f->m : NULL};
	ck_assert_int_eq(room_open(&f->r, &f->e, &err), 0);
}

static void close_room(struct fixture *f)
{
	room_close(&f->r);
	weft_machine_free(f->m);
}

static struct share take(struct fixture *f, unsigned cpus, unsigned gpus)
{
	struct weft_plan_step p = {.ntasks = 1,
		.cpus_per_task = cpus,
		.gpus = gpus,
		.gpus_per_node = gpus,
		.nodes = 1};
	struct weft_err err = {0};
	struct share s;

	ck_assert_int_eq(
		room_take(&f->r, &p, &f->step, &(struct choice){0}, &s, &err), 0);
	return s;
}

START_TEST(beside_gpus)
{
	struct fixture f;

	open_room(&f, true, "GPU-a,GPU-b");
	/* One without GPUs comes first, and leaves each GPU its part of the cores. */
	struct share cpu = take(&f, 4, 0), one = take(&f, 4, 1), two = take(&f, 4, 1);
	ck_assert_str_eq(cpu.slot.cpus, "2-3,10-11");
	ck_assert(!cpu.slot.gpus || !*cpu.slot.gpus);
	ck_assert_str_eq(one.slot.gpus, "GPU-a");
	ck_assert_str_eq(one.slot.cpus, "4-5,12-13");
	ck_assert_str_eq(two.slot.gpus, "GPU-b");
	ck_assert_str_eq(two.slot.cpus, "0-1,8-9");
	struct share rest = take(&f, 4, 0);
	ck_assert_str_eq(rest.slot.cpus, "6-7,14-15");
	room_give(&f.r, &one);
	one = take(&f, 3, 1);
	ck_assert_str_eq(one.slot.gpus, "GPU-a");
	ck_assert_str_eq(one.slot.cpus, "4-5,12");
	room_give(&f.r, &one);
	room_give(&f.r, &two);
	room_give(&f.r, &cpu);
	room_give(&f.r, &rest);
	ck_assert_uint_eq(weft_cpuset_count(&f.r.node[0].here), 16);
	ck_assert_uint_eq(f.r.node[0].gpus_here, 3);
	close_room(&f);
}
END_TEST

/* 0: taken; 1: there is no room. */
static int take_part(struct fixture *f, unsigned sharers, struct share *s)
{
	const struct weft_plan_step p = {.ntasks = 1,
		.cpus_per_task = 2,
		.gpus = 1,
		.gpus_per_node = 1,
		.tasks_per_gpu = sharers,
		.launch = WEFT_LAUNCH_SINGLE,
		.nodes = 1};
	struct weft_err err = {0};

	return room_take(&f->r, &p, &f->step, &(struct choice){0}, s, &err);
}

/* A GPU is shared by so many alike, and by no other. */
START_TEST(parts_of_gpus)
{
	struct fixture f;
	struct share s[4], none;

	open_room(&f, true, "GPU-a,GPU-b");
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_int_eq(take_part(&f, 2, &s[i]), 0);
		ck_assert_str_eq(s[i].slot.gpus, i < 2 ? "GPU-b" : "GPU-a");
		ck_assert(weft_cpuset_meets(&f.m->gpu[i < 2].cpus, &s[i].here));
		for (unsigned k = 0; k < i; k++)
			ck_assert(!weft_cpuset_meets(&s[k].here, &s[i].here));
	}
	ck_assert_int_eq(take_part(&f, 2, &none), 1);
	/* One that has half of its sharers is not for a whole, nor for thirds. */
	room_give(&f.r, &s[0]);
	ck_assert_int_eq(take_part(&f, 0, &none), 1);
	ck_assert_int_eq(take_part(&f, 3, &none), 1);
	ck_assert_int_eq(take_part(&f, 2, &s[0]), 0);
	ck_assert_str_eq(s[0].slot.gpus, "GPU-b");
	room_give(&f.r, &s[0]);
	room_give(&f.r, &s[1]);
	/* None of them is left: it is free, and a whole is for nobody else. */
	ck_assert_int_eq(take_part(&f, 0, &s[0]), 0);
	ck_assert_str_eq(s[0].slot.gpus, "GPU-b");
	room_give(&f.r, &s[3]);
	ck_assert_int_eq(take_part(&f, 2, &s[1]), 0);
	ck_assert_str_eq(s[1].slot.gpus, "GPU-a");
	ck_assert_int_eq(take_part(&f, 2, &none), 1);
	for (unsigned i = 0; i < 3; i++)
		room_give(&f.r, &s[i]);
	ck_assert_uint_eq(weft_cpuset_count(&f.r.node[0].here), 16);
	ck_assert_uint_eq(f.r.node[0].gpus_here, 3);
	ck_assert_uint_eq(f.r.node[0].gpus, 2);
	close_room(&f);
}
END_TEST

/* Every thread is somebody's: nobody is given a core of which he counts one thread. */
START_TEST(to_the_last_thread)
{
	struct fixture f;
	struct share s[16];
	struct weft_cpuset all = {0};

	open_room(&f, true, NULL);
	for (unsigned i = 0; i < 16; i++) {
		s[i] = take(&f, 1, i == 3 || i == 7);
		ck_assert_uint_eq(weft_cpuset_count(&s[i].here), 1);
		ck_assert(!weft_cpuset_meets(&all, &s[i].here));
		for (size_t w = 0; w < WEFT_CPU_WORDS; w++)
			all.w[w] |= s[i].here.w[w];
		if (s[i].gpus_here)
			ck_assert(weft_cpuset_meets(
				&f.m->gpu[s[i].gpus_here == 1 ? 0 : 1].cpus,
				&s[i].here));
	}
	ck_assert_uint_eq(weft_cpuset_count(&all), 16);
	for (unsigned i = 0; i < 16; i++)
		room_give(&f.r, &s[i]);
	/* More than there is counts as all of it. */
	s[0] = take(&f, 64, 5);
	ck_assert_uint_eq(weft_cpuset_count(&s[0].here), 16);
	ck_assert_str_eq(s[0].slot.gpus, "0,1");
	room_give(&f.r, &s[0]);
	close_room(&f);
}
END_TEST

START_TEST(unknown_machine)
{
	struct fixture f;

	open_room(&f, false, NULL);
	struct share cpu = take(&f, 4, 0), gpu = take(&f, 4, 1);
	ck_assert_str_eq(cpu.slot.cpus, "0-3");
	ck_assert_str_eq(gpu.slot.cpus, "4-7");
	ck_assert_str_eq(gpu.slot.gpus, "0");
	room_give(&f.r, &cpu);
	room_give(&f.r, &gpu);
	close_room(&f);
}
END_TEST

/* Of the nodes with room, first those that have what is read. */
START_TEST(nodes_with_its_data)
{
	static const struct weft_engine_node node[] = {{.name = "a", .cpus = 4},
		{.name = "b", .cpus = 4}, {.name = "c", .cpus = 4},
		{.name = "d", .cpus = 4}};
	const struct weft_engine e = {.node = node, .n_nodes = 4, .slurm = true};
	const uint64_t near[] = {0, 10, 0, 20};
	const unsigned char bad[] = {0, 0, 0, 2};
	static const struct {
		unsigned nodes, cpus;
		bool bad;
		const char *want;
	} t[] = {
		{1, 3, false, "d"},
		{1, 3, true, "b"},
		{1, 1, false, "d"},
		{1, 2, false, "a"},
		{2, 1, false, "b,a"},
		{1, 4, false, "c"},
	};
	struct share s[WEFT_COUNT(t)];
	weft_autoerr struct weft_err err = {0};
	struct weft_step step = {0};
	struct room r;

	ck_assert_int_eq(room_open(&r, &e, &err), 0);
	for (size_t i = 0; i < WEFT_COUNT(t); i++) {
		struct weft_plan_step p = {.nodes = t[i].nodes,
			.ntasks = t[i].nodes,
			.cpus_per_task = t[i].cpus};
		const struct choice choice = {HOW_STEP, t[i].bad ? bad : NULL, near};

		ck_assert_int_eq(room_take(&r, &p, &step, &choice, &s[i], &err), 0);
		ck_assert_str_eq(s[i].slot.nodes, t[i].want);
	}
	for (size_t i = 0; i < WEFT_COUNT(t); i++)
		room_give(&r, &s[i]);
	room_close(&r);
}
END_TEST

/* What is kept for who steers stays so when an agent comes again, and moves over when
 * members come to be started in another way. */
START_TEST(kept_for_who_steers)
{
	struct fixture f;
	struct weft_step step = {.steer = {.given = true, .cpus = 3, .gpus = 1}};
	struct weft_workflow wf = {.step = &step, .n_steps = 1};
	struct weft_plan_step member = {.ntasks = 1, .cpus_per_task = 2, .nodes = 1};
	struct steer st = {0};
	struct engine g = {.steer = &st, .n_steers = 1};
	struct weft_err err = {0};

	open_room(&f, false, NULL);
	f.e.wf = &wf;
	f.e.slurm = true;
	g.e = &f.e;
	g.room = f.r;
	room_agent(&g.room, 0, true);
	ck_assert_int_eq(steer_seat(&g, 0, &member, HOW_AGENT, &err), 0);
	ck_assert_str_eq(st.share.slot.cpus, "0-2");
	ck_assert_str_eq(st.share.slot.gpus, "0");
	room_agent(&g.room, 0, false);
	room_agent(&g.room, 0, true);
	ck_assert_uint_eq(g.room.node[0].cpus, 13);
	ck_assert_uint_eq(weft_cpuset_count(&g.room.node[0].here), 13);
	ck_assert_uint_eq(g.room.node[0].gpus_here, 2);
	ck_assert_int_eq(steer_seat(&g, 0, &member, HOW_STEP, &err), 0);
	ck_assert_uint_eq(g.room.node[0].steps, 1);
	ck_assert_uint_eq(g.room.node[0].members, 0);
	steer_rise(&g, &st);
	ck_assert_uint_eq(g.room.node[0].cpus, 16);
	ck_assert_uint_eq(weft_cpuset_count(&g.room.node[0].here), 16);
	/* A machine that has no more than a member needs: there is no seat. */
	member.cpus_per_task = 64;
	st.seated = false;
	ck_assert_int_eq(steer_seat(&g, 0, &member, HOW_AGENT, &err), 0);
	ck_assert_uint_eq(g.room.node[0].cpus, 16);
	close_room(&f);
}
END_TEST

SUITE("engine_room", beside_gpus, parts_of_gpus, to_the_last_thread, unknown_machine,
	nodes_with_its_data, kept_for_who_steers)
