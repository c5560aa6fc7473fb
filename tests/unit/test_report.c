/* test_report.c - tables and errors as people and scripts see them. */
#include "suite.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "report/report.h"

static const struct weft_style plain = {.utf8 = true};

static void expect(struct weft_str *got, const char *want)
{
	ck_assert(!got->failed);
	ck_assert_str_eq(got->s ? got->s : "", want);
	weft_str_free(got);
}

START_TEST(table_aligns)
{
	static const char *const head[] = {"step", "n", "why"};
	struct weft_table *t = weft_table_new(3, head);
	struct weft_str s = {0};

	ck_assert_int_eq(weft_table_right(t, 1), 0);
	ck_assert_int_eq(weft_table_right(t, 3), -1);
	weft_table_row(t, (const char *const[]){"sim", "12", "first"});
	weft_table_row(t, (const char *const[]){"über", "7", NULL});
	weft_table_print(t, &plain, &s);
	expect(&s, "step   n  why\n"
		   "sim   12  first\n"
		   "über   7\n");
	weft_table_free(t);
}
END_TEST

START_TEST(table_fits_a_terminal)
{
	static const char *const head[] = {"name", "count", "text"};
	struct weft_style st = {.width = 30};
	struct weft_table *t = weft_table_new(3, head);
	struct weft_str s = {0};

	weft_table_right(t, 1);
	weft_table_row(t, (const char *const[]){
				  "a", "123456789012", "a text that is far too long"});
	weft_table_print(t, &st, &s);
	expect(&s, "name         count  text\n"
		   "a     123456789012  a text t..\n");
	st.utf8 = true;
	weft_table_print(t, &st, &s);
	expect(&s, "name         count  text\n"
		   "a     123456789012  a text th…\n");
	st.width = 0;
	weft_table_print(t, &st, &s);
	ck_assert_ptr_nonnull(strstr(s.s, "a text that is far too long\n"));
	weft_str_free(&s);
	weft_table_free(t);
}
END_TEST

START_TEST(table_in_colour)
{
	static const char *const head[] = {"a", "b"};
	struct weft_style st = {.color = true};
	struct weft_table *t = weft_table_new(2, head);
	struct weft_str s = {0};

	weft_table_row(t, (const char *const[]){"\033[31mred", "tab\there"});
	weft_table_print(t, &st, &s);
	expect(&s, "\033[1ma         b\033[0m\n?[31mred  tab?here\n");
	weft_table_free(t);
}
END_TEST

static char dir[] = "/tmp/weft-test-report.XXXXXX";

static char *temp_file(const char *text)
{
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	int fd = mkstemp(dir);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq((int)write(fd, text, strlen(text)), (int)strlen(text));
	close(fd);
	return dir;
}

START_TEST(error_shows_its_line)
{
	char *file = temp_file("steps:\n- name: a\n  gpus: four\n");
	struct weft_err err = {0};
	struct weft_str s = {0};
	char want[512];

	weft_err_set(&err, WEFT_ESPEC, "not a number: four");
	weft_err_at(&err, file, (struct weft_pos){3, 9}, "steps[0].gpus");
	weft_err_hint(&err, "write %d", 4);
	err.width = 4;
	weft_report_error(&err, &plain, &s);
	snprintf(want, sizeof(want),
		"%s:3:9: error: steps[0].gpus: not a number: four\n"
		"    3 |   gpus: four\n"
		"      |         ^~~~\n"
		"  hint: write 4\n",
		file);
	expect(&s, want);

	/* The caret stays inside the line, whatever the position says. */
	err.pos.col = 99;
	weft_report_error(&err, &plain, &s);
	ck_assert_ptr_nonnull(strstr(s.s, "      |             ^\n"));
	weft_str_free(&s);
	/* No such line: the message alone. */
	err.pos.line = 9;
	weft_report_error(&err, &plain, &s);
	ck_assert_ptr_null(strstr(s.s, " | "));
	weft_str_free(&s);
	unlink(file);
	weft_err_clear(&err);
}
END_TEST

