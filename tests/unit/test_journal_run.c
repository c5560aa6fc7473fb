/* test_journal_run.c - run directories: claimed, found again, damaged */
#include <sys/wait.h>

#include "journal.h"

#define SOURCE "name: heat\nsteps:\n  - {name: a, run: echo}\n"

START_TEST(numbers_and_files)
{
	const char *set[] = {"vars.x=1", "steps.a.run=\"\n\\\""};
	put_text(in_scratch("over.yaml"), "vars: {x: 2}\n");
	const char *overlay[] = {in_scratch("over.yaml")};
	struct weft_run_new def = {.parent = in_scratch("runs"),
		.name = "heat",
		.file = "/home/me/h\xc3\xa4.yaml",
		.dir = "/home/me",
		.source = "a\0b",
		.source_len = 3,
		.set = set,
		.n_set = 2,
		.overlay = overlay,
		.n_overlay = 1,
		.local = true,
		.n_steps = 7,
		.plan_json = "{\"plan\":1}"};
	struct weft_run *r[3];
	char *text;
	size_t n;

	for (unsigned i = 0; i < 3; i++) {
		ok(weft_run_create(&def, &r[i], &ok_err));
		ck_assert_uint_eq(r[i]->number, i + 1);
	}
	ck_assert_str_eq(r[1]->id, "heat/2");
	ck_assert_str_eq(r[1]->dir, in_scratch("runs/heat/2"));
	ck_assert_str_eq(r[1]->file, def.file);
	ck_assert_str_eq(r[1]->workdir, "/home/me");
	ck_assert_str_eq(r[1]->version, weft_version);
	ck_assert(r[1]->local);
	ck_assert_uint_eq(r[1]->n_steps, 7);
	ck_assert_uint_eq(r[1]->n_set, 2);
	ck_assert_str_eq(r[1]->set[1], set[1]);
	ck_assert_uint_eq(r[1]->n_overlay, 1);
	ok(weft_read_file(r[1]->overlay[0], 100, &text, &n, &ok_err));
	ck_assert_str_eq(text, "vars: {x: 2}\n");
	free(text);
	ok(weft_run_plan_text(r[1], &text, &n, &ok_err));
	ck_assert_str_eq(text, "{\"plan\":1}");
	free(text);
	ok(weft_read_file(
		in_scratch("runs/heat/2/workflow.yaml"), 100, &text, &n, &ok_err));
	ck_assert_uint_eq(n, 3);
	free(text);
	/* Numbers are never used again. */
	ok(weft_remove_tree(in_scratch("runs/heat/2"), &ok_err));
	weft_run_free(r[0]);
	ok(weft_run_create(&def, &r[0], &ok_err));
	ck_assert_uint_eq(r[0]->number, 4);
	for (int i = 0; i < 3; i++)
		weft_run_free(r[i]);
	weft_run_free(NULL);
}
END_TEST

START_TEST(refusals)
{
	struct weft_run_new def = {.parent = in_scratch("runs"),
		.name = "x",
		.file = "f",
		.dir = "/",
		.source = "",
		.plan_json = "{}"};
	static const char *const name[] = {"..", ".", "a/b", "", "/a"};
	struct weft_run *run;

	for (size_t i = 0; i < WEFT_COUNT(name); i++) {
		def.name = name[i];
		refused(weft_run_create(&def, &run, &ok_err), "can't name a folder");
		ck_assert_ptr_null(run);
	}
	def.name = "x";
	def.file = "/home/\xff.yaml";
	refused(weft_run_create(&def, &run, &ok_err), "not UTF-8");
	def.file = "f";
	const char *set[] = {"a=\xff"};
	def.set = set;
	def.n_set = 1;
	refused(weft_run_create(&def, &run, &ok_err), "not UTF-8");
	def.n_set = 0;
	const char *overlay[] = {in_scratch("none.yaml")};
	def.overlay = overlay;
	def.n_overlay = 1;
	refused(weft_run_create(&def, &run, &ok_err), "none.yaml");
	def.n_overlay = 65;
	refused(weft_run_create(&def, &run, &ok_err), "64 overlays");
	/* Nothing half made stays. */
	ck_assert(!exists(in_scratch("runs/x/1")));
	def.n_overlay = 0;
	put_text(in_scratch("file"), "");
	def.parent = in_scratch("file");
	refused(weft_run_create(&def, &run, &ok_err), "run directory");
}
END_TEST

START_TEST(twenty_at_once)
{
	enum { N = 20 };
	int fd[2], go[2];
	bool seen[N + 1] = {false};

	scratch(); /* one for all */
	ck_assert_int_eq(pipe(fd) | pipe(go), 0);
	for (int i = 0; i < N; i++) {
		if (fork() == 0) {
			char c;

			close(go[1]);
			(void)!read(go[0], &c, 1); /* all start when it is closed */
			struct weft_run *r = new_run(SOURCE, 1);
			(void)!write(fd[1], &r->number, sizeof(r->number));
			weft_run_free(r);
			_exit(0);
		}
	}
	close(go[1]);
	close(fd[1]);
	unsigned number;
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(read(fd[0], &number, sizeof(number)), sizeof(number));
		ck_assert_uint_le(number, N);
		ck_assert_msg(!seen[number], "two have number %u", number);
		seen[number] = true;
	}
	while (wait(NULL) > 0)
		;
}
END_TEST

static void opens(const char *dir, const char *parent, const char *id)
{
	struct weft_run *r;

	ok(weft_run_open(dir, parent, &r, &ok_err));
	ck_assert_str_eq(r->id, id);
	weft_run_free(r);
}

