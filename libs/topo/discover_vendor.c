/*
 * discover_vendor - GPUs' UUIDs and partitions, first from the drivers' files.
 *
 * NVIDIA: /proc/driver/nvidia/gpus/PCI/information has the UUID and the minor number,
 * /proc/driver/nvidia/capabilities/gpuMINOR/mig/giG/ciC is a MIG device; MIG's UUIDs
 * only the library knows.  AMD: the PCI device's unique_id; each node of
 * /sys/class/kfd/kfd/topology/nodes is what a runtime counts as a GPU, so that a
 * GPU in several (DPX, CPX) is partitioned.
 */
#include "topo/discover_vendor.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define KFD "/sys/class/kfd/kfd/topology/nodes"

struct gpu { /* of the machine, with what its vendor says */
	struct weft_device *d;
	long minor;
	struct weft_gpu_part part[WEFT_MAX_PARTS];
	size_t n_parts;
};

static char *read_text(const char *root, const char *fmt, ...) WEFT_PRINTF(2, 3);
static char *read_text(const char *root, const char *fmt, ...)
{
	weft_autofree char *below = NULL, *path = NULL;
	char *text = NULL;
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	below = weft_vprintf(fmt, ap);
	va_end(ap);
	path = below ? weft_printf("%s%s", root, below) : NULL;
	if (!path || weft_read_file(path, 65536, &text, &n, NULL))
		return NULL;
	return text;
}

/* The word behind key in a text of lines; false: there is none that fits. */
static bool word_of(const char *text, const char *key, char *buf, size_t size)
{
	const char *at = strstr(text, key);
	size_t n;

	if (!at)
		return false;
	at += strlen(key);
	at += strspn(at, " \t");
	n = strcspn(at, " \t\n");
	if (!n || n >= size)
		return false;
	memcpy(buf, at, n);
	buf[n] = '\0';
	return true;
}

static bool number_of(const char *text, const char *key, uint64_t *v)
{
	char buf[24], *end;

	if (!word_of(text, key, buf, sizeof(buf)))
		return false;
	*v = strtoull(buf, &end, 10);
	return !*end;
}

/* The numbers in a folder's entries "PREFIX12"; at most max. */
static size_t numbers_in(const char *path, const char *prefix, unsigned *v, size_t max)
{
	size_t n = 0, len = strlen(prefix);
	int64_t x;
	DIR *d = opendir(path);

	for (struct dirent *e; d && n < max && (e = readdir(d));)
		if (weft_starts_with(e->d_name, prefix) &&
			weft_parse_int(e->d_name + len, 0, 1 << 20, &x))
			v[n++] = (unsigned)x;
	if (d)
		closedir(d);
	return n;
}

static int by_instance(const void *x, const void *y)
{
	const struct weft_gpu_part *a = x, *b = y;

	if (a->gi != b->gi)
		return a->gi < b->gi ? -1 : 1;
	return (a->ci > b->ci) - (a->ci < b->ci);
}

/* ---- NVIDIA -------------------------------------------------------------- */

static void nvidia_files(const char *root, struct gpu *g)
{
	weft_autofree char *text =
		read_text(root, "/proc/driver/nvidia/gpus/%s/information", g->d->pci);
	unsigned gi[WEFT_MAX_PARTS], ci[WEFT_MAX_PARTS];
	char uuid[sizeof(g->d->uuid)];
	uint64_t minor;

	if (!text)
		return;
	if (!*g->d->uuid && word_of(text, "GPU UUID:", uuid, sizeof(uuid)) &&
		weft_starts_with(uuid, "GPU-") && !strchr(uuid, '?'))
		memcpy(g->d->uuid, uuid, sizeof(uuid));
	if (!number_of(text, "Device Minor:", &minor))
		return;
	weft_autofree char *mig = weft_printf(
		"%s/proc/driver/nvidia/capabilities/gpu%u/mig", root, (unsigned)minor);
	if (!mig)
		return;
	size_t n = numbers_in(mig, "gi", gi, WEFT_MAX_PARTS);
	for (size_t i = 0; i < n; i++) {
		weft_autofree char *path = weft_printf("%s/gi%u", mig, gi[i]);
		size_t k = path ? numbers_in(path, "ci", ci, WEFT_MAX_PARTS) : 0;
		while (k && g->n_parts < WEFT_MAX_PARTS)
			g->part[g->n_parts++] =
				(struct weft_gpu_part){.gi = gi[i], .ci = ci[--k]};
	}
}

/* Asked only for what the files don't tell: it wakes GPUs that sleep. */
static void nvidia_library(struct gpu *g)
{
	struct weft_gpu_part part[WEFT_MAX_PARTS];
	char uuid[sizeof(g->d->uuid)];
	size_t n;

	if ((*g->d->uuid && !g->n_parts) || !weft_nvml_open() ||
		!weft_nvml_gpu(g->d->pci, uuid, part, &n))
		return;
	if (!*g->d->uuid)
		memcpy(g->d->uuid, uuid, sizeof(uuid));
	if (n) {
		memcpy(g->part, part, n * sizeof(*part));
		g->n_parts = n;
	}
}

/* ---- AMD ----------------------------------------------------------------- */

