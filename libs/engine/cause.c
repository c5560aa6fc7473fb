/* cause.c - why an attempt failed, and whether another follows */
#include "engine/unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAIL 8192 /* bytes of a log's end in which Slurm's last word is looked for */

/* The number after a word in a small file. */
static uint64_t number_in(const char *path, const char *word)
{
	weft_autofree char *text = NULL;
	size_t n = strlen(word);

	if (weft_read_file(path, 65536, &text, NULL, NULL))
		return 0;
	for (char *line = text; *line; line += strcspn(line, "\n"), line += !!*line)
		if (strncmp(line, word, n) == 0 && line[n] == ' ')
			return strtoull(line + n + 1, NULL, 10);
	return 0;
}

/* What the kernel killed for want of memory in our own cgroup: of version 2, or the
 * memory controller of version 1. */
static uint64_t oom_kills(void)
{
	weft_autofree char *text = NULL;
	char *save = NULL;

	if (weft_read_file("/proc/self/cgroup", 65536, &text, NULL, NULL))
		return 0;
	for (char *l = strtok_r(text, "\n", &save); l;
		l = strtok_r(NULL, "\n", &save)) {
		char *with = strchr(l, ':'), *at = with ? strchr(with + 1, ':') : NULL;

		if (!at)
			continue;
		bool v1 = strncmp(with, ":memory:", 8) == 0;
		if (!v1 && strncmp(with, "::", 2) != 0)
			continue;
		weft_autofree char *path =
			weft_printf(v1 ? "/sys/fs/cgroup/memory%s/memory.oom_control"
				       : "/sys/fs/cgroup%s/memory.events",
				at + 1);
		uint64_t n = path ? number_in(path, "oom_kill") : 0;

		if (n || v1)
			return n;
	}
	return 0;
}

void cause_begin(struct unit *u)
{
	u->oom_kills = oom_kills();
}

/* Source: slurmd's req.c and slurmstepd's: what a step is told as it is ended. */
static enum weft_cause slurms_word(const struct unit *u)
{
	static const struct {
		const char *word;
		enum weft_cause cause;
	} said[] = {{"oom_kill event", WEFT_CAUSE_OOM}, {"oom-kill", WEFT_CAUSE_OOM},
		{"exceeded memory limit", WEFT_CAUSE_OOM},
		{"DUE TO NODE FAILURE", WEFT_CAUSE_NODE_FAIL},
		{"Node failure on", WEFT_CAUSE_NODE_FAIL},
		{"DUE TO PREEMPTION", WEFT_CAUSE_PREEMPTED},
		{"DUE TO TIME LIMIT", WEFT_CAUSE_TIMEOUT}};
	weft_autofree char *path = weft_path_join(u->dir, "stderr");
	char end[TAIL + 1];
	struct stat st;

	FILE *f = path ? fopen(path, "re") : NULL;
	if (!f)
		return WEFT_CAUSE_NONE;
	if (fstat(fileno(f), &st) == 0 && st.st_size > TAIL)
		(void)fseek(f, -TAIL, SEEK_END);
	size_t n = fread(end, 1, TAIL, f);
	fclose(f);
	for (size_t i = 0; i < WEFT_COUNT(said); i++)
		if (memmem(end, n, said[i].word, strlen(said[i].word)))
			return said[i].cause;
	return WEFT_CAUSE_NONE;
}

/* Without a cgroup that counts, a kill that nobody here sent, of a program that used
 * nearly all of its memory, is taken for what it looks like. */
static bool out_of_memory(const struct unit *u, uint64_t used)
{
	uint64_t had = u->plan->mem;

	if (u->record.signal != SIGKILL)
		return false;
	return oom_kills() > u->oom_kills || (had && used >= had - had / 10);
}

void cause_find(struct unit *u, bool timeout, uint64_t used)
{
	static const char *const reason[] = {[WEFT_CAUSE_OOM] = "killed: out of memory",
		[WEFT_CAUSE_NODE_FAIL] = "a node that it ran on failed",
		[WEFT_CAUSE_PREEMPTED] = "its job was preempted"};
	struct weft_record *r = &u->record;
	enum weft_cause cause = WEFT_CAUSE_NONE;

	if (r->state != WEFT_STATE_FAILED)
		return;
	if (timeout)
		cause = WEFT_CAUSE_TIMEOUT;
	else if (out_of_memory(u, used))
		cause = WEFT_CAUSE_OOM;
	else if (unit_srun(u) && (r->signal || r->exit_status > 0))
		cause = slurms_word(u);
	r->cause = (char *)weft_cause_name(cause);
	if (reason[cause])
		r->reason = (char *)reason[cause];
}

const struct weft_retry *cause_again(struct unit *u)
{
	struct weft_record *r = &u->record;
	const struct weft_retry *again;

	/* What the file or the plan says doesn't change by itself. */
	if (r->state != WEFT_STATE_FAILED || r->code == WEFT_ESPEC ||
		r->code == WEFT_EPLACE)
		return NULL;
	again = weft_spec_retry(
		u->step, r->attempt, weft_cause_of(r->cause), r->exit_status);
	if (!again)
		return NULL;
	r->state = WEFT_STATE_NONE;
	r->reason = weft_arena_printf(
		&u->arena, "attempt %u: %s", r->attempt + 1, r->reason);
	return again;
}
