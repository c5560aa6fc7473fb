/*
 * gpus - how a task's GPUs are named to the vendors' runtimes.
 *
 * A launcher's list (CUDA_VISIBLE_DEVICES of Slurm, say) is the border: its
 * entries are handed on as they stand, a subset for each task.  They may be numbers
 * on the node, numbers inside a device cgroup, or UUIDs: only their order matters.
 */
#include "bind/env.h"

#include <string.h>

static const char *const variable[] = {
	[WEFT_VENDOR_NVIDIA] = "CUDA_VISIBLE_DEVICES",
	[WEFT_VENDOR_AMD] = "ROCR_VISIBLE_DEVICES",
	[WEFT_VENDOR_INTEL] = "ZE_AFFINITY_MASK",
	[WEFT_VENDOR_OTHER] = NULL,
};

const char *weft_bind_gpu_variable(enum weft_vendor vendor)
{
	return variable[vendor];
}

const char *weft_bind_visible_name(const struct weft_machine *m)
{
	const char *name = m->n_gpus ? variable[m->gpu[0].vendor] : NULL;
	return name ? name : "CUDA_VISIBLE_DEVICES";
}

/* Entry i of "a,b,c": its beginning and length; false: there is none. */
static bool entry(const char *list, size_t i, const char **s, size_t *n)
{
	for (const char *p = list; *p; i--) {
		size_t len = strcspn(p, ",");
		if (i == 0) {
			*s = p;
			*n = len;
			return len > 0;
		}
		p += len;
		if (*p)
			p++;
	}
	return false;
}

static size_t entries(const char *list)
{
	const char *s;
	size_t n, count = 0;

	if (!strcmp(list, "NoDevFiles"))
		return 0;
	while (count < WEFT_MAX_DEVICES && entry(list, count, &s, &n))
		count++;
	return count;
}

/* ---- which GPUs may be used ---------------------------------------------- */

static bool by_numbers(
	const struct weft_machine *m, const char *list, unsigned *gpus, size_t *n)
{
	struct weft_cpuset set;

	*n = 0;
	if (!list || !*list || !weft_cpuset_parse(list, &set))
		return false;
	for (int i = weft_cpuset_next(&set, 0); i >= 0;
		i = weft_cpuset_next(&set, i + 1)) {
		if ((size_t)i >= m->n_gpus || *n == WEFT_MAX_DEVICES)
			return false;
		gpus[(*n)++] = (unsigned)i;
	}
	return true;
}

/* The GPU that an entry of the visible list names by itself, or -1. */
static int by_name(const struct weft_machine *m, const char *s, size_t n)
{
	unsigned v = 0;

	for (size_t g = 0; g < m->n_gpus; g++)
		if (*m->gpu[g].uuid && n >= 8 && strlen(m->gpu[g].uuid) >= n &&
			!strncmp(m->gpu[g].uuid, s, n))
			return (int)g;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9' || v > WEFT_MAX_DEVICES)
			return -1;
		v = v * 10 + (unsigned)(s[i] - '0');
	}
	return v < m->n_gpus ? (int)v : -1;
}

static bool by_names(
	const struct weft_machine *m, const char *list, unsigned *gpus, size_t n)
{
	bool seen[WEFT_MAX_DEVICES] = {false};

	for (size_t i = 0; i < n; i++) {
		const char *s = NULL;
		size_t len = 0;
		int g = entry(list, i, &s, &len) ? by_name(m, s, len) : -1;
		if (g < 0 || g >= WEFT_MAX_DEVICES || seen[g])
			return false;
		seen[g] = true;
		gpus[i] = (unsigned)g;
	}
	return true;
}

size_t weft_bind_usable_gpus(const struct weft_machine *m, const char *slurm_gpus,
	const char *visible, unsigned *gpus)
{
	size_t most = m->n_gpus < WEFT_MAX_DEVICES ? m->n_gpus : WEFT_MAX_DEVICES, n;
	size_t shown = visible ? entries(visible) : most;

	if (by_numbers(m, slurm_gpus, gpus, &n))
		return n < shown ? n : shown;
	n = most < shown ? most : shown;
	if (visible && shown <= most && by_names(m, visible, gpus, shown))
		return shown;
	/* Names that say nothing here (MIG, a cgroup's numbers): by position. */
	for (unsigned i = 0; i < n; i++)
		gpus[i] = i;
	return n;
}

