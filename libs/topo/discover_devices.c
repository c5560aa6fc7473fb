/*
 * discover_devices - GPUs and network cards, with or without hwloc's vendor back
 * ends: the PCI class and vendor decide, so that the same machine gives the same
 * model either way; back ends only add names and UUIDs.
 */
#include "topo/discover_hwloc.h"

#include <stdlib.h>
#include <string.h>

#include <hwloc.h>

#define PCI_AMD 0x1002
#define PCI_NVIDIA 0x10de
#define PCI_INTEL 0x8086

struct found {
	hwloc_obj_t pci, os; /* os: the OS device that names it, or NULL */
	enum weft_link link;
};

/* An OS device that a GPU vendor's library made. */
static bool is_compute(hwloc_obj_t os)
{
	static const char *const prefixes[] = {"nvml", "cuda", "rsmi", "opencl", "ve"};
	const char *n = os->name ? os->name : "";

	for (size_t i = 0; i < WEFT_COUNT(prefixes); i++)
		if (weft_starts_with(n, prefixes[i]))
			return true;
	return n[0] == 'z' && n[1] == 'e' && n[2] >= '0' && n[2] <= '9';
}

/* GPUs that compute: not the management controller's (ASPEED, Matrox), not the
 * processor's own graphics (Intel on bus 0). */
static bool is_gpu(hwloc_topology_t t, hwloc_obj_t pci)
{
	unsigned class = pci->attr->pcidev.class_id,
		 vendor = pci->attr->pcidev.vendor_id;
	hwloc_obj_t node = NULL;
	char id[32];

	switch (class) {
	case 0x0302:
		return true;
	case 0x0300:
		if (vendor == PCI_NVIDIA || vendor == PCI_AMD ||
			(vendor == PCI_INTEL && pci->attr->pcidev.bus))
			return true;
		break;
	case 0x0380:
		if (vendor == PCI_NVIDIA || vendor == PCI_AMD || vendor == PCI_INTEL)
			return true;
		break;
	case 0x1200:
		if (vendor == PCI_AMD)
			return true;
		break;
	default:
		break;
	}
	for (hwloc_obj_t o = pci->io_first_child; o; o = o->next_sibling)
		if (o->type == HWLOC_OBJ_OS_DEVICE && is_compute(o))
			return true;
	/* The kernel's NUMA node of a GPU's memory names the GPU. */
	snprintf(id, sizeof(id), "%04x:%02x:%02x.%01x", pci->attr->pcidev.domain,
		pci->attr->pcidev.bus, pci->attr->pcidev.dev, pci->attr->pcidev.func);
	while ((node = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_NUMANODE, node))) {
		const char *bus = hwloc_obj_get_info_by_name(node, "PCIBusID");
		if (bus && !strcmp(bus, id))
			return true;
	}
	return false;
}

static bool is_fabric(hwloc_obj_t os)
{
	const char *n = os->name ? os->name : "", *s = os->subtype ? os->subtype : "";

	return weft_starts_with(n, "hsn") || weft_starts_with(n, "hsi") ||
	       weft_starts_with(n, "cxi") || !strcmp(s, "Slingshot") ||
	       !strcmp(s, "BXI");
}

static bool is_nic(hwloc_obj_t pci, struct found *f)
{
	unsigned class = pci->attr->pcidev.class_id;
	hwloc_obj_t net = NULL, verbs = NULL;
	bool fabric = class == 0x0207 || class == 0x0208;

	for (hwloc_obj_t o = pci->io_first_child; o; o = o->next_sibling) {
		if (o->type != HWLOC_OBJ_OS_DEVICE)
			continue;
		if (o->attr->osdev.type == HWLOC_OBJ_OSDEV_OPENFABRICS && !verbs)
			verbs = o;
		if (o->attr->osdev.type == HWLOC_OBJ_OSDEV_NETWORK) {
			if (!net)
				net = o;
			fabric |= is_fabric(o);
		}
	}
	f->os = verbs ? verbs : net;
	f->link = verbs    ? WEFT_LINK_VERBS
		  : fabric ? WEFT_LINK_FABRIC
			   : WEFT_LINK_ETHERNET;
	return f->os || fabric;
}

/* The name by which the vendor's tools count it, where a back end knows. */
static hwloc_obj_t gpu_os(hwloc_obj_t pci)
{
	static const char *const by[] = {"nvml", "rsmi", "ze", "cuda"};

	for (size_t i = 0; i < WEFT_COUNT(by); i++)
		for (hwloc_obj_t o = pci->io_first_child; o; o = o->next_sibling)
			if (o->type == HWLOC_OBJ_OS_DEVICE && o->name &&
				weft_starts_with(o->name, by[i]))
				return o;
	return NULL;
}

static void set_uuid(struct weft_device *d, const char *prefix, const char *value)
{
	if (!value || !*value || strchr(value, '?'))
		return;
	int n = snprintf(d->uuid, sizeof(d->uuid), "%s%s", prefix, value);
	if (n < 0 || (size_t)n >= sizeof(d->uuid))
		d->uuid[0] = '\0';
}

/* The driver's own word, which needs no library: "GPU UUID: \t GPU-..." */
static void driver_uuid(struct weft_device *d)
{
	weft_autofree char *path =
		weft_printf("/proc/driver/nvidia/gpus/%s/information", d->pci);
	weft_autofree char *text = NULL;
	size_t n;

	if (!path || weft_read_file(path, 65536, &text, &n, NULL))
		return;
	char *at = strstr(text, "GPU UUID:");
	if (!at)
		return;
	at += strlen("GPU UUID:");
	at += strspn(at, " \t");
	at[strcspn(at, " \t\n")] = '\0';
	if (weft_starts_with(at, "GPU-"))
		set_uuid(d, "", at);
}

