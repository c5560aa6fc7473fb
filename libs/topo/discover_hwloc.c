/* discover_hwloc - cores, caches, NUMA nodes from hwloc. */
#include "topo/discover_hwloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hwloc.h>

#include "topo/discover_vendor.h"

static int copy_set(
	hwloc_const_bitmap_t from, struct weft_cpuset *to, struct weft_err *err)
{
	int c;

	memset(to, 0, sizeof(*to));
	if (!from)
		return 0;
	if (hwloc_bitmap_last(from) >= WEFT_MAX_CPUS ||
		(hwloc_bitmap_last(from) < 0 && !hwloc_bitmap_iszero(from)))
		return weft_err_set(
			err, WEFT_EPLACE, "CPU numbers beyond %d", WEFT_MAX_CPUS - 1);
	for (c = hwloc_bitmap_first(from); c >= 0; c = hwloc_bitmap_next(from, c))
		weft_cpuset_add(to, (unsigned)c);
	return 0;
}

static bool same(const struct weft_cpuset *a, const struct weft_cpuset *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static bool inside(const struct weft_cpuset *a, const struct weft_cpuset *b)
{
	for (size_t i = 0; i < WEFT_CPU_WORDS; i++)
		if (a->w[i] & ~b->w[i])
			return false;
	return true;
}

/* hwloc names tiers by subtype, which versions some depends on; what the kernel says is
 * in all: a driver's own memory, "SPM" (set apart by the firmware), "NVM". */
static enum weft_memory_kind kind_of(hwloc_obj_t o, bool *apart)
{
	const char *s = o->subtype ? o->subtype : "";
	const char *dax = hwloc_obj_get_info_by_name(o, "DAXType");

	*apart = !strcmp(s, "SPM") || (dax && !strcmp(dax, "SPM"));
	if (!strcmp(s, "GPUMemory") || hwloc_obj_get_info_by_name(o, "PCIBusID"))
		return WEFT_MEM_GPU;
	if (!strcmp(s, "MCDRAM") || !strcmp(s, "HBM"))
		return WEFT_MEM_HBM;
	if (!strncmp(s, "CXL", 3) || !strcmp(s, "NVM") ||
		(dax && !strcmp(dax, "NVM")) ||
		hwloc_obj_get_info_by_name(o, "CXLDevice"))
		return WEFT_MEM_CXL;
	return WEFT_MEM_DRAM;
}

/* A second memory with the same CPUs is another tier even where nobody has a name for
 * it: smaller than the first is taken for HBM, larger for CXL.  The first is DRAM,
 * unless it is set apart and a later one isn't.  Memory without CPUs of its own is
 * CXL, too. */
static void guess_tiers(struct weft_machine *m, const bool *apart)
{
	for (size_t i = 0; i < m->n_numa; i++) {
		struct weft_numa *a = &m->numa[i];
		const struct weft_numa *first = NULL;

		if (a->kind != WEFT_MEM_DRAM)
			continue;
		if (weft_cpuset_next(&a->cpus, 0) < 0) {
			a->kind = WEFT_MEM_CXL;
			continue;
		}
		for (size_t j = 0; j < m->n_numa; j++)
			if (j != i && m->numa[j].kind == WEFT_MEM_DRAM &&
				same(&a->cpus, &m->numa[j].cpus) &&
				(apart[i] == apart[j] ? j < i : apart[i]) && !first)
				first = &m->numa[j];
		if (first)
			a->kind = a->bytes < first->bytes ? WEFT_MEM_HBM : WEFT_MEM_CXL;
	}
}

static int read_numa(hwloc_topology_t t, struct weft_machine *m, struct weft_err *err)
{
	int n = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_NUMANODE);
	bool apart[WEFT_MAX_NUMA];

	if (n <= 0 || n > WEFT_MAX_NUMA)
		return weft_err_set(err, WEFT_EPLACE, "%d NUMA nodes", n);
	m->numa = calloc((size_t)n, sizeof(*m->numa));
	if (!m->numa)
		return weft_err_nomem(err);
	for (int i = 0; i < n; i++) {
		hwloc_obj_t o =
			hwloc_get_obj_by_type(t, HWLOC_OBJ_NUMANODE, (unsigned)i);
		struct weft_numa *node = &m->numa[m->n_numa++];
		if (!o || o->os_index >= WEFT_MAX_NUMA)
			return weft_err_set(err, WEFT_EPLACE, "a NUMA node's number");
		node->os_index = o->os_index;
		node->bytes = o->attr->numanode.local_memory;
		node->kind = kind_of(o, &apart[i]);
		if (copy_set(o->cpuset, &node->cpus, err))
			return -1;
	}
	guess_tiers(m, apart);
	return 0;
}

