#include "topo/discover.h"

#include <dirent.h>
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

START_TEST(golden)
{
	static const char *const names[] = {"gpus-vendor", "gpus-plain", "tiers"};
	char path[128];

	for (size_t i = 0; i < WEFT_COUNT(names); i++) {
		struct weft_machine *m;
		struct weft_err err = {0};
		struct weft_str out = {0};
		size_t n;

		snprintf(path, sizeof(path), "tests/golden/topo/%s.xml", names[i]);
		ck_assert_msg(weft_topo_discover(path, &m, &err) == 0, "%s", err.text);
		snprintf(path, sizeof(path), "tests/golden/topo/%s.model", names[i]);
		char *want = read_text(path, &n);
		ck_assert_int_eq(weft_machine_print(m, &out), 0);
		ck_assert_str_eq(out.s, want);
		weft_str_free(&out);
		weft_machine_free(m);
		free(want);
	}
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

/* The collection beside the project, where there is one. */
START_TEST(collection)
{
	DIR *d = opendir("../shared/topo");
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char path[512];
		struct weft_machine *m, *again;
		struct weft_err err = {0};
		struct weft_str out = {0};

		if (!strstr(e->d_name, ".xml"))
			continue;
		snprintf(path, sizeof(path), "../shared/topo/%s", e->d_name);
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

SUITE("topo_discover", golden, this_machine, broken, collection)
