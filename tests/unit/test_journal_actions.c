/* test_journal_actions.c - decisions: in their order, and none counts for one reader
 * only */
#include <fcntl.h>
#include <unistd.h>

#include "journal.h"

#define SOURCE "name: heat\nsteps:\n  - {name: a, sweep: {k: [1]}, run: echo}\n"

static void decide(struct weft_run *run, const char *writer, enum weft_action_kind kind,
	const char *member)
{
	struct weft_actions *w;
	struct weft_action a = {.kind = kind,
		.step = (char *)"a",
		.member = (char *)member,
		.params = (char *)"{\"k\":2}",
		.text = (char *)"it's \"sure\"\n"};

	ok(weft_actions_open(run, writer, &w, &ok_err));
	ok(weft_actions_add(w, &a, &ok_err));
	weft_actions_close(w);
}

/* SEQ KIND MEMBER of each, a blank between. */
static void are(struct weft_run *run, const char *want)
{
	struct weft_action *v;
	struct weft_str got = {0};
	size_t n;

	ok(weft_actions_read(run, &v, &n, &ok_err));
	weft_str_add(&got, "");
	for (size_t i = 0; i < n; i++)
		weft_str_printf(&got, "%s%d %d %s", i ? " " : "", (int)v[i].seq,
			(int)v[i].kind, v[i].member);
	ck_assert_str_eq(got.s, want);
	weft_str_free(&got);
	weft_actions_free(v, n);
}

START_TEST(come_back_in_their_order)
{
	struct weft_run *run = new_run(SOURCE, 1);
	struct weft_action *v;
	size_t n;

	are(run, "");
	decide(run, "z", WEFT_ACTION_ADD, "m");
	decide(run, "b", WEFT_ACTION_CANCEL, "n");
	decide(run, "z", WEFT_ACTION_NOTE, "");
	are(run, "0 2 m 1 3 n 2 6 ");
	ok(weft_actions_read(run, &v, &n, &ok_err));
	ck_assert_str_eq(v[0].params, "{\"k\":2}");
	ck_assert_str_eq(v[0].text, "it's \"sure\"\n");
	weft_actions_free(v, n);
	weft_run_free(run);
}
END_TEST

/* Cut off anywhere, a line is either there for all who read, now and later, or for
 * none. */
START_TEST(torn_at_every_byte)
{
	struct weft_run *run = new_run(SOURCE, 1);
	weft_autofree char *path = weft_printf("%s/actions/w.jsonl", run->dir),
			   *text = NULL;
	size_t len, cut;

	decide(run, "w", WEFT_ACTION_ADD, "m");
	ok(weft_read_file(path, 1 << 20, &text, &len, &ok_err));
	for (cut = 0; cut <= len; cut++) {
		bool whole = cut >= len - 1; /* but for its newline */
		int fd = open(path, O_WRONLY | O_TRUNC);

		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(weft_write_all(fd, text, cut), 0);
		close(fd);
		are(run, whole ? "0 2 m" : "");
		decide(run, "w", WEFT_ACTION_CANCEL, "n");
		are(run, whole ? "0 2 m 1 3 n" : "0 3 n");
	}
	weft_run_free(run);
}
END_TEST

SUITE("journal_actions", come_back_in_their_order, torn_at_every_byte)