static bool is_domain(const struct weft_machine *m, size_t i)
{
	const struct weft_numa *a = &m->numa[i];

	if (weft_cpuset_next(&a->cpus, 0) < 0)
		return false;
	for (size_t j = 0; j < m->n_numa; j++) {
		const struct weft_numa *b = &m->numa[j];
		if (j == i || weft_cpuset_next(&b->cpus, 0) < 0)
			continue;
		if (same(&a->cpus, &b->cpus)) {
			/* Of several tiers the plainest stands for the domain. */
			if (b->kind < a->kind || (b->kind == a->kind && j < i))
				return false;
		} else if (inside(&b->cpus, &a->cpus)) {
			return false; /* a memory that spans domains */
		}
	}
	return true;
}

/* The domain of a CPU: a node that no smaller one lies in, else the smallest. */
static int domain_of(const struct weft_machine *m, const bool *domain, unsigned cpu)
{
	int best = -1;
	unsigned best_n = 0;

	for (size_t i = 0; i < m->n_numa; i++) {
		if (!weft_cpuset_has(&m->numa[i].cpus, cpu))
			continue;
		if (domain[i])
			return (int)i;
		unsigned n = weft_cpuset_count(&m->numa[i].cpus);
		if (best < 0 || n < best_n) {
			best = (int)i;
			best_n = n;
		}
	}
	return best;
}

static hwloc_obj_t last_cache(hwloc_topology_t t, hwloc_obj_t pu)
{
	hwloc_obj_t o = hwloc_get_ancestor_obj_by_type(t, HWLOC_OBJ_L3CACHE, pu);
	return o ? o : hwloc_get_ancestor_obj_by_type(t, HWLOC_OBJ_L2CACHE, pu);
}

static int read_cpus(hwloc_topology_t t, struct weft_machine *m, struct weft_err *err)
{
	int n = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_PU);
	int packages = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_PACKAGE);
	hwloc_obj_t last_core = NULL;
	uint64_t last_l3 = 0;
	bool domain[WEFT_MAX_NUMA];

	if (n <= 0 || n > WEFT_MAX_CPUS)
		return weft_err_set(err, WEFT_EPLACE, "%d CPUs", n);
	m->pu = calloc((size_t)n, sizeof(*m->pu));
	if (!m->pu)
		return weft_err_nomem(err);
	m->n_packages = packages > 0 ? (unsigned)packages : 1;
	for (size_t i = 0; i < m->n_numa; i++)
		domain[i] = is_domain(m, i);
	for (int i = 0; i < n; i++) {
		hwloc_obj_t o = hwloc_get_obj_by_type(t, HWLOC_OBJ_PU, (unsigned)i);
		if (!o || o->os_index >= WEFT_MAX_CPUS)
			return weft_err_set(err, WEFT_EPLACE, "a CPU's number");
		hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(t, HWLOC_OBJ_CORE, o);
		hwloc_obj_t pkg =
			hwloc_get_ancestor_obj_by_type(t, HWLOC_OBJ_PACKAGE, o);
		hwloc_obj_t cache = last_cache(t, o);
		struct weft_pu *pu = &m->pu[i];
		int d = domain_of(m, domain, o->os_index);
		if (d < 0)
			return weft_err_set(err, WEFT_EPLACE,
				"CPU %u is in no NUMA node", o->os_index);
		pu->cpu = o->os_index;
		pu->numa = (unsigned)d;
		pu->package = pkg ? pkg->logical_index : 0;
		if (!core || core != last_core)
			m->n_cores++;
		last_core = core;
		pu->core = m->n_cores - 1;
		uint64_t l3 = cache ? cache->gp_index : UINT64_MAX - (uint64_t)d;
		if (!i || l3 != last_l3)
			m->n_l3++;
		last_l3 = l3;
		pu->l3 = m->n_l3 - 1;
		m->n_pus++;
	}
	return 0;
}

