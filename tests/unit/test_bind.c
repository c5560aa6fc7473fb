#include "bind/bind.h"

#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"

/* Two NUMA nodes of two cores with two threads; two GPUs and one NIC each. */
static struct weft_machine *machine(const char *vendor, const char *uuid)
{
	struct weft_str s = {0};
	struct weft_machine *m;
	struct weft_err err = {0};

	weft_str_add(&s, "weft-topology 1\nhost -\n"
			 "size packages=1 l3=2 cores=4 cpus=8 numa=2 gpus=4 nics=2\n"
			 "numa 0 os=0 kind=dram bytes=1 cpus=0-1,4-5\n"
			 "numa 1 os=8 kind=dram bytes=1 cpus=2-3,6-7\n"
			 "core 0 package=0 numa=0 l3=0 cpus=0,4\n"
			 "core 1 package=0 numa=0 l3=0 cpus=1,5\n"
			 "core 2 package=0 numa=1 l3=1 cpus=2,6\n"
			 "core 3 package=0 numa=1 l3=1 cpus=3,7\n");
	for (int i = 0; i < 4; i++) {
		char id[64] = "-";
		if (uuid)
			snprintf(id, sizeof(id), "%s%d", uuid, i);
		weft_str_printf(&s,
			"gpu 0000:%d0:00.0 vendor=%s link=none package=0 cpus=%s "
			"path=- "
			"name=- uuid=%s\n",
			i + 1, vendor, i < 2 ? "0-1,4-5" : "2-3,6-7", id);
	}
	for (int i = 0; i < 2; i++)
		weft_str_printf(&s,
			"nic 0000:%d0:00.0 vendor=other link=verbs package=0 cpus=%s "
			"path=- "
			"name=mlx5_%d uuid=-\n",
			i + 5, i ? "2-3,6-7" : "0-1,4-5", i);
	weft_str_add(&s, "end\n");
	ck_assert_msg(weft_machine_parse(s.s, s.len, &m, &err) == 0, "%s", err.text);
	weft_str_free(&s);
	return m;
}

static const char *var(const struct weft_binding *b, const char *name)
{
	for (size_t i = 0; i < b->n_vars; i++)
		if (!strcmp(b->var[i].name, name))
			return b->var[i].value;
	return "(none)";
}

START_TEST(usable_gpus)
{
	static const struct {
		const char *slurm, *visible, *want;
	} cases[] = {
		{NULL, NULL, "0 1 2 3 "},
		{"2,3", "0,1", "2 3 "}, /* Slurm, device cgroup */
		{"2,3", "2,3", "2 3 "}, /* Slurm without it */
		{"2-3", NULL, "2 3 "},
		{"0,1,2,3", "2", "0 "}, /* fewer are shown */
		{"0,9", "0,1", "0 1 "}, /* not of this model */
		{"junk", "1", "1 "},
		{NULL, "3,1", "3 1 "},
		{NULL, "GPU-aaaaaaa2,GPU-aaaaaaa0", "2 0 "},
		{NULL, "MIG-1,MIG-2", "0 1 "},
		{NULL, "7,8", "0 1 "}, /* numbers of elsewhere */
		{NULL, "1,1", "0 1 "},
		{NULL, "0,1,2,3,4,5", "0 1 2 3 "},
		{NULL, "", ""},
		{"0,1", "NoDevFiles", ""},
	};
	struct weft_machine *m = machine("nvidia", "GPU-aaaaaaa");
	unsigned gpus[WEFT_MAX_DEVICES];

	for (size_t i = 0; i < WEFT_COUNT(cases); i++) {
		struct weft_str s = {0};
		size_t n = weft_bind_usable_gpus(
			m, cases[i].slurm, cases[i].visible, gpus);
		weft_str_add(&s, "");
		for (size_t k = 0; k < n; k++)
			weft_str_printf(&s, "%u ", gpus[k]);
		ck_assert_msg(!strcmp(s.s, cases[i].want), "%zu: %s", i, s.s);
		weft_str_free(&s);
	}
	weft_machine_free(m);
}
END_TEST

