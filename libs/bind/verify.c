/* verify - is a task where its note says that it is? */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bind/bind.h"

/* The kernel's, as in bind.c. Source: linux/mempolicy.h. */
#define MPOL_PREFERRED 1
#define MPOL_INTERLEAVE 3
#define MPOL_LOCAL 4
#define MPOL_NO_SUCH 0x3fff

static void say(struct weft_str *out, const char *what, const struct weft_cpuset *is,
	const struct weft_cpuset *planned)
{
	char a[8192], b[8192];

	if (!weft_cpuset_print(is, a, sizeof(a)) ||
		!weft_cpuset_print(planned, b, sizeof(b)))
		strcpy(a, strcpy(b, "(a long list)"));
	weft_str_printf(
		out, "%s %s, planned %s\n", what, *a ? a : "none", *b ? b : "none");
}

static void verify_cpus(const struct weft_note *note, struct weft_str *out)
{
	struct weft_cpuset is = {0};

	if (syscall(SYS_sched_getaffinity, 0, sizeof(is.w), is.w) < 0)
		weft_str_printf(out, "cpus not told: %s\n", strerror(errno));
	else if (memcmp(&is, &note->cpus, sizeof(is)) != 0)
		say(out, "cpus", &is, &note->cpus);
}

/* Containers forbid it: then nothing was set. */
static bool may_set_memory(void)
{
	return !syscall(SYS_set_mempolicy, MPOL_NO_SUCH, NULL, 0UL) ||
	       (errno != EPERM && errno != ENOSYS);
}

static void verify_memory(const struct weft_note *note, struct weft_str *out)
{
	struct weft_cpuset is = {0}, planned = {0};
	int mode = -1, want;

	memcpy(planned.w, note->nodemask, sizeof(note->nodemask));
	unsigned nodes = weft_cpuset_count(&planned);
	if (!nodes || note->memory == WEFT_PLACE_ANY || !may_set_memory())
		return;
	if (note->memory == WEFT_PLACE_INTERLEAVE)
		want = MPOL_INTERLEAVE;
	else
		want = nodes == 1 ? MPOL_PREFERRED : MPOL_LOCAL;
	if (syscall(SYS_get_mempolicy, &mode, is.w, sizeof(is.w) * 8, NULL, 0UL)) {
		if (errno != EPERM && errno != ENOSYS)
			weft_str_printf(
				out, "memory policy not told: %s\n", strerror(errno));
		return;
	}
	/* Older kernels call local memory preferred memory of no node. */
	if (want == MPOL_LOCAL && mode == MPOL_PREFERRED && !weft_cpuset_count(&is))
		mode = MPOL_LOCAL;
	if (mode != want)
		weft_str_printf(out, "memory policy %d, planned %d\n", mode, want);
	else if (want != MPOL_LOCAL && memcmp(&is, &planned, sizeof(is)) != 0)
		say(out, "memory nodes", &is, &planned);
}

void weft_bind_verify(const struct weft_note *note, struct weft_str *out)
{
	const char *shown = *note->variable ? getenv(note->variable) : NULL;

	if (!note->borrowed) {
		verify_cpus(note, out);
		verify_memory(note, out);
	}
	if (*note->variable && !weft_streq(shown, note->visible))
		weft_str_printf(out, "%s %s, planned %s\n", note->variable,
			shown ? shown : "not set", note->visible);
}
