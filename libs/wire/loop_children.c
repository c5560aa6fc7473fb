/* loop_children.c - reaping, at a cost that doesn't grow with the number of children */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "wire/loop_children.h"

static struct loop_child **find(struct loop_children *c, pid_t pid)
{
	struct loop_child **at = &c->bucket[(unsigned)pid % WEFT_COUNT(c->bucket)];

	while (*at && (*at)->pid != pid)
		at = &(*at)->next;
	return at;
}

int loop_children_add(struct loop_children *c, pid_t pid, weft_child_fn *fn, void *arg)
{
	struct loop_child *k = malloc(sizeof(*k));
	struct loop_child **head = &c->bucket[(unsigned)pid % WEFT_COUNT(c->bucket)];

	if (!k)
		return -1;
	*k = (struct loop_child){*head, pid, fn, arg};
	*head = k;
	c->n++;
	return 0;
}

void loop_children_drop(struct loop_children *c, pid_t pid)
{
	struct loop_child **at = find(c, pid), *k = *at;

	if (!k)
		return;
	*at = k->next;
	c->n--;
	free(k);
}

/* false: it runs on. */
static bool reap_one(struct loop_children *c, pid_t pid)
{
	struct loop_child *k = *find(c, pid);
	struct weft_child_end end = {.pid = pid};

	pid_t got = wait4(pid, &end.status, WNOHANG, &end.usage);
	if (got == 0 || (got < 0 && errno == EINTR))
		return false;
	/* ECHILD: somebody else has reaped it, and its status is lost. */
	if (got < 0)
		end.status = 0x7f00;
	weft_child_fn *fn = k->fn;
	void *arg = k->arg;
	loop_children_drop(c, pid);
	fn(arg, &end);
	return true;
}

/* Somebody else's child that nobody has reaped hides ours behind it. */
static void reap_by_name(struct loop_children *c)
{
	for (size_t i = 0; i < WEFT_COUNT(c->bucket); i++)
		for (struct loop_child *k = c->bucket[i]; k;) {
			/* What a callback does to the list is unknown: begin anew. */
			k = reap_one(c, k->pid) ? c->bucket[i] : k->next;
		}
}

void loop_children_reap(struct loop_children *c)
{
	while (c->n) {
		siginfo_t info = {0};

		/* WNOWAIT: who has ended, without taking it from those who wait. */
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT)) {
			if (errno == EINTR)
				continue;
			/* None at all: all of ours were reaped by others. */
			reap_by_name(c);
			return;
		}
		if (!info.si_pid)
			return;
		if (!*find(c, info.si_pid)) {
			reap_by_name(c);
			return;
		}
		reap_one(c, info.si_pid);
	}
}

void loop_children_clear(struct loop_children *c)
{
	for (size_t i = 0; i < WEFT_COUNT(c->bucket); i++)
		while (c->bucket[i]) {
			struct loop_child *k = c->bucket[i];

			c->bucket[i] = k->next;
			free(k);
		}
	c->n = 0;
}
