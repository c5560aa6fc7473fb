/* checkpoint.c - a word before the time is over, and what goes on from there */
#include "engine/unit.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

double checkpoint_at(const struct unit *u, double deadline)
{
	const struct weft_checkpoint *c = &u->step->checkpoint;
	double limit = deadline, now = weft_monotonic();

	if (!c->signal)
		return 0;
	if (u->e->end > 0) {
		double end = now + u->e->end - weft_now();

		limit = limit > 0 && limit < end ? limit : end;
	}
	if (limit <= 0)
		return 0;
	/* Of a limit that is shorter than that: at once would be too soon to have done
	 * anything. */
	double at = limit - (double)c->before;
	return at > now ? at : now + (limit - now) / 2;
}

/* Does a process of this group answer the signal?  Source: proc(5): pgrp is field 5 of
 * stat, SigCgt a mask in status. */
static bool answers(const char *pid, pid_t group, int sig)
{
	weft_autofree char *path = weft_printf("/proc/%s/stat", pid);
	weft_autofree char *stat = NULL, *status = NULL;
	int pgrp;

	if (!path || weft_read_file(path, 4096, &stat, NULL, NULL))
		return false;
	const char *at = strrchr(stat, ')');
	if (!at || sscanf(at + 1, " %*c %*d %d", &pgrp) != 1 || pgrp != group)
		return false;
	free(path);
	path = weft_printf("/proc/%s/status", pid);
	if (!path || weft_read_file(path, 65536, &status, NULL, NULL))
		return false;
	at = strstr(status, "\nSigCgt:");
	return at && strtoull(at + 8, NULL, 16) >> (sig - 1) & 1;
}

/* A shell between us and the program would end by it, and the program with it: only
 * those hear it that answer. */
bool checkpoint_tell(const struct unit *u, pid_t group)
{
	int sig = u->step->checkpoint.signal;
	DIR *d = opendir("/proc");
	bool told = false;

	for (struct dirent *e; d && (e = readdir(d));) {
		int64_t pid;

		if (!weft_parse_int(e->d_name, 1, INT32_MAX, &pid) ||
			!answers(e->d_name, group, sig))
			continue;
		told |= kill((pid_t)pid, sig) == 0;
	}
	if (d)
		closedir(d);
	return told;
}

void checkpoint_again(struct unit *u)
{
	struct weft_record *r = &u->record;

	if (!u->told || r->state != WEFT_STATE_FAILED ||
		r->attempt >= u->step->checkpoint.max)
		return;
	r->state = WEFT_STATE_NONE;
	r->code = WEFT_OK;
	r->cause = (char *)weft_cause_name(WEFT_CAUSE_CHECKPOINT);
	r->reason = weft_arena_printf(
		&u->arena, "goes on after a checkpoint (%u)", r->attempt + 1);
}
