/*
 * mark - whether the machine is still what it was when its model was made.
 *
 * Runs in slurmstepd: it asks no driver.  What it reads are files and names that the
 * kernel itself keeps: a module's version, a folder's entries, a list of numbers.
 */
#include "topo/cache.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 4096

static const char *const files[] = {
	"/sys/devices/system/cpu/online",
	"/sys/devices/system/node/online",
	"/sys/module/nvidia/version",
	"/sys/module/nvidia/srcversion",
	"/sys/module/amdgpu/version",
	"/sys/module/amdgpu/srcversion",
	"/sys/module/i915/srcversion",
	"/sys/module/xe/srcversion",
};

#define MIG "/proc/driver/nvidia/capabilities"
#define KFD "/sys/class/kfd/kfd/topology/nodes"

static int by_name(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}

/* The entries that begin so, in order, with those of levels below. */
static void add_names(struct weft_str *out, const char *path, const char *const *prefix)
{
	weft_autoargv struct weft_argv names = {0};
	DIR *d = opendir(path);

	for (struct dirent *e; d && names.n < ENTRIES_MAX && (e = readdir(d));)
		if (*e->d_name != '.' && weft_starts_with(e->d_name, *prefix))
			weft_argv_add(&names, e->d_name);
	if (d)
		closedir(d);
	out->failed |= names.failed;
	if (names.n)
		qsort(names.v, names.n, sizeof(*names.v), by_name);
	for (size_t i = 0; i < names.n && !out->failed; i++) {
		weft_str_printf(out, "%s\n", names.v[i]);
		if (!prefix[1])
			continue;
		weft_autofree char *below = weft_path_join(path, names.v[i]);
		if (below)
			add_names(out, below, prefix + 1);
		else
			out->failed = true;
	}
}

int weft_machine_mark(
	const char *root, char mark[WEFT_DIGEST_HEX], struct weft_err *err)
{
	static const char *const mig[] = {"gpu", "mig", "gi", "ci", NULL};
	static const char *const nodes[] = {"", NULL};
	weft_autofree char *capabilities = weft_printf("%s" MIG, root);
	weft_autofree char *kfd = weft_printf("%s" KFD, root);
	weft_autostr struct weft_str all = {0};

	if (!capabilities || !kfd)
		return weft_err_nomem(err);
	for (size_t i = 0; i < WEFT_COUNT(files); i++) {
		weft_autofree char *path = weft_printf("%s%s", root, files[i]);
		weft_autofree char *text = NULL;
		size_t n;

		if (!path)
			return weft_err_nomem(err);
		if (weft_read_file(path, 65536, &text, &n, NULL) == 0)
			weft_str_printf(&all, "%s %s\n", files[i], text);
	}
	add_names(&all, capabilities, mig);
	weft_str_add(&all, "-\n");
	add_names(&all, kfd, nodes);
	if (all.failed)
		return weft_err_nomem(err);
	weft_digest(all.s, all.len, mark);
	return 0;
}