static void gpu_uuid(struct weft_device *d, hwloc_obj_t pci, bool xml)
{
	for (hwloc_obj_t o = pci->io_first_child; o; o = o->next_sibling) {
		set_uuid(d, "", hwloc_obj_get_info_by_name(o, "NVIDIAUUID"));
		const char *amd = hwloc_obj_get_info_by_name(o, "AMDUUID");
		set_uuid(d, "GPU-", amd);
	}
	if (!*d->uuid && !xml && d->vendor == WEFT_VENDOR_NVIDIA)
		driver_uuid(d);
}

static enum weft_vendor vendor_of(unsigned id)
{
	switch (id) {
	case PCI_NVIDIA:
		return WEFT_VENDOR_NVIDIA;
	case PCI_AMD:
		return WEFT_VENDOR_AMD;
	case PCI_INTEL:
		return WEFT_VENDOR_INTEL;
	default:
		return WEFT_VENDOR_OTHER;
	}
}

/* Bridges are numbered as the devices' paths meet them: no matter which other
 * bridges hwloc lists. */
struct bridges {
	hwloc_obj_t v[WEFT_MAX_DEVICES * 2 * WEFT_MAX_PATH];
	unsigned n;
};

static unsigned bridge_number(struct bridges *b, hwloc_obj_t o)
{
	for (unsigned i = 0; i < b->n; i++)
		if (b->v[i] == o)
			return i;
	b->v[b->n] = o;
	return b->n++;
}

static void set_path(struct weft_device *d, hwloc_obj_t pci, struct bridges *b)
{
	hwloc_obj_t up[64];
	unsigned n = 0;

	for (hwloc_obj_t o = pci->parent; o && o->type == HWLOC_OBJ_BRIDGE && n < 64;
		o = o->parent)
		up[n++] = o;
	while (n && d->n_path < WEFT_MAX_PATH)
		d->path[d->n_path++] = bridge_number(b, up[--n]);
}

static void fill(hwloc_topology_t t, const struct found *f,
	const struct weft_machine *m, struct bridges *b, struct weft_device *d)
{
	const struct hwloc_pcidev_attr_s *a = &f->pci->attr->pcidev;
	hwloc_obj_t near = hwloc_get_non_io_ancestor_obj(t, f->pci);

	snprintf(d->pci, sizeof(d->pci), "%04x:%02x:%02x.%01x", a->domain, a->bus,
		a->dev, a->func);
	if (f->os && f->os->name)
		snprintf(d->name, sizeof(d->name), "%.63s", f->os->name);
	d->vendor = vendor_of(a->vendor_id);
	d->link = f->link;
	for (size_t i = 0; i < m->n_pus; i++) {
		const struct weft_pu *pu = &m->pu[i];
		if (!near || !near->cpuset ||
			!hwloc_bitmap_isset(near->cpuset, pu->cpu))
			continue;
		if (weft_cpuset_next(&d->cpus, 0) < 0)
			d->package = pu->package;
		weft_cpuset_add(&d->cpus, pu->cpu);
	}
	set_path(d, f->pci, b);
}

static int by_address(const void *x, const void *y)
{
	const struct hwloc_pcidev_attr_s *a =
		&((const struct found *)x)->pci->attr->pcidev;
	const struct hwloc_pcidev_attr_s *b =
		&((const struct found *)y)->pci->attr->pcidev;

	if (a->domain != b->domain)
		return a->domain < b->domain ? -1 : 1;
	if (a->bus != b->bus)
		return a->bus < b->bus ? -1 : 1;
	if (a->dev != b->dev)
		return a->dev < b->dev ? -1 : 1;
	return (a->func > b->func) - (a->func < b->func);
}

int weft_discover_devices(struct hwloc_topology *t, bool xml, struct weft_machine *m,
	struct weft_err *err)
{
	static struct found gpu[WEFT_MAX_DEVICES], nic[WEFT_MAX_DEVICES];
	static struct bridges bridges;
	size_t n_gpus = 0, n_nics = 0;
	hwloc_obj_t o = NULL;

	while ((o = hwloc_get_next_pcidev(t, o))) {
		struct found f = {.pci = o};
		bool is_a_gpu = is_gpu(t, o);
		if (!is_a_gpu && !is_nic(o, &f))
			continue;
		if ((is_a_gpu ? n_gpus : n_nics) == WEFT_MAX_DEVICES)
			return weft_err_set(err, WEFT_EPLACE,
				"more than %d devices of a kind", WEFT_MAX_DEVICES);
		if (is_a_gpu) {
			f.os = gpu_os(o);
			gpu[n_gpus++] = f;
		} else {
			nic[n_nics++] = f;
		}
	}
	qsort(gpu, n_gpus, sizeof(*gpu), by_address);
	qsort(nic, n_nics, sizeof(*nic), by_address);
	m->gpu = calloc(n_gpus + 1, sizeof(*m->gpu));
	m->nic = calloc(n_nics + 1, sizeof(*m->nic));
	if (!m->gpu || !m->nic)
		return weft_err_nomem(err);
	bridges.n = 0;
	for (; m->n_gpus < n_gpus; m->n_gpus++) {
		struct weft_device *d = &m->gpu[m->n_gpus];
		fill(t, &gpu[m->n_gpus], m, &bridges, d);
		gpu_uuid(d, gpu[m->n_gpus].pci, xml);
	}
	for (; m->n_nics < n_nics; m->n_nics++)
		fill(t, &nic[m->n_nics], m, &bridges, &m->nic[m->n_nics]);
	return 0;
}