/* Caches of data that several cores share. */
static int read_caches(hwloc_topology_t t, struct weft_machine *m, struct weft_err *err)
{
	static const hwloc_obj_type_t types[] = {HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L3CACHE,
		HWLOC_OBJ_L4CACHE, HWLOC_OBJ_L5CACHE};

	size_t most = m->n_pus * WEFT_COUNT(types);

	most = most < WEFT_MAX_CPUS ? most : WEFT_MAX_CPUS;
	m->cache = calloc(most + 1, sizeof(*m->cache));
	if (!m->cache)
		return weft_err_nomem(err);
	for (size_t k = 0; k < WEFT_COUNT(types); k++) {
		hwloc_obj_t o = NULL;

		while ((o = hwloc_get_next_obj_by_type(t, types[k], o)) &&
			m->n_caches < most) {
			struct weft_cache *c = &m->cache[m->n_caches];
			unsigned first = UINT32_MAX;
			bool shared = false;

			if (copy_set(o->cpuset, &c->cpus, err))
				return -1;
			for (size_t i = 0; i < m->n_pus; i++) {
				if (!weft_cpuset_has(&c->cpus, m->pu[i].cpu))
					continue;
				shared |= first != UINT32_MAX && m->pu[i].core != first;
				first = m->pu[i].core;
			}
			c->level = (unsigned)k + 2;
			c->bytes = o->attr->cache.size;
			m->n_caches += shared;
		}
	}
	return 0;
}

/* These start runtimes, or ask a display, for names that nobody here needs. */
static void leave_out(hwloc_topology_t t)
{
	static const char *const components[] = {"cuda", "opencl", "gl"};

	for (size_t i = 0; i < WEFT_COUNT(components); i++)
		(void)hwloc_topology_set_components(
			t, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, components[i]);
}

static int load(const char *xml, hwloc_topology_t t, struct weft_err *err)
{
	unsigned long flags = HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED;

	leave_out(t);
	if (xml && hwloc_topology_set_xml(t, xml))
		return weft_err_set(err, WEFT_EPLACE, "not an hwloc topology");
	if (hwloc_topology_set_io_types_filter(t, HWLOC_TYPE_FILTER_KEEP_ALL) ||
		hwloc_topology_set_flags(t, flags) || hwloc_topology_load(t))
		return weft_err_set(err, WEFT_EPLACE,
			xml ? "not an hwloc topology" : "hwloc: %s", strerror(errno));
	return 0;
}

/* A vendor's library speaks of this machine only; hwloc's own variables may show it
 * another one. */
static int read_vendor(hwloc_topology_t t, const struct weft_topo_source *s,
	struct weft_machine *m, struct weft_err *err)
{
	bool here = !s->xml && hwloc_topology_is_thissystem(t);

	if (!s->root && !here)
		return 0;
	return weft_discover_vendor(s->root ? s->root : "", here, m, err);
}

int weft_discover_hwloc(
	const struct weft_topo_source *s, struct weft_str *text, struct weft_err *err)
{
	struct weft_machine *m = calloc(1, sizeof(*m));
	hwloc_topology_t t = NULL;
	int rc = -1;

	if (!m || hwloc_topology_init(&t)) {
		free(m);
		return weft_err_nomem(err);
	}
	if (load(s->xml, t, err) || read_numa(t, m, err) || read_cpus(t, m, err) ||
		read_caches(t, m, err) || weft_discover_devices(t, m, err) ||
		read_vendor(t, s, m, err))
		goto out;
	const char *host =
		hwloc_obj_get_info_by_name(hwloc_get_root_obj(t), "HostName");
	if (!s->xml && hwloc_topology_is_thissystem(t))
		gethostname(m->host, sizeof(m->host) - 1);
	else if (host)
		snprintf(m->host, sizeof(m->host), "%s", host);
	rc = weft_machine_print(m, text);
	if (rc)
		weft_err_nomem(err);
out:
	hwloc_topology_destroy(t);
	weft_machine_free(m);
	return rc;
}