START_TEST(gpu_names)
{
	static const struct {
		const char *vendor, *uuid, *visible, *name, *want;
		unsigned allowed[4];
		size_t n_allowed; /* 0: all */
		unsigned gpu[2];
		size_t n;
		bool borrowed;
	} cases[] = {
		{"nvidia", NULL, NULL, "CUDA_VISIBLE_DEVICES", "1,2", {0}, 0, {1, 2}, 2,
			0},
		{"nvidia", "GPU-abcdef", NULL, "CUDA_VISIBLE_DEVICES", "GPU-abcdef3",
			{0}, 0, {3}, 1, 0},
		{"nvidia", "GPU-abcdef", NULL, "CUDA_VISIBLE_DEVICES", "3", {0}, 0, {3},
			1, 1},
		{"nvidia", NULL, "0,1", "CUDA_VISIBLE_DEVICES", "1", {2, 3}, 2, {3}, 1,
			0},
		{"nvidia", NULL, "2,3", "CUDA_VISIBLE_DEVICES", "3", {2, 3}, 2, {3}, 1,
			0},
		{"nvidia", NULL, "MIG-a,MIG-b", "CUDA_VISIBLE_DEVICES", "MIG-b", {0, 1},
			2, {1}, 1, 0},
		/* Never a device outside the list: the variable is left alone. */
		{"nvidia", NULL, "0", "CUDA_VISIBLE_DEVICES", "(none)", {0}, 0, {1}, 1,
			0},
		{"nvidia", NULL, "0,1", "CUDA_VISIBLE_DEVICES", "(none)", {2, 3}, 2,
			{0}, 1, 0},
		{"nvidia", NULL, "", "CUDA_VISIBLE_DEVICES", "(none)", {0}, 0, {0}, 1,
			0},
		{"nvidia", NULL, "NoDevFiles", "CUDA_VISIBLE_DEVICES", "(none)", {0}, 0,
			{0}, 1, 0},
		{"amd", NULL, "0,1,2,3", "ROCR_VISIBLE_DEVICES", "2,3", {0}, 0, {2, 3},
			2, 0},
		{"amd", NULL, "0,1,2,3", "HIP_VISIBLE_DEVICES", "0,1", {0}, 0, {2, 3},
			2, 0},
		{"intel", NULL, NULL, "ZE_AFFINITY_MASK", "2", {0}, 0, {2}, 1, 0},
		{"other", NULL, NULL, "CUDA_VISIBLE_DEVICES", "(none)", {0}, 0, {2}, 1,
			0},
	};

	for (size_t i = 0; i < WEFT_COUNT(cases); i++) {
		struct weft_machine *m = machine(cases[i].vendor, cases[i].uuid);
		struct weft_placed_task t = {.n_gpus = cases[i].n};
		struct weft_place_step step = {0};
		struct weft_binding b;
		weft_cpuset_add(&t.cpus, 0);
		memcpy(t.gpu, cases[i].gpu, sizeof(cases[i].gpu));
		ck_assert_int_eq(weft_bind_prepare(m, &t, &step,
					 cases[i].n_allowed ? cases[i].allowed : NULL,
					 cases[i].n_allowed, cases[i].visible,
					 cases[i].borrowed, &b, NULL),
			0);
		ck_assert_msg(!strcmp(var(&b, cases[i].name), cases[i].want), "%zu: %s",
			i, var(&b, cases[i].name));
		weft_machine_free(m);
	}
}
END_TEST

/* Parts of cards: the first two of the machine's are of one. */
START_TEST(partitions)
{
	static const struct {
		const char *vendor, *uuid;
		unsigned gpu;
		bool borrowed;
		const char *name, *want;
	} cases[] = {
		{"nvidia", "MIG-abcdef", 1, false, "CUDA_VISIBLE_DEVICES",
			"MIG-abcdef1"},
		/* A part without a name can't be told; a card after it is the second.
		 */
		{"nvidia", NULL, 1, false, "CUDA_VISIBLE_DEVICES", "(none)"},
		{"nvidia", NULL, 2, false, "CUDA_VISIBLE_DEVICES", "1"},
		{"amd", "GPU-abcdef", 1, false, "ROCR_VISIBLE_DEVICES", "1"},
		{"amd", "GPU-abcdef", 2, false, "ROCR_VISIBLE_DEVICES", "GPU-abcdef2"},
		{"amd", NULL, 2, false, "ROCR_VISIBLE_DEVICES", "2"},
	};

	for (size_t i = 0; i < WEFT_COUNT(cases); i++) {
		struct weft_machine *m = machine(cases[i].vendor, cases[i].uuid);
		struct weft_placed_task t = {.n_gpus = 1, .gpu = {cases[i].gpu}};
		struct weft_place_step step = {0};
		struct weft_binding b;
		strcpy(m->gpu[0].pci, "0000:10:00.0/0");
		strcpy(m->gpu[1].pci, "0000:10:00.0/1");
		weft_cpuset_add(&t.cpus, 0);
		ck_assert_int_eq(weft_bind_prepare(m, &t, &step, NULL, 0, NULL,
					 cases[i].borrowed, &b, NULL),
			0);
		ck_assert_msg(!strcmp(var(&b, cases[i].name), cases[i].want), "%zu: %s",
			i, var(&b, cases[i].name));
		weft_machine_free(m);
	}
}
END_TEST

