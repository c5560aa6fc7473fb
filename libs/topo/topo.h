/*
 * topo - a machine as plain data: cores, caches, NUMA nodes, GPUs, NICs, NVMe disks.
 *
 * The model (this header, model*.c, cache.c) links base only and may be read in
 * slurmstepd; discovery (topo/discover.h, discover*.c) is where hwloc is and
 * never runs there.  The model has a text format of its own, read with bounds
 * checks: `weft topo dump` prints it, `weft topo cache` keeps it under a
 * root-owned folder.
 *
 * Ownership: the machine owns its arrays.  Units: bytes; CPUs are the kernel's
 * numbers.  Errors: WEFT_EPLACE.  Threads: read-only once built.  Runs as:
 * anyone; the cache is written by root, and read only where root wrote it.
 * Limits: 4,096 CPUs, 1,024 NUMA nodes, 256 devices of a kind; more is an error.
 */
#ifndef WEFT_TOPO_H
#define WEFT_TOPO_H

#include "base/base.h"

#define WEFT_MAX_CPUS 4096
#define WEFT_MAX_NUMA 1024
#define WEFT_MAX_DEVICES 256
#define WEFT_MAX_PATH 8
#define WEFT_CPU_WORDS (WEFT_MAX_CPUS / 64)
struct weft_cpuset {
	uint64_t w[WEFT_CPU_WORDS];
};
static inline void weft_cpuset_add(struct weft_cpuset *s, unsigned cpu)
{
	if (cpu < WEFT_MAX_CPUS)
		s->w[cpu / 64] |= UINT64_C(1) << (cpu % 64);
}
static inline void weft_cpuset_del(struct weft_cpuset *s, unsigned cpu)
{
	if (cpu < WEFT_MAX_CPUS)
		s->w[cpu / 64] &= ~(UINT64_C(1) << (cpu % 64));
}
static inline bool weft_cpuset_has(const struct weft_cpuset *s, unsigned cpu)
{
	return cpu < WEFT_MAX_CPUS && (s->w[cpu / 64] >> (cpu % 64) & 1);
}
static inline void weft_cpuset_merge(
	struct weft_cpuset *s, const struct weft_cpuset *those)
{
	for (size_t i = 0; i < WEFT_CPU_WORDS; i++)
		s->w[i] |= those->w[i];
}
static inline void weft_cpuset_remove(
	struct weft_cpuset *s, const struct weft_cpuset *those)
{
	for (size_t i = 0; i < WEFT_CPU_WORDS; i++)
		s->w[i] &= ~those->w[i];
}
unsigned weft_cpuset_count(const struct weft_cpuset *s);
/* First CPU >= from, or -1. */
int weft_cpuset_next(const struct weft_cpuset *s, int from);
bool weft_cpuset_meets(const struct weft_cpuset *a, const struct weft_cpuset *b);
/* "0-3,8" both ways; parse refuses junk, "" is the empty set. print is false when
 * buf is too small. */
bool weft_cpuset_parse(const char *list, struct weft_cpuset *s);
bool weft_cpuset_print(const struct weft_cpuset *s, char *buf, size_t size);

struct weft_pu {      /* a hardware thread */
	unsigned cpu; /* kernel's number */
	/* Logical indices.  numa is the CPU domain, an index in machine->numa; l3 the
	 * last cache that cores share, or the domain's where there is none. */
	unsigned core, l3, numa, package;
};
struct weft_cache { /* of data, shared by several cores */
	unsigned level;
	uint64_t bytes;
	struct weft_cpuset cpus;
};
enum weft_memory_kind { WEFT_MEM_DRAM, WEFT_MEM_HBM, WEFT_MEM_GPU, WEFT_MEM_CXL };
struct weft_numa {
	unsigned os_index;
	enum weft_memory_kind kind;
	uint64_t bytes;
	struct weft_cpuset cpus; /* local CPUs; empty for memory without */
};
enum weft_vendor {
	WEFT_VENDOR_NVIDIA,
	WEFT_VENDOR_AMD,
	WEFT_VENDOR_INTEL,
	WEFT_VENDOR_OTHER
};
enum weft_nic_link {
	WEFT_LINK_NONE,
	WEFT_LINK_ETHERNET,
	WEFT_LINK_VERBS,
	WEFT_LINK_FABRIC
};
struct weft_device {     /* GPU, a GPU's partition, NIC or NVMe disk */
	char pci[20];    /* "0000:07:00.0"; a partition: "0000:07:00.0/1" */
	char name[64];   /* "mlx5_0", "hsn0", "nvme0n1"; GPU: vendor's index or "" */
	char uuid[64];   /* GPU-... or MIG-..., where known */
	char parent[64]; /* a partition's whole GPU: its UUID, where known */
	enum weft_vendor vendor;
	enum weft_nic_link
		link; /* NIC: verbs is InfiniBand or RoCE, fabric Slingshot... */
	struct weft_cpuset cpus; /* local CPUs */
	unsigned package;
	/* PCI bridges from the root (path[0] is the host bridge): the longer the
	 * common beginning, the nearer two devices are. */
	unsigned path[WEFT_MAX_PATH];
	unsigned n_path;
};

struct weft_machine {
	char host[64];
	bool borrowed; /* another machine's model, from the cache: never to be applied
			*/
	struct weft_cpuset reserved; /* for the system: no task gets them; not printed
				      */
	struct weft_pu *pu; /* in logical order: package, NUMA, L3, core, thread */
	size_t n_pus;
	unsigned n_cores, n_l3, n_packages;
	struct weft_cache *cache; /* by level, then logical order; may be none */
	size_t n_caches;
	struct weft_numa *numa;
	size_t n_numa;
	/* In PCI order.  A partitioned GPU (MIG, CPX) is as many as it has partitions,
	 * and not there itself: no task can use it. */
	struct weft_device *gpu, *nic, *nvme;
	size_t n_gpus, n_nics, n_nvmes;
};

void weft_machine_free(struct weft_machine *m);
/* The model's format; parse checks everything and never reads out of bounds. */
int weft_machine_print(const struct weft_machine *m, struct weft_str *out);
int weft_machine_parse(
	const char *text, size_t n, struct weft_machine **m, struct weft_err *err);
/* Which CPUs are kept for the system: items between commas, CPUs ("0,8-9") or, with all
 * their threads, "l3:N", "numa:N", "package:N" (the first N cores of each), "first:N",
 * "last:N" (N cores as Slurm chooses specialized ones, with and without
 * spec_cores_first); or "none".  Replaces what was reserved.  WEFT_EUSAGE with the
 * words.  m NULL: checks only. */
int weft_machine_reserve(
	struct weft_machine *m, const char *what, struct weft_err *err);
/* Reads DIR/topology if root owns it, it was made on this host since this boot,
 * and its checksum holds; fills (*m)->borrowed. 1: there is none. */
int weft_machine_load_cache(
	const char *dir, struct weft_machine **m, struct weft_err *err);
/* Writes it (root). `borrowed`: the model is another machine's (tests). */
int weft_machine_save_cache(const char *dir, const struct weft_machine *m,
	bool borrowed, struct weft_err *err);

#endif
