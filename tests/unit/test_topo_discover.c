#include "topo/discover.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "suite.h"

static char *read_text(const char *path, size_t *n)
{
	char *s;
	struct weft_err err = {0};

	ck_assert_msg(weft_read_file(path, 1 << 20, &s, n, &err) == 0, "%s", err.text);
	return s;
}

/* Each XML file of a folder, as its name; stops at the first that isn't one. */
static bool next_xml(DIR *d, const char *folder, char *path, size_t size)
{
	struct dirent *e;

	while (d && (e = readdir(d))) {
		const char *dot = strrchr(e->d_name, '.');
		if (!dot || strcmp(dot, ".xml"))
			continue;
		snprintf(path, size, "%s/%s", folder, e->d_name);
		return true;
	}
	return false;
}

/* Every machine is read as the model beside it; what hwloc 1 wrote, as what 2 did.
 * WEFT_TEST_WRITE writes what is read now: look at the difference. */
START_TEST(golden)
{
	DIR *d = opendir("tests/golden/topo");
	char path[512];
	size_t n_files = 0;

	while (next_xml(d, "tests/golden/topo", path, sizeof(path))) {
		struct weft_machine *m;
		struct weft_err err = {0};
		struct weft_str out = {0};
		size_t n;

		ck_assert_msg(weft_topo_discover(path, &m, &err) == 0, "%s", err.text);
		ck_assert_int_eq(weft_machine_print(m, &out), 0);
		char *end = strstr(path, "-hwloc1.xml");
		strcpy(end ? end : strrchr(path, '.'), ".model");
		if (getenv("WEFT_TEST_WRITE"))
			weft_write_file(path, out.s, out.len, 0644, NULL);
		char *want = read_text(path, &n);
		ck_assert_msg(weft_streq(out.s, want), "%s differs", path);
		weft_str_free(&out);
		weft_machine_free(m);
		free(want);
		n_files++;
	}
	ck_assert_uint_ge(n_files, 15);
	closedir(d);
}
END_TEST

START_TEST(this_machine)
{
	struct weft_machine *m;
	struct weft_err err = {0};
	char host[64] = "";

	ck_assert_msg(weft_topo_discover(NULL, &m, &err) == 0, "%s", err.text);
	ck_assert_uint_ge(m->n_pus, (size_t)sysconf(_SC_NPROCESSORS_ONLN));
	gethostname(host, sizeof(host) - 1);
	ck_assert_str_eq(m->host, host);
	weft_machine_free(m);
}
END_TEST

/* A file of these bytes: an error or a model, and this process still here. */
static bool survives(const char *data, size_t n)
{
	char path[] = "/tmp/weft-xml-XXXXXX";
	int fd = mkstemp(path);
	struct weft_machine *m;
	struct weft_err err = {0};

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(weft_write_all(fd, data, n), 0);
	close(fd);
	int rc = weft_topo_discover(path, &m, &err);
	unlink(path);
	ck_assert_msg(rc == 0 ? m != NULL : m == NULL && err.text, "neither");
	weft_machine_free(m);
	weft_err_clear(&err);
	return rc == 0;
}

START_TEST(broken)
{
	size_t n;
	char *xml = read_text("tests/golden/topo/gpus-plain.xml", &n);
	struct weft_machine *m;
	struct weft_err err = {0};
	unsigned seed = 4711;

	ck_assert_int_eq(weft_topo_discover("/nonexistent.xml", &m, &err), -1);
	ck_assert_int_eq(err.code, WEFT_EPLACE);
	weft_err_clear(&err);
	ck_assert(!survives("", 0));
	ck_assert(!survives("<topology", 9));
	ck_assert(!survives("\0\1\2\3junk", 8));
	for (size_t cut = 100; cut < n - 20; cut += 331)
		ck_assert_msg(!survives(xml, cut), "cut at %zu", cut);
	for (int i = 0; i < 150; i++) {
		char *copy = malloc(n);
		memcpy(copy, xml, n);
		for (int k = 0; k < 1 + i % 4; k++)
			copy[(size_t)rand_r(&seed) % n] = (char)(rand_r(&seed) % 256);
		survives(copy, n);
		free(copy);
	}
	free(xml);
}
END_TEST

/* An entity that grows to gigabytes, a machine deeper than any stack, an object that is
 * given too often: an error, and soon. */
START_TEST(hostile)
{
	struct weft_str s = {0};

	weft_str_add(&s, "<?xml version=\"1.0\"?>\n<!DOCTYPE topology [\n"
			 "<!ENTITY a \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\">\n");
	for (char c = 'b'; c <= 'j'; c++)
		weft_str_printf(&s,
			"<!ENTITY %c \"&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;\">\n",
			c, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1,
			c - 1, c - 1);
	weft_str_add(&s, "]>\n<topology version=\"2.0\"><object type=\"Machine\" "
			 "cpuset=\"0x1\"><info name=\"x\" value=\"&j;\"/></object>"
			 "</topology>\n");
	ck_assert(!survives(s.s, s.len));
	weft_str_free(&s);
	weft_str_add(&s, "<?xml version=\"1.0\"?>\n<topology version=\"2.0\">\n");
	for (int i = 0; i < 200000; i++)
		weft_str_add(&s, "<object type=\"Group\" cpuset=\"0x1\" "
				 "complete_cpuset=\"0x1\">\n");
	ck_assert(!survives(s.s, s.len));
	weft_str_free(&s);
}
END_TEST

/* The collection beside the project, where there is one. */
START_TEST(collection)
{
	DIR *d = opendir("../shared/topo");
	char path[512];

	while (next_xml(d, "../shared/topo", path, sizeof(path))) {
		struct weft_machine *m, *again;
		struct weft_err err = {0};
		struct weft_str out = {0};

		ck_assert_msg(weft_topo_discover(path, &m, &err) == 0, "%s", err.text);
		ck_assert_uint_ge(m->n_numa, 1);
		ck_assert_int_eq(weft_machine_print(m, &out), 0);
		ck_assert_int_eq(weft_machine_parse(out.s, out.len, &again, &err), 0);
		weft_machine_free(again);
		weft_machine_free(m);
		weft_str_free(&out);
	}
	if (d)
		closedir(d);
}
END_TEST

SUITE("topo_discover", golden, this_machine, broken, hostile, collection)
