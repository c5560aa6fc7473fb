/* bind - a placed task as plain data, and its application to this process. */
#include "bind/bind.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bind/env.h"

/* <numaif.h> is libnuma's; these are the kernel's. Source: linux/mempolicy.h. */
#define MPOL_PREFERRED 1
#define MPOL_INTERLEAVE 3
#define MPOL_LOCAL 4

void weft_bind_known_memory(const struct weft_machine *m, struct weft_place_step *step)
{
	uint64_t all = 0;

	for (size_t i = 0; i < m->n_numa; i++)
		all += m->numa[i].kind == WEFT_MEM_GPU ? 0 : m->numa[i].bytes;
	if (step->ntasks && step->mem_per_task > all / step->ntasks)
		step->mem_per_task = 0;
}

int weft_bind_prepare(const struct weft_machine *m, const struct weft_placed_task *t,
	const struct weft_place_step *step, const unsigned *gpus, size_t n_gpus,
	const char *visible, bool borrowed, struct weft_binding *out,
	struct weft_err *err)
{
	memset(out, 0, sizeof(*out));
	out->cpus = t->cpus;
	out->memory = step->memory;
	out->borrowed = borrowed;
	if (weft_cpuset_next(&t->cpus, 0) < 0)
		return weft_err_set(err, WEFT_EPLACE, "a task without CPUs");
	for (size_t i = 0; i < t->n_numa && i < WEFT_COUNT(t->numa); i++) {
		if (t->numa[i] >= m->n_numa ||
			m->numa[t->numa[i]].os_index >= WEFT_MAX_NUMA)
			return weft_err_set(
				err, WEFT_EPLACE, "a NUMA node that is not there");
		unsigned os = m->numa[t->numa[i]].os_index;
		out->nodemask[os / 64] |= UINT64_C(1) << (os % 64);
	}
	for (size_t i = 0; i < t->n_gpus; i++)
		if (t->gpu[i] >= m->n_gpus)
			return weft_err_set(
				err, WEFT_EPLACE, "a GPU that is not there");
	if (weft_bind_gpu_env(m, t, gpus, n_gpus, visible, out, err))
		return -1;
	weft_bind_omp_env(m, t, step, out);
	weft_bind_nic_env(m, t, out);
	return 0;
}

static const char *apply_memory(const struct weft_binding *b)
{
	unsigned nodes = 0;
	int mode;

	for (size_t i = 0; i < WEFT_COUNT(b->nodemask); i++)
		nodes += (unsigned)__builtin_popcountll(b->nodemask[i]);
	if (!nodes || b->memory == WEFT_PLACE_ANY)
		return NULL;
	/* Of several nodes the one where the thread runs is the nearest. Preferred,
	 * not bound: a full node must not kill the task. */
	if (b->memory == WEFT_PLACE_INTERLEAVE)
		mode = MPOL_INTERLEAVE;
	else
		mode = nodes == 1 ? MPOL_PREFERRED : MPOL_LOCAL;
	long rc = mode == MPOL_LOCAL ? syscall(SYS_set_mempolicy, mode, NULL, 0UL)
				     : syscall(SYS_set_mempolicy, mode, b->nodemask,
					       sizeof(b->nodemask) * 8 + 1);
	/* Containers forbid the call; memory comes from the CPUs' node anyway. */
	return rc && errno != EPERM && errno != ENOSYS ? "set_mempolicy" : NULL;
}

const char *weft_bind_apply(const struct weft_binding *b)
{
	if (b->borrowed)
		return NULL;
	if (syscall(SYS_sched_setaffinity, 0, sizeof(b->cpus.w), b->cpus.w) < 0)
		return "sched_setaffinity";
	return apply_memory(b);
}
