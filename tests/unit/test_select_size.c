/* test_select_size.c - the keys of `resources` in every combination, as sbatch
 * would mean them. */
#include "suite.h"

#include <string.h>

#include "select/ask.h"

static struct weft_arena arena;

/* What is asked, on so many nodes, comes to this. */
struct size_case {
	const char *name;
	struct weft_resources r;
	enum weft_launch launch;
	unsigned lo, most; /* nodes that make sense */
	unsigned at;       /* nodes tried */
	struct sized want; /* nodes 0: refused there */
	enum weft_launch launched;
};

#define G 1024ull * 1024 * 1024
#define SINGLE WEFT_LAUNCH_SINGLE
#define SRUN WEFT_LAUNCH_SRUN
#define TORCH WEFT_LAUNCH_TORCHRUN
#define S(n, t, tn, ct, g, gn, cn, m)                                                  \
	{                                                                              \
		.nodes = n, .tasks = t, .tasks_node = tn, .cpus_task = ct, .gpus = g,  \
		.gpus_node = gn, .cpus_node = cn, .mem = m                             \
	}

static const struct size_case sizes[] = {
	{"nothing", {0}, 0, 1, 1, 1, S(1, 1, 1, 1, 0, 0, 1, 0), SINGLE},
	{"ntasks", {.ntasks = 8}, 0, 1, 8, 3, S(3, 8, 3, 1, 0, 0, 3, 0), SRUN},
	{"nodes", {.min_nodes = 4, .max_nodes = 4}, 0, 4, 4, 4,
		S(4, 4, 1, 1, 0, 0, 1, 0), SRUN},
	{"nodes, single", {.min_nodes = 4, .max_nodes = 4}, SINGLE, 4, 4, 4,
		S(4, 4, 1, 1, 0, 0, 1, 0), SINGLE},
	{"range", {.min_nodes = 2, .max_nodes = 4, .ntasks = 16}, 0, 2, 4, 3,
		S(3, 16, 6, 1, 0, 0, 6, 0), SRUN},
	{"tasks a node", {.ntasks_per_node = 4, .min_nodes = 2, .max_nodes = 2}, 0, 2,
		2, 2, S(2, 8, 4, 1, 0, 0, 4, 0), SRUN},
	{"tasks a node alone", {.ntasks_per_node = 4}, 0, 1, 1, 1,
		S(1, 4, 4, 1, 0, 0, 4, 0), SRUN},
	{"tasks, at most a node", {.ntasks = 10, .ntasks_per_node = 4}, 0, 3, 10, 3,
		S(3, 10, 4, 1, 0, 0, 4, 0), SRUN},
	{"cpus", {.ntasks = 4, .cpus_per_task = 3, .mem_per_cpu = G}, 0, 1, 4, 2,
		S(2, 4, 2, 3, 0, 0, 6, 6 * G), SRUN},
	{"gpus", {.gpus_given = true, .gpus = 8}, 0, 1, 8, 2, S(2, 2, 1, 1, 8, 4, 1, 0),
		SINGLE},
	{"gpus, uneven", {.gpus_given = true, .gpus = 10}, 0, 1, 10, 3,
		S(3, 3, 1, 1, 10, 4, 1, 0), SINGLE},
	{"gpus a node",
		{.gpus_given = true,
			.gpus_per_node = 4,
			.min_nodes = 2,
			.max_nodes = 2},
		0, 2, 2, 2, S(2, 2, 1, 1, 8, 4, 1, 0), SRUN},
	{"gpus and gpus a node", {.gpus_given = true, .gpus = 8, .gpus_per_node = 4}, 0,
		2, 2, 2, S(2, 2, 1, 1, 8, 4, 1, 0), SINGLE},
	{"gpus a task", {.gpus_given = true, .gpus_per_task = 2, .ntasks = 4}, 0, 1, 4,
		2, S(2, 4, 2, 1, 8, 4, 2, 0), SRUN},
	{"gpus a task, gpus", {.gpus_given = true, .gpus_per_task = 2, .gpus = 8}, 0, 1,
		4, 1, S(1, 4, 4, 1, 8, 8, 4, 0), SRUN},
	{"gpus a task, gpus a node",
		{.gpus_given = true,
			.gpus_per_task = 1,
			.gpus_per_node = 4,
			.min_nodes = 2,
			.max_nodes = 2},
		0, 2, 2, 2, S(2, 8, 4, 1, 8, 4, 4, 0), SRUN},
	{"half a GPU a task", {.gpus_given = true, .gpus_per_task = 0.5, .ntasks = 8},
		0, 1, 8, 1, S(1, 8, 8, 1, 4, 4, 8, 0), SRUN},
	{"half a GPU, alone",
		{.gpus_given = true, .gpus_per_task = 0.5, .cpus_per_gpu = 16}, 0, 1, 1,
		1, S(1, 1, 1, 8, 1, 1, 8, 0), SINGLE},
	{"tasks a GPU", {.ntasks_per_gpu = 2, .gpus_given = true, .gpus = 4}, 0, 1, 8,
		1, S(1, 8, 8, 1, 4, 4, 8, 0), SRUN},
	{"tasks a GPU, tasks", {.ntasks_per_gpu = 2, .ntasks = 8}, 0, 1, 8, 2,
		S(2, 8, 4, 1, 4, 2, 4, 0), SRUN},
	{"cpus a GPU", {.gpus_given = true, .gpus = 4, .cpus_per_gpu = 8}, 0, 1, 4, 1,
		S(1, 1, 1, 32, 4, 4, 32, 0), SINGLE},
	{"cpus a GPU, tasks",
		{.gpus_given = true,
			.gpus_per_node = 4,
			.cpus_per_gpu = 8,
			.ntasks_per_node = 2},
		0, 1, 1, 1, S(1, 2, 2, 16, 4, 4, 32, 0), SRUN},
	{"memory a GPU", {.gpus_given = true, .gpus = 4, .mem_per_gpu = 16 * G}, 0, 1,
		4, 2, S(2, 2, 1, 1, 4, 2, 1, 32 * G), SINGLE},
	{"torchrun",
		{.gpus_given = true,
			.gpus_per_node = 4,
			.cpus_per_task = 8,
			.min_nodes = 2,
			.max_nodes = 2},
		TORCH, 2, 2, 2, S(2, 8, 4, 8, 8, 4, 32, 0), TORCH},
	{"torchrun, gpus", {.gpus_given = true, .gpus = 8}, TORCH, 1, 8, 2,
		S(2, 8, 4, 1, 8, 4, 4, 0), TORCH},
	{"torchrun, uneven", {.gpus_given = true, .gpus = 8}, TORCH, 1, 8, 3, {0}, 0},
	{"torchrun on CPUs", {.min_nodes = 2, .max_nodes = 2, .ntasks_per_node = 4},
		TORCH, 2, 2, 2, S(2, 8, 4, 1, 0, 0, 4, 0), TORCH},
	{"torchrun, workers",
		{.gpus_given = true, .gpus_per_node = 4, .ntasks_per_node = 8}, TORCH,
		1, 1, 1, S(1, 8, 8, 1, 4, 4, 8, 0), TORCH},
	{"gres", {.gres = (char *)"gpu:a100:2,nvme:1", .min_nodes = 2, .max_nodes = 2},
		0, 2, 2, 2, S(2, 2, 1, 1, 4, 2, 1, 0), SRUN},
	{"no GPUs", {.gpus_given = true, .gpus = 0, .ntasks = 2}, 0, 1, 2, 1,
		S(1, 2, 2, 1, 0, 0, 2, 0), SRUN},
	{"more nodes than tasks", {.ntasks = 2}, 0, 1, 2, 3, {0}, 0},
};