START_TEST(error_shows_a_part_of_a_long_line)
{
	char text[1024];
	struct weft_err err = {0};
	struct weft_str s = {0};
	struct weft_style st = {.width = 60};

	memset(text, 'x', sizeof(text));
	text[700] = '!';
	text[sizeof(text) - 1] = 0;
	char *file = temp_file(text);
	weft_err_set(&err, WEFT_ESPEC, "bad");
	weft_err_at(&err, file, (struct weft_pos){1, 701}, NULL);
	weft_report_error(&err, &st, &s);
	char *line = strstr(s.s, "    1 | "), *caret = strstr(s.s, "      | ");
	ck_assert_ptr_nonnull(line);
	ck_assert_ptr_nonnull(caret);
	ck_assert_int_eq(caret - line - 1, 60);
	ck_assert_int_eq(strchr(line, '!') - line, strchr(caret, '^') - caret);
	weft_str_free(&s);
	unlink(file);
	weft_err_clear(&err);
}
END_TEST

START_TEST(error_line_is_harmless)
{
	char *file = temp_file("a\tb\033[2Jc\x80\n");
	struct weft_err err = {0};
	struct weft_str s = {0};

	weft_err_set(&err, WEFT_ESPEC, "bad");
	weft_err_at(&err, file, (struct weft_pos){1, 3}, NULL);
	weft_report_error(&err, &plain, &s);
	ck_assert_ptr_nonnull(strstr(s.s, "    1 | a b?[2Jc?\n      |   ^\n"));
	weft_str_free(&s);
	unlink(file);
	weft_err_clear(&err);
}
END_TEST

START_TEST(errors_without_a_file)
{
	struct weft_err err = {0};
	struct weft_style st = {.color = true};
	struct weft_str s = {0};

	weft_err_set(&err, WEFT_ESLURM, "no Slurm");
	weft_report_error(&err, &plain, &s);
	expect(&s, "weft: error: no Slurm\n");
	weft_report_error(&err, &st, &s);
	expect(&s, "\033[1mweft: \033[0m\033[1;31merror:\033[0m no Slurm\n");
	weft_err_clear(&err);
}
END_TEST

START_TEST(errors_as_json)
{
	struct weft_errs errs = {.max = 1};
	struct weft_str s = {0};

	for (int i = 0; i < 3; i++) {
		struct weft_err err = {0};

		weft_err_set(&err, WEFT_ESPEC, "bad \"%d\"", i);
		weft_err_at(&err, "w.yaml", (struct weft_pos){2, 5}, "steps[0]");
		weft_errs_add(&errs, &err);
	}
	ck_assert_int_eq(weft_report_errors_json(&errs, &s), 0);
	json_t *j = json_loads(s.s, 0, NULL);
	ck_assert_ptr_nonnull(j);
	ck_assert_int_eq(json_integer_value(json_object_get(j, "total")), 3);
	json_t *list = json_object_get(j, "errors");
	ck_assert_uint_eq(json_array_size(list), 1);
	json_t *e = json_array_get(list, 0);
	ck_assert_str_eq(json_string_value(json_object_get(e, "text")), "bad \"0\"");
	ck_assert_str_eq(json_string_value(json_object_get(e, "code")), "spec");
	ck_assert_int_eq(json_integer_value(json_object_get(e, "column")), 5);
	ck_assert(json_is_null(json_object_get(e, "hint")));
	json_decref(j);
	weft_str_free(&s);
	weft_report_errors(&errs, &plain, &s);
	ck_assert_ptr_nonnull(strstr(s.s, "... and 2 more errors\n"));
	weft_str_free(&s);
	weft_errs_clear(&errs);
}
END_TEST

SUITE("report", table_aligns, table_fits_a_terminal, table_in_colour,
	error_shows_its_line, error_shows_a_part_of_a_long_line, error_line_is_harmless,
	errors_without_a_file, errors_as_json)