START_TEST(threads_and_nics)
{
	struct weft_machine *m = machine("nvidia", NULL);
	struct weft_placed_task t = {.n_gpus = 1,
		.gpu = {2},
		.n_nics = 1,
		.nic = {1},
		.n_numa = 1,
		.numa = {1}};
	struct weft_place_step step = {.cpus = WEFT_PLACE_SPREAD};
	struct weft_binding b;

	weft_cpuset_parse("2-3,6-7", &t.cpus);
	ck_assert_int_eq(
		weft_bind_prepare(m, &t, &step, NULL, 0, NULL, true, &b, NULL), 0);
	ck_assert_str_eq(var(&b, "OMP_NUM_THREADS"), "2");
	ck_assert_str_eq(var(&b, "OMP_PLACES"), "cores");
	ck_assert_str_eq(var(&b, "OMP_PROC_BIND"), "spread");
	ck_assert_str_eq(var(&b, "NCCL_IB_HCA"), "=mlx5_1");
	ck_assert_str_eq(var(&b, "UCX_NET_DEVICES"), "mlx5_1:1");
	ck_assert_uint_eq(b.nodemask[0], 1 << 8);
	step.smt = 2;
	ck_assert_int_eq(
		weft_bind_prepare(m, &t, &step, NULL, 0, NULL, true, &b, NULL), 0);
	ck_assert_str_eq(var(&b, "OMP_NUM_THREADS"), "4");
	ck_assert_str_eq(var(&b, "OMP_PLACES"), "threads");
	step.cpus_per_task = 3;
	m->nic[0].link = WEFT_LINK_FABRIC; /* no choice among HCAs */
	ck_assert_int_eq(
		weft_bind_prepare(m, &t, &step, NULL, 0, NULL, true, &b, NULL), 0);
	ck_assert_str_eq(var(&b, "OMP_NUM_THREADS"), "3");
	ck_assert_str_eq(var(&b, "NCCL_IB_HCA"), "(none)");
	/* A card that is not here, or not up, is not named. */
	m->nic[0].link = WEFT_LINK_VERBS;
	strcpy(m->nic[1].name, "nohca_9");
	ck_assert_int_eq(
		weft_bind_prepare(m, &t, &step, NULL, 0, NULL, false, &b, NULL), 0);
	ck_assert_str_eq(var(&b, "UCX_NET_DEVICES"), "(none)");
	t.gpu[0] = 99;
	ck_assert_int_eq(
		weft_bind_prepare(m, &t, &step, NULL, 0, NULL, true, &b, NULL), -1);
	weft_machine_free(m);
}
END_TEST

/* What the kernel says after apply(), in a child. */
static int applied(const struct weft_binding *b, int cpu)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		cpu_set_t set;
		int mode = -1;
		unsigned long nodes[16] = {0};
		const char *why = weft_bind_apply(b);
		if (why && strcmp(why, "set_mempolicy")) /* containers forbid it */
			_exit(1);
		if (sched_getaffinity(0, sizeof(set), &set) || CPU_COUNT(&set) != 1 ||
			!CPU_ISSET(cpu, &set))
			_exit(2);
		if (!why &&
			(syscall(SYS_get_mempolicy, &mode, nodes, 1024UL, NULL, 0UL) ||
				mode != 1 || nodes[0] != 1))
			_exit(3);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(apply)
{
	struct weft_binding b = {.memory = WEFT_PLACE_LOCAL, .nodemask = {1}};
	cpu_set_t set;
	int cpu = 0;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(set), &set), 0);
	while (!CPU_ISSET(cpu, &set))
		cpu++;
	weft_cpuset_add(&b.cpus, (unsigned)cpu);
	ck_assert_int_eq(applied(&b, cpu), 0);
	b.borrowed = true;
	ck_assert_int_eq(applied(&b, cpu), CPU_COUNT(&set) == 1 ? 3 : 2);
	b.borrowed = false;
	memset(&b.cpus, 0, sizeof(b.cpus));
	weft_cpuset_add(&b.cpus, 4095);
	ck_assert_int_eq(applied(&b, cpu), 1);
}
END_TEST