START_TEST(found_by_folder_and_by_name)
{
	struct weft_run *run;

	for (int i = 0; i < 11; i++)
		weft_run_free(new_run(SOURCE, 1));
	ck_assert_int_eq(chdir(scratch()), 0);
	opens(in_scratch("runs/heat/3"), NULL, "heat/3");
	opens("runs/heat/3/", "elsewhere", "heat/3");
	opens("runs/heat", NULL, "heat/11"); /* the latest by number, not by letters */
	opens("heat", "runs", "heat/11");
	opens("heat/2", "runs", "heat/2");
	opens("heat", in_scratch("runs"), "heat/11");
	/* A run that is being made isn't one yet. */
	ck_assert_int_eq(mkdir("runs/heat/12", 0755), 0);
	opens("heat", "runs", "heat/11");
	ck_assert_int_eq(chdir("runs/heat/4/steps"), 0);
	opens("..", NULL, "heat/4");
	refused(weft_run_open("heat/99", in_scratch("runs"), &run, &ok_err),
		"no run 'heat/99'");
	refused(weft_run_open("nobody", NULL, &run, &ok_err), "no run 'nobody'");
	refused(weft_run_open("", "x", &run, &ok_err), "no run");
}
END_TEST

START_TEST(damaged)
{
	static const char *const text[] = {"", "{", "[]", "null", "{}",
		"{\"format\": 1}", "{\"format\": 3}",
		"{\"format\": 2, \"name\": \"x\", \"file\": \"f\"}",
		"{\"format\": 2, \"name\": \"x\", \"number\": 0, \"file\": \"f\"}",
		"{\"format\": 2, \"name\": 5, \"number\": 1, \"file\": \"f\"}",
		"{\"format\": 2, \"name\": \"x\", \"number\": 1}",
		"{\"format\": 2, \"name\": \"x\", \"number\": 1, \"file\": \"f\", "
		"\"steps\": -1}",
		"{\"format\": 2, \"name\": \"x\", \"number\": 1, \"file\": \"f\", "
		"\"overlays\": 99}",
		"{\"format\": 2, \"name\": \"x\", \"number\": 99999999999, \"file\": "
		"\"f\"}"};
	struct weft_run *run;

	ok(weft_mkdirs(in_scratch("r"), 0755, &ok_err));
	for (size_t i = 0; i < WEFT_COUNT(text); i++) {
		put_text(in_scratch("r/run.json"), text[i]);
		refused(weft_run_open(in_scratch("r"), NULL, &run, &ok_err),
			"run.json");
		ck_assert_ptr_null(run);
	}
	/* The least that is a run; types that are wrong count as not there. */
	put_text(in_scratch("r/run.json"),
		"{\"format\": 2, \"name\": \"x\", \"number\": 7, "
		"\"file\": \"f\", \"set\": {\"a\": 1}, \"user\": [], \"overlays\": "
		"-3}");
	ok(weft_run_open(in_scratch("r"), NULL, &run, &ok_err));
	ck_assert_str_eq(run->id, "x/7");
	ck_assert_str_eq(run->user, "");
	ck_assert_uint_eq(run->n_set + run->n_overlay, 0);
	weft_run_free(run);
}
END_TEST

START_TEST(folders_hold_few_entries)
{
	struct weft_run *run = new_run(SOURCE, 1);
	struct weft_step step = {.name = "s", .index = 2345};
	struct weft_member m = {.count = 1, .id = "0123456789ab"};
	static const struct {
		size_t n_steps, count;
		const char *want;
	} t[] = {{1, 1, "s/0123456789ab"}, {1, 1000, "s/0123456789ab"},
		{1000, 1001, "s/01/0123456789ab"},
		{1001, 1001, "002/s/01/0123456789ab"},
		{1, 200001, "s/01/23/0123456789ab"}};

	for (size_t i = 0; i < WEFT_COUNT(t); i++) {
		run->n_steps = t[i].n_steps;
		m.count = t[i].count;
		step.sweep.kind = WEFT_SWEEP_AXES;
		char *dir = weft_run_step_dir(run, &step, &m);
		ck_assert_str_eq(dir + strlen(run->dir) + strlen("/steps/"), t[i].want);
		free(dir);
	}
	step.sweep.kind = WEFT_SWEEP_NONE;
	run->n_steps = 3;
	char *dir = weft_run_step_dir(run, &step, &m);
	ck_assert_str_eq(dir + strlen(run->dir), "/steps/s");
	free(dir);
	weft_run_free(run);
}
END_TEST

START_TEST(stop_marker)
{
	struct weft_run *run = new_run(SOURCE, 1);
	char *reason;

	ck_assert_int_eq(weft_run_stopped(run, &reason), 1);
	ck_assert_ptr_null(reason);
	ok(weft_run_stop(run, "a failed", &ok_err));
	ok(weft_run_stop(run, "b failed", &ok_err));
	ck_assert_int_eq(weft_run_stopped(run, &reason), 0);
	ck_assert_str_eq(reason, "b failed");
	free(reason);
	/* One that can't be read stops all the same. */
	ck_assert_int_eq(unlink(in_scratch("runs/heat/1/stop")), 0);
	ck_assert_int_eq(mkdir(in_scratch("runs/heat/1/stop"), 0755), 0);
	ck_assert_int_eq(weft_run_stopped(run, &reason), 0);
	ck_assert_str_eq(reason, "stopped");
	free(reason);
	weft_run_free(run);
}
END_TEST

SUITE("journal_run", numbers_and_files, refusals, twenty_at_once,
	found_by_folder_and_by_name, damaged, folders_hold_few_entries, stop_marker)