static void amd_uuid(const char *root, bool libraries, struct weft_device *d)
{
	weft_autofree char *text =
		read_text(root, "/sys/bus/pci/devices/%s/unique_id", d->pci);
	uint64_t id = 0;
	char *end = NULL;

	if (*d->uuid)
		return;
	if (text)
		id = strtoull(text, &end, 16);
	if ((!text || end == text) && libraries && !weft_rsmi_unique_id(d->pci, &id))
		return;
	if (id)
		snprintf(d->uuid, sizeof(d->uuid), "GPU-%016llx",
			(unsigned long long)id);
}

static int by_number(const void *x, const void *y)
{
	const unsigned *a = x, *b = y;

	return (*a > *b) - (*a < *b);
}

/* The nodes at a GPU's address; partitions differ in the function, which is theirs
 * alone, or in the upper bits. */
static void amd_partitions(const char *root, struct gpu *g)
{
	static unsigned node[WEFT_MAX_DEVICES * 8];
	weft_autofree char *folder = weft_printf("%s" KFD, root);
	unsigned domain, bus, dev, func;
	size_t n;

	if (!folder ||
		sscanf(g->d->pci, "%x:%x:%x.%x", &domain, &bus, &dev, &func) != 4)
		return;
	n = numbers_in(folder, "", node, WEFT_COUNT(node));
	qsort(node, n, sizeof(*node), by_number);
	for (size_t i = 0; i < n && g->n_parts < WEFT_MAX_PARTS; i++) {
		weft_autofree char *text =
			read_text(root, KFD "/%u/properties", node[i]);
		uint64_t simds, at, where = 0, id = 0;

		if (!text || !number_of(text, "simd_count ", &simds) || !simds ||
			!number_of(text, "location_id ", &at))
			continue;
		number_of(text, "domain ", &where);
		if (where != domain || (at & 0xfff8) != (bus << 8 | dev << 3))
			continue;
		struct weft_gpu_part *p = &g->part[g->n_parts];
		*p = (struct weft_gpu_part){.gi = (unsigned)g->n_parts};
		if (number_of(text, "unique_id ", &id) && id)
			snprintf(p->uuid, sizeof(p->uuid), "GPU-%016llx",
				(unsigned long long)id);
		g->n_parts++;
	}
	if (g->n_parts == 1)
		g->n_parts = 0;
	/* Kernels that give all partitions the GPU's own id don't tell them apart. */
	for (size_t i = 1; i < g->n_parts; i++)
		if (!strcmp(g->part[i].uuid, g->part[0].uuid)) {
			for (size_t k = 0; k < g->n_parts; k++)
				g->part[k].uuid[0] = '\0';
			break;
		}
}

/* ---- the machine's list -------------------------------------------------- */

static void add_part(struct weft_device *to, const struct gpu *g, size_t i, bool nvidia)
{
	const struct weft_gpu_part *p = &g->part[i];
	size_t n;

	*to = *g->d;
	memcpy(to->parent, g->d->uuid, sizeof(to->parent));
	memcpy(to->uuid, p->uuid, sizeof(to->uuid));
	n = strlen(to->pci);
	snprintf(to->pci + n, sizeof(to->pci) - n, "/%zu", i);
	if (nvidia)
		snprintf(to->name, sizeof(to->name), "gi%u.ci%u", p->gi, p->ci);
	else
		snprintf(to->name, sizeof(to->name), "xcp%u", p->gi);
}

static int split(struct weft_machine *m, const struct gpu *g, struct weft_err *err)
{
	struct weft_device *v;
	size_t n = 0, at = 0;

	for (size_t i = 0; i < m->n_gpus; i++)
		n += g[i].n_parts ? g[i].n_parts : 1;
	if (n == m->n_gpus)
		return 0;
	if (n > WEFT_MAX_DEVICES)
		return weft_err_set(err, WEFT_EPLACE, "more than %d GPUs' partitions",
			WEFT_MAX_DEVICES);
	v = calloc(n + 1, sizeof(*v));
	if (!v)
		return weft_err_nomem(err);
	for (size_t i = 0; i < m->n_gpus; i++) {
		if (!g[i].n_parts)
			v[at++] = *g[i].d;
		for (size_t k = 0; k < g[i].n_parts; k++)
			add_part(&v[at++], &g[i], k,
				g[i].d->vendor == WEFT_VENDOR_NVIDIA);
	}
	free(m->gpu);
	m->gpu = v;
	m->n_gpus = n;
	return 0;
}

int weft_discover_vendor(
	const char *root, bool libraries, struct weft_machine *m, struct weft_err *err)
{
	struct gpu *g = calloc(m->n_gpus + 1, sizeof(*g));
	int rc;

	if (!g)
		return weft_err_nomem(err);
	for (size_t i = 0; i < m->n_gpus; i++) {
		g[i].d = &m->gpu[i];
		if (g[i].d->vendor == WEFT_VENDOR_NVIDIA) {
			nvidia_files(root, &g[i]);
			if (libraries)
				nvidia_library(&g[i]);
		} else if (g[i].d->vendor == WEFT_VENDOR_AMD) {
			amd_uuid(root, libraries, g[i].d);
			amd_partitions(root, &g[i]);
		}
		qsort(g[i].part, g[i].n_parts, sizeof(*g[i].part), by_instance);
	}
	weft_nvml_close();
	rc = split(m, g, err);
	free(g);
	return rc;
}