START_TEST(notes)
{
	static const char good[] =
		"1 by=7.0 host=%s borrowed=0 memory=local cpus=0-3 numa=8 "
		"gpus=0000:10:00.0 show=CUDA_VISIBLE_DEVICES=0 "
		"around=6 avoid=0000:20:00.0";
	static const char *const bad[] = {"", "1", "2 by=7.0",
		"1 by=7.0 host= borrowed=2 memory=local cpus= numa= gpus= show= "
		"around= "
		"avoid=",
		"1 by= host= borrowed=0 memory=locals cpus= numa= gpus= show= around= "
		"avoid=",
		"1 by= host= borrowed=0 memory=local cpus=4-1 numa= gpus= show= "
		"around= "
		"avoid=",
		"1 by= host= borrowed=0 memory=local cpus= numa= gpus= show= around=",
		"1 by= host= borrowed=0 memory=local cpus= numa= gpus= show= around= "
		"avoid= "};
	struct weft_machine *m = machine("nvidia", NULL);
	struct weft_placed_task t = {.n_gpus = 1, .gpu = {0}, .n_numa = 1, .numa = {1}};
	struct weft_others *o = calloc(1, sizeof(*o));
	struct weft_place_step step = {.ntasks = 2, .gpus_per_task = 1};
	struct weft_note note;
	struct weft_binding b;
	char text[9000], host[65] = "";

	weft_cpuset_parse("0-3", &t.cpus);
	ck_assert_int_eq(
		weft_bind_prepare(m, &t, &step, NULL, 0, NULL, false, &b, NULL), 0);
	weft_cpuset_add(&o->cpus, 6);
	weft_bind_add_others(o, "0000:20:00.0,,0000:20:00.0");
	weft_bind_add_note(m, &t, "7.0", o, &b);
	gethostname(host, sizeof(host));
	snprintf(text, sizeof(text), good, host);
	ck_assert_str_eq(var(&b, WEFT_PLACED_ENV), text);
	ck_assert(weft_bind_read_note(text, &note));
	ck_assert_str_eq(note.host, host);
	ck_assert_str_eq(note.by, "7.0");
	ck_assert_uint_eq(note.nodemask[0], 1 << 8);
	ck_assert_str_eq(note.variable, "CUDA_VISIBLE_DEVICES");
	ck_assert_str_eq(note.visible, "0");
	ck_assert_str_eq(note.around_gpus, "0000:20:00.0");
	for (size_t i = 0; i < WEFT_COUNT(bad); i++)
		ck_assert_msg(!weft_bind_read_note(bad[i], &note), "%s", bad[i]);
	/* No field is longer than its place. */
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	memcpy(text, "1 by=", 5);
	ck_assert(!weft_bind_read_note(text, &note));
	free(o);
	weft_machine_free(m);
}
END_TEST

START_TEST(around)
{
	static const struct {
		const char *cpus, *gpus;
		unsigned tasks;
		double each;
		const char *left_cpus;
		size_t left_gpus;
	} cases[] = {
		{"0-3", "0000:10:00.0,0000:20:00.0", 4, 0, "4-7", 2},
		{"0-3", "0000:10:00.0,0000:20:00.0", 2, 1, "4-7", 2},
		{"0-3", "0000:10:00.0,0000:20:00.0", 3, 1, "4-7", 4}, /* too few */
		{"0-3", "", 5, 0, "0-7", 4},                          /* too few */
		{"0-7", "9999:10:00.0", 1, 0, "0-7", 4},
		{"", "", 1, 0, "0-7", 4},
	};
	struct weft_machine *m = machine("nvidia", NULL);
	struct weft_others *o = calloc(1, sizeof(*o));

	for (size_t i = 0; i < WEFT_COUNT(cases); i++) {
		struct weft_place_step step = {
			.ntasks = cases[i].tasks, .gpus_per_task = cases[i].each};
		struct weft_cpuset cpus;
		unsigned gpus[4] = {0, 1, 2, 3};
		size_t n = 4;
		char list[64];
		memset(o, 0, sizeof(*o));
		weft_cpuset_parse(cases[i].cpus, &o->cpus);
		weft_bind_add_others(o, cases[i].gpus);
		weft_cpuset_parse("0-7", &cpus);
		weft_bind_around(m, o, &step, &cpus, gpus, &n);
		weft_cpuset_print(&cpus, list, sizeof(list));
		ck_assert_msg(!strcmp(list, cases[i].left_cpus), "%zu: %s", i, list);
		ck_assert_msg(n == cases[i].left_gpus, "%zu: %zu GPUs", i, n);
		ck_assert_uint_eq(gpus[0], n == 2 ? 2 : 0);
	}
	free(o);
	weft_machine_free(m);
}
END_TEST

SUITE("bind", usable_gpus, gpu_names, partitions, threads_and_nics, apply, notes,
	around)
