/* The same machine with and without what GPU vendors' back ends of hwloc say. */
#include "place/place.h"
#include "topo/discover.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "suite.h"

static const unsigned counts[] = {1, 3, 8, 13, 64};

/* An attribute's value within an element that ends at `end`; "" where it has none. */
static void attribute(const char *at, const char *end, const char *key, char *buf)
{
	const char *v = strstr(at, key);
	size_t n;

	buf[0] = '\0';
	if (!v || v > end)
		return;
	v += strlen(key);
	n = strcspn(v, "\"");
	if (n < 32) {
		memcpy(buf, v, n);
		buf[n] = '\0';
	}
}

static bool by_vendor(const char *name)
{
	static const char *const prefixes[] = {
		"nvml", "cuda", "rsmi", "opencl", "ze", "card", "renderD", "ve"};

	for (size_t i = 0; i < WEFT_COUNT(prefixes); i++)
		if (weft_starts_with(name, prefixes[i]))
			return true;
	return false;
}

static bool gpu_class(const char *pci_type)
{
	return weft_starts_with(pci_type, "0302 [10de") ||
	       weft_starts_with(pci_type, "0380 [1002") ||
	       weft_starts_with(pci_type, "1200 [1002");
}

/* What OS devices of vendors' libraries have in the file is left out. */
static void strip(const char *xml, struct weft_str *out)
{
	static const char os_device[] = "<object type=\"OSDev\"";
	const char *from = xml, *at = xml;

	while ((at = strstr(at, os_device))) {
		const char *end = strchr(at, '>');
		char name[32];

		ck_assert_ptr_nonnull(end);
		if (end[-1] != '/') {
			end = strstr(end, "</object>");
			ck_assert_ptr_nonnull(end);
			end += strlen("</object>") - 1;
		}
		attribute(at, end, " name=\"", name);
		if (by_vendor(name)) {
			weft_str_addn(out, from, (size_t)(at - from));
			from = end + 1;
		}
		at = end;
	}
	weft_str_add(out, from);
}

/* Each GPU that has nothing below it gets what NVML and OpenCL would say. */
static void dress(const char *xml, struct weft_str *out)
{
	static const char device[] = "<object type=\"PCIDev\"";
	const char *from = xml, *at = xml;
	unsigned n = 0;

	while ((at = strstr(at, device))) {
		const char *end = strchr(at, '>');
		char type[32];

		ck_assert_ptr_nonnull(end);
		attribute(at, end, " pci_type=\"", type);
		at = end;
		if (end[-1] != '/' || !gpu_class(type))
			continue;
		weft_str_addn(out, from, (size_t)(end - 1 - from));
		weft_str_printf(out,
			"><object type=\"OSDev\" gp_index=\"%u\" name=\"opencl0d%u\" "
			"subtype=\"OpenCL\" osdev_type=\"5\"/>"
			"<object type=\"OSDev\" gp_index=\"%u\" name=\"nvml%u\" "
			"subtype=\"NVML\" osdev_type=\"1\">"
			"<info name=\"NVIDIAUUID\" "
			"value=\"GPU-%u\"/></object></object>",
			1000000 + n, n, 2000000 + n, n, n);
		n++;
		from = end + 1;
	}
	weft_str_add(out, from);
}

static struct weft_machine *discover(const char *text, const char *name)
{
	char path[] = "/tmp/weft-vendor-XXXXXX";
	int fd = mkstemp(path);
	struct weft_machine *m;
	struct weft_err err = {0};

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(weft_write_all(fd, text, strlen(text)), 0);
	close(fd);
	int rc = weft_topo_discover(path, &m, &err);
	unlink(path);
	ck_assert_msg(rc == 0, "%s: %s", name, rc ? err.text : "");
	return m;
}

/* The placements of the requests that the bars ask for, as text. */
static void place_all(const struct weft_machine *m, struct weft_str *out)
{
	for (size_t i = 0; i < 2 * WEFT_COUNT(counts); i++) {
		struct weft_place_step step = {.ntasks = counts[i / 2]};
		struct weft_placement *p;
		struct weft_err err = {0};

		if (i % 2 && step.ntasks <= m->n_gpus)
			step.gpus_per_task = 1;
		else
			step.gpus_all = i % 2;
		/* GPUs asked of a machine that has none are refused. */
		if (weft_place(m, NULL, NULL, 0, &step, 1, &p, &err)) {
			weft_str_printf(out, "%s\n", err.text);
			weft_err_clear(&err);
			continue;
		}
		for (size_t t = 0; t < p->n_tasks; t++) {
			const struct weft_placed_task *task = &p->task[t];
			char cpus[WEFT_MAX_CPUS * 5];

			weft_cpuset_print(&task->cpus, cpus, sizeof(cpus));
			weft_str_printf(out, "%u %zu %s g", step.ntasks, t, cpus);
			for (size_t k = 0; k < task->n_gpus; k++)
				weft_str_printf(out, " %u", task->gpu[k]);
			weft_str_add(out, " n");
			for (size_t k = 0; k < task->n_nics; k++)
				weft_str_printf(out, " %u", task->nic[k]);
			weft_str_add(out, " m");
			for (size_t k = 0; k < task->n_numa; k++)
				weft_str_printf(out, " %u", task->numa[k]);
			weft_str_addc(out, '\n');
		}
		weft_placement_free(p);
	}
}

/* The whole model but for the vendors' names, and the placements on it. */
static char *sight(const char *text, const char *name)
{
	struct weft_machine *m = discover(text, name);
	struct weft_str out = {0};

	for (size_t i = 0; i < m->n_gpus; i++)
		m->gpu[i].name[0] = m->gpu[i].uuid[0] = '\0';
	ck_assert_int_eq(weft_machine_print(m, &out), 0);
	place_all(m, &out);
	weft_machine_free(m);
	ck_assert(!out.failed);
	return weft_str_take(&out);
}

static void check(const char *path, size_t *stripped, size_t *dressed)
{
	weft_autofree char *xml = NULL;
	weft_autostr struct weft_str less = {0}, more = {0};
	struct weft_err err = {0};
	size_t n;

	ck_assert_msg(
		weft_read_file(path, 16 << 20, &xml, &n, &err) == 0, "%s", err.text);
	strip(xml, &less);
	dress(less.s, &more);
	*stripped += less.len < n;
	*dressed += more.len > less.len;
	weft_autofree char *as_is = sight(xml, path);
	weft_autofree char *plain = sight(less.s, path);
	weft_autofree char *rich = sight(more.s, path);
	ck_assert_msg(weft_streq(as_is, plain), "%s: differs without vendors", path);
	ck_assert_msg(weft_streq(as_is, rich), "%s: differs with vendors", path);
}

static void check_folder(const char *folder, size_t *stripped, size_t *dressed)
{
	DIR *d = opendir(folder);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char path[512];

		if (!strstr(e->d_name, ".xml"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		check(path, stripped, dressed);
	}
	if (d)
		closedir(d);
}

START_TEST(own)
{
	size_t stripped = 0, dressed = 0;

	check_folder("tests/golden/topo", &stripped, &dressed);
	ck_assert_uint_ge(stripped, 1);
	ck_assert_uint_ge(dressed, 6);
}
END_TEST

START_TEST(collection)
{
	size_t stripped = 0, dressed = 0;

	check_folder("../shared/topo", &stripped, &dressed);
}
END_TEST

SUITE("topo_vendor", own, collection)