static bool same(const struct sized *a, const struct sized *b)
{
	return a->nodes == b->nodes && a->tasks == b->tasks &&
	       a->tasks_node == b->tasks_node && a->cpus_task == b->cpus_task &&
	       a->gpus == b->gpus && a->gpus_node == b->gpus_node &&
	       a->cpus_node == b->cpus_node && a->mem == b->mem &&
	       a->in_memory == b->in_memory;
}

START_TEST(size)
{
	const struct size_case *c = &sizes[_i];
	weft_autoerr struct weft_err err = {0};
	struct sized s = {0};
	enum ask_key key;
	struct ask a;

	ck_assert_msg(ask_make(&a, &c->r, c->launch, &arena, &key, &err) == 0, "%s: %s",
		c->name, err.text);
	ck_assert_msg(a.lo == c->lo, "%s: at least %u nodes", c->name, a.lo);
	ck_assert_msg(ask_most_nodes(&a) == c->most, "%s: at most %u nodes", c->name,
		ask_most_nodes(&a));
	bool can = ask_size(&a, c->at, &s);
	ck_assert_msg(can == (c->want.nodes > 0), "%s: %d", c->name, can);
	if (can) {
		ck_assert_msg(same(&s, &c->want),
			"%s: %u nodes %u tasks %u a node %u cpus %u gpus %u a node "
			"%ju cpus a node %ju bytes",
			c->name, s.nodes, s.tasks, s.tasks_node, s.cpus_task, s.gpus,
			s.gpus_node, (uintmax_t)s.cpus_node, (uintmax_t)s.mem);
		ck_assert_msg(ask_launch(&a, &s) == c->launched, "%s: launch", c->name);
	}
	weft_arena_free(&arena);
}
END_TEST

