/*
 * discover_devices - GPUs, network cards and NVMe disks, with or without hwloc's
 * vendor back ends: the PCI class and vendor decide, so that the same machine gives
 * the same model either way; back ends only add names and UUIDs.
 */
#include "topo/discover_hwloc.h"

#include <stdlib.h>
#include <string.h>

#include <hwloc.h>

#define PCI_AMD 0x1002
#define PCI_NVIDIA 0x10de
#define PCI_INTEL 0x8086
#define PCI_HABANA 0x1da3
#define PCI_NEC 0x1bcf

enum kind { GPU, NIC, NVME, KINDS };

struct found {
	hwloc_obj_t pci, os; /* os: the OS device that names it, or NULL */
	enum weft_nic_link link;
};

static void address(hwloc_obj_t pci, char *buf, size_t size)
{
	const struct hwloc_pcidev_attr_s *a = &pci->attr->pcidev;

	snprintf(buf, size, "%04x:%02x:%02x.%01x", a->domain, a->bus, a->dev, a->func);
}

/* GPUs and other accelerators that compute: not the management controller's (ASPEED,
 * Matrox), not the processor's own graphics (Intel on bus 0).  What hwloc's vendor back
 * ends say is no matter here: with and without them it is the same machine. */
static bool is_gpu(hwloc_topology_t t, hwloc_obj_t pci)
{
	unsigned class = pci->attr->pcidev.class_id,
		 vendor = pci->attr->pcidev.vendor_id;
	hwloc_obj_t node = NULL;
	char id[32];

	switch (class) {
	case 0x0302: /* 3D controller */
		return true;
	case 0x0300: /* VGA */
		if (vendor == PCI_NVIDIA || vendor == PCI_AMD ||
			(vendor == PCI_INTEL && pci->attr->pcidev.bus))
			return true;
		break;
	case 0x0380: /* other display controller */
		if (vendor == PCI_NVIDIA || vendor == PCI_AMD || vendor == PCI_INTEL)
			return true;
		break;
	case 0x1200: /* processing accelerator; Intel's are no GPUs */
		if (vendor == PCI_AMD || vendor == PCI_HABANA)
			return true;
		break;
	case 0x0b40: /* co-processor */
		if (vendor == PCI_NEC)
			return true;
		break;
	default:
		break;
	}
	/* The kernel's NUMA node of a GPU's memory names the GPU. */
	address(pci, id, sizeof(id));
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

/* What a vendor's back end of hwloc has found. */
static void backend_uuid(struct weft_device *d, hwloc_obj_t pci)
{
	for (hwloc_obj_t o = pci->io_first_child; o; o = o->next_sibling) {
		set_uuid(d, "", hwloc_obj_get_info_by_name(o, "NVIDIAUUID"));
		set_uuid(d, "GPU-", hwloc_obj_get_info_by_name(o, "AMDUUID"));
	}
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
	hwloc_obj_t v[WEFT_MAX_DEVICES * KINDS * WEFT_MAX_PATH];
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
	hwloc_obj_t near = hwloc_get_non_io_ancestor_obj(t, f->pci);

	address(f->pci, d->pci, sizeof(d->pci));
	if (f->os && f->os->name)
		snprintf(d->name, sizeof(d->name), "%.63s", f->os->name);
	d->vendor = vendor_of(f->pci->attr->pcidev.vendor_id);
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

/* An NVM Express disk; the kernel's first namespace names it. */
static bool is_nvme(hwloc_obj_t pci, struct found *f)
{
	if (pci->attr->pcidev.class_id != 0x0108)
		return false;
	for (hwloc_obj_t o = pci->io_first_child; o && !f->os; o = o->next_sibling)
		if (o->type == HWLOC_OBJ_OS_DEVICE &&
			o->attr->osdev.type == HWLOC_OBJ_OSDEV_BLOCK)
			f->os = o;
	return true;
}

static enum kind kind_of(hwloc_topology_t t, hwloc_obj_t pci, struct found *f)
{
	if (is_gpu(t, pci)) {
		f->os = gpu_os(pci);
		return GPU;
	}
	if (is_nic(pci, f))
		return NIC;
	*f = (struct found){.pci = pci};
	return is_nvme(pci, f) ? NVME : KINDS;
}

int weft_discover_devices(
	struct hwloc_topology *t, struct weft_machine *m, struct weft_err *err)
{
	static struct found found[KINDS][WEFT_MAX_DEVICES];
	static struct bridges bridges;
	struct {
		struct weft_device **v;
		size_t *n, found;
	} list[KINDS] = {{&m->gpu, &m->n_gpus, 0}, {&m->nic, &m->n_nics, 0},
		{&m->nvme, &m->n_nvmes, 0}};
	hwloc_obj_t o = NULL;

	while ((o = hwloc_get_next_pcidev(t, o))) {
		struct found f = {.pci = o};
		enum kind k = kind_of(t, o, &f);
		if (k == KINDS)
			continue;
		if (list[k].found == WEFT_MAX_DEVICES)
			return weft_err_set(err, WEFT_EPLACE,
				"more than %d devices of a kind", WEFT_MAX_DEVICES);
		found[k][list[k].found++] = f;
	}
	bridges.n = 0;
	for (enum kind k = GPU; k < KINDS; k++) {
		struct weft_device *v = calloc(list[k].found + 1, sizeof(*v));
		if (!v)
			return weft_err_nomem(err);
		*list[k].v = v;
		qsort(found[k], list[k].found, sizeof(*found[k]), by_address);
		for (size_t i = 0; i < list[k].found; i++) {
			fill(t, &found[k][i], m, &bridges, &v[i]);
			if (k == GPU)
				backend_uuid(&v[i], found[k][i].pci);
		}
		*list[k].n = list[k].found;
	}
	return 0;
}