/* ---- naming a task's ----------------------------------------------------- */

static bool same_card(const struct weft_device *a, const struct weft_device *b)
{
	size_t n = strcspn(a->pci, "/");

	return n == strcspn(b->pci, "/") && !strncmp(a->pci, b->pci, n);
}

/* Without a launcher's list: the UUID where it is known and this machine's, else the
 * number among the vendor's devices in PCI order.  AMD counts partitions, which may
 * have their card's UUID; NVIDIA counts cards, and names a part of one by UUID only. */
static bool own_name(
	const struct weft_machine *m, unsigned gpu, bool borrowed, struct weft_str *out)
{
	const struct weft_device *d = &m->gpu[gpu];
	bool part = strchr(d->pci, '/') != NULL;
	bool nvidia = d->vendor == WEFT_VENDOR_NVIDIA;
	unsigned number = 0;

	if (*d->uuid && !borrowed &&
		(nvidia || (d->vendor == WEFT_VENDOR_AMD && !part))) {
		weft_str_add(out, d->uuid);
		return true;
	}
	if (nvidia && part && !borrowed)
		return false;
	for (unsigned g = 0; g < gpu; g++)
		number += m->gpu[g].vendor == d->vendor &&
			  (!nvidia || g + 1 == m->n_gpus ||
				  !same_card(&m->gpu[g], &m->gpu[g + 1]));
	weft_str_printf(out, "%u", number);
	return true;
}

static bool name_gpu(const struct weft_machine *m, unsigned gpu, const unsigned *gpus,
	size_t n_gpus, const char *visible, bool borrowed, struct weft_str *out)
{
	const char *s;
	size_t at = gpu, n;

	if (out->len)
		weft_str_addc(out, ',');
	if (gpus) {
		for (at = 0; at < n_gpus && gpus[at] != gpu; at++)
			;
		if (at == n_gpus)
			return false;
	}
	if (!visible)
		return own_name(m, gpu, borrowed, out);
	if (at >= entries(visible) || !entry(visible, at, &s, &n))
		return false;
	weft_str_addn(out, s, n);
	return true;
}

int weft_bind_gpu_env(const struct weft_machine *m, const struct weft_placed_task *t,
	const unsigned *gpus, size_t n_gpus, const char *visible,
	struct weft_binding *out, struct weft_err *err)
{
	weft_autostr struct weft_str list = {0}, plain = {0};

	if (!t->n_gpus)
		return 0;
	enum weft_vendor vendor = m->gpu[t->gpu[0]].vendor;
	for (size_t i = 0; i < t->n_gpus; i++) {
		if (m->gpu[t->gpu[i]].vendor != vendor ||
			!name_gpu(m, t->gpu[i], gpus, n_gpus, visible, out->borrowed,
				&list))
			return 0;
		weft_str_printf(&plain, "%s%zu", i ? "," : "", i);
	}
	if (list.failed || plain.failed)
		return weft_err_nomem(err);
	if (!variable[vendor] ||
		!weft_bind_add_var(out, variable[vendor], list.s, false))
		return 0;
	switch (vendor) {
	case WEFT_VENDOR_NVIDIA:
		/* Numbers are in PCI order, as in the model and for Slurm. */
		weft_bind_add_var(out, "CUDA_DEVICE_ORDER", "PCI_BUS_ID", true);
		break;
	case WEFT_VENDOR_AMD:
		/* HIP and OpenCL count what ROCR shows; what a launcher left in theirs
		 * would pick devices that are hidden now. */
		weft_bind_add_var(out, "HIP_VISIBLE_DEVICES", plain.s, false);
		weft_bind_add_var(out, "GPU_DEVICE_ORDINAL", plain.s, false);
		break;
	case WEFT_VENDOR_INTEL:
		weft_bind_add_var(out, "ZE_ENABLE_PCI_ID_DEVICE_ORDER", "1", true);
		break;
	default:
		break;
	}
	return 0;
}