/* Keys that say different things, and which of them is blamed. */
static const struct {
	struct weft_resources r;
	enum weft_launch launch;
	enum ask_key key;
	const char *text;
} clashes[] = {
	{{.gpus_per_task = 1, .ntasks_per_gpu = 1, .ntasks = 1}, 0, KEY_NTASKS_PER_GPU,
		"gpus_per_task and ntasks_per_gpu exclude each other"},
	{{.gpus_per_task = 1.5, .ntasks = 1}, 0, KEY_GPUS_PER_TASK,
		"gpus_per_task: 1.5 is neither whole nor an even part of one"},
	{{.gpus_per_task = 0.3, .ntasks = 1}, 0, KEY_GPUS_PER_TASK,
		"gpus_per_task: 0.3 is neither whole nor an even part of one"},
	{{.gpus = 7, .gpus_per_task = 2}, 0, KEY_GPUS_PER_TASK,
		"7 GPUs are not 2 for each task"},
	{{.gpus = 8, .gpus_per_task = 2, .ntasks = 3}, 0, KEY_NTASKS,
		"ntasks: 3, but gpus: 8 make 4 tasks"},
	{{.gpus_per_node = 4, .gpus_per_task = 2, .ntasks_per_node = 4}, 0,
		KEY_NTASKS_PER_NODE,
		"ntasks_per_node: 4, but gpus_per_node: 4 make 2 tasks a node"},
	{{.gpus = 6, .gpus_per_node = 4}, 0, KEY_GPUS,
		"gpus: 6 is not a multiple of gpus_per_node: 4"},
	{{.gpus = 8, .gpus_per_node = 4, .min_nodes = 3, .max_nodes = 3}, 0, KEY_NODES,
		"gpus: 8 with gpus_per_node: 4 are 2 nodes"},
	{{.min_nodes = 4, .max_nodes = 2}, 0, KEY_NODES, "nodes: 4-2 is empty"},
	{{.min_nodes = 4, .max_nodes = 4, .ntasks = 2}, 0, KEY_NODES,
		"4 nodes for 2 tasks: Slurm gives no node without a task"},
	{{.min_nodes = 4, .max_nodes = 4, .gpus = 2}, 0, KEY_NODES,
		"2 GPUs over 4 nodes leave nodes without one"},
	{{.min_nodes = 2, .max_nodes = 2, .ntasks = 9, .ntasks_per_node = 4}, 0,
		KEY_NTASKS, "9 tasks at 4 a node are 3 nodes, and nodes says 2"},
	{{.min_nodes = 2, .max_nodes = 2, .ntasks = 5}, TORCH, KEY_NTASKS,
		"torchrun needs as many workers on each node: 5 are not even over 2 "
		"nodes"},
	{{.min_nodes = 4000000, .max_nodes = 4000000, .ntasks_per_node = 4000000}, 0,
		KEY_NTASKS_PER_NODE,
		"4000000 nodes of 4000000 tasks are more than 4194304"},
	{{.mem = 1, .mem_per_cpu = 1}, 0, KEY_MEM,
		"mem, mem_per_cpu and mem_per_gpu exclude each other"},
	{{.mem_per_gpu = 1}, 0, KEY_MEM_PER_GPU, "mem_per_gpu without GPUs"},
	{{.cpus_per_gpu = 1}, 0, KEY_CPUS_PER_GPU, "cpus_per_gpu without GPUs"},
	{{.cpus_per_gpu = 1, .cpus_per_task = 1, .gpus = 1}, 0, KEY_CPUS_PER_GPU,
		"cpus_per_task and cpus_per_gpu exclude each other"},
	{{.gres = (char *)"gpu:2", .gpus_per_node = 4}, 0, KEY_GRES,
		"gpus_per_node says 4 GPUs a node, gres 2"},
};

START_TEST(clash)
{
	weft_autoerr struct weft_err err = {0};
	enum ask_key key;
	struct ask a;

	ck_assert_int_eq(
		ask_make(&a, &clashes[_i].r, clashes[_i].launch, &arena, &key, &err),
		-1);
	ck_assert_str_eq(err.text, clashes[_i].text);
	ck_assert_int_eq(key, clashes[_i].key);
	ck_assert_int_eq(err.code, WEFT_ESPEC);
	ck_assert_ptr_nonnull(err.hint);
	weft_arena_free(&arena);
}
END_TEST

START_TEST(gres_is_taken_apart)
{
	static const struct {
		const char *gres, *type, *rest;
		unsigned gpus;
	} t[] = {
		{"gpu", "", "", 1},
		{"gpu:3", "", "", 3},
		{"gpu:a100", "a100", "", 1},
		{"gpu:a100:2", "a100", "", 2},
		{"nvme:1,gpu:2,fpga", "", "nvme:1,fpga", 2},
		{"nvme", "", "nvme", 0},
	};

	for (size_t i = 0; i < WEFT_COUNT(t); i++) {
		struct weft_resources r = {.gres = (char *)t[i].gres};
		enum ask_key key;
		struct ask a;

		ck_assert_int_eq(ask_make(&a, &r, 0, &arena, &key, NULL), 0);
		ck_assert_str_eq(a.gpu_type, t[i].type);
		ck_assert_str_eq(a.gres, t[i].rest);
		ck_assert_uint_eq(a.gpu_mode == GPUS_NODE ? a.gpus : 0, t[i].gpus);
	}
	weft_arena_free(&arena);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("select_size");
	TCase *c = tcase_create("select_size");
	SRunner *r;

	tcase_add_loop_test(c, size, 0, WEFT_COUNT(sizes));
	tcase_add_loop_test(c, clash, 0, WEFT_COUNT(clashes));
	tcase_add_test(c, gres_is_taken_apart);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);

	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
