/*
 * remote.c - slurmstepd: the step's tasks are placed on this node and bound.
 *
 * Security.  init runs as root: it reads weft.conf (root-owned, no links, a path
 * of plugstack.conf) and nothing else.  user_init has the user's effective id but
 * could become root again, so it follows no name that the user chose: from the
 * user comes only the ticket, text of at most 4 KiB that the ticket room checks
 * whole, and whether an option was given.  It opens the topology cache (root's)
 * and, without one, starts the site's `weft topo dump` in a child that has given
 * up root for good, with an environment of its own, a time limit and an output
 * limit; the answer goes through the model's bounds-checked reader.  What a forged
 * ticket can change is the binding of that user's own tasks, within what Slurm
 * and the kernel let that user have anyway.
 *
 * task_exit runs as root: what a step has made on the node is brought back by a child
 * that has given that up (stage.c, child.c) when the node's last task has ended.
 * slurmstepd waits for it, in the same place as for a site's TaskEpilog: to Slurm the
 * step runs on, so that the bound is the job's time limit.
 *
 * Errors are latched and told in task_init, in the task's own child, which then
 * ends with status 64: any other way either drains the node, or lets the command
 * run as if all were well (see weft-spank(8)).
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugin/spank/contexts.h"
#include "plugin/spank/node.h"
#include "plugin/spank/options.h"
#include "plugin/spank/site.h"
#include "plugin/spank/stage.h"
#include "plugin/spank/watch.h"

#define EXIT_LATCHED 64

static struct {
	bool on;
	bool active;   /* one of our options was given for this step of tasks */
	char why[768]; /* latched: "" all is well */
	struct node node;
	bool stages; /* the step has outputs that this node brings back */
	bool killed; /* one of its tasks was */
	uint32_t tasks, ended;
} remote;

static void latch(const char *fmt, ...) WEFT_PRINTF(1, 2);
static void latch(const char *fmt, ...)
{
	va_list ap;

	if (*remote.why)
		return;
	va_start(ap, fmt);
	vsnprintf(remote.why, sizeof(remote.why), fmt, ap);
	va_end(ap);
}

static void latch_err(struct weft_err *err)
{
	weft_autofree char *line = weft_err_line(err);

	latch("%s", line ? line : "out of memory");
}

/* libs' warnings belong in the host's log, not on a descriptor 2 of its own. */
static void log_sink(enum weft_level level, const char *text)
{
	if (level <= WEFT_WARN)
		host_error("%s", text);
	else
		host_debug("%s", text);
}

static void forget(void)
{
	watch_end();
	node_clear(&remote.node);
	memset(&remote, 0, sizeof(remote));
	site_forget();
	weft_log_set(WEFT_WARN, NULL);
}

int remote_init(spank_t sp, int ac, char **av)
{
	char why[sizeof(remote.why)] = "";

	forget();
	weft_log_set(WEFT_WARN, log_sink);
	switch (site_read(ac, av, true, why, sizeof(why))) {
	case SITE_OFF:
		return 0;
	case SITE_BROKEN:
		host_error("%s", why);
		latch("%s", why);
		break;
	case SITE_ON:
		break;
	}
	remote.on = true;
	options_register(sp);
	return 0;
}

/* The ticket of the job's environment, or the default of a bare --weft-bind=auto. */
static int read_ticket(spank_t sp, const struct options *o, struct weft_ticket *t)
{
	weft_autofree char *text = malloc(WEFT_TICKET_MAX + 1);
	weft_autoerr struct weft_err err = {0};

	if (!text) {
		latch("out of memory");
		return -1;
	}
	switch (host_getenv(sp, WEFT_TICKET_ENV, text, WEFT_TICKET_MAX + 1)) {
	case HOST_HAVE:
		if (!weft_ticket_decode(text, t, &err))
			return 0;
		latch_err(&err);
		return -1;
	case HOST_NONE:
		if (!o->has_step && o->bind == OPTION_BIND_AUTO) {
			node_default_ticket(t);
			return 0;
		}
		latch(WEFT_TICKET_ENV
			" is missing from the step's environment (srun --export: "
			"add it, or use ALL)");
		return -1;
	case HOST_TOO_LONG:
		latch(WEFT_TICKET_ENV " is longer than %d bytes", WEFT_TICKET_MAX);
		return -1;
	case HOST_FAILED:
		break;
	}
	latch(WEFT_TICKET_ENV " can't be read from the step's environment");
	return -1;
}

int remote_user_init(spank_t sp)
{
	const struct options *o = options_given();
	weft_autoerr struct weft_err err = {0};
	enum host_step kind;
	struct weft_ticket t;
	uid_t uid;
	gid_t gid;

	if (!remote.on || !o->any || host_step_kind(sp, &kind) ||
		kind != HOST_STEP_TASKS)
		return 0;
	if (*o->bad)
		latch("%s", o->bad);
	/* The site's word, whatever weft.conf the user's srun went by. */
	if (!*remote.why && site_asks_user()) {
		if (host_user(sp, &uid, &gid))
			latch("Slurm doesn't say whose step this is");
		else
			site_user_off(uid, remote.why, sizeof(remote.why));
	}
	remote.active = true;
	remote.stages = !*remote.why && host_local_tasks(sp, &remote.tasks) == 0 &&
			stage_is_here(sp);
	if (remote.stages)
		watch_prepare();
	if (*remote.why || o->bind == OPTION_BIND_NONE || read_ticket(sp, o, &t))
		return 0;
	/* The ticket goes by the step, its role and the site already. */
	if (!t.bind)
		return 0;
	if (node_prepare(&remote.node, sp, &t, &err))
		latch_err(&err);
	return 0;
}

/* In the task's child, in place of the command: plain write() and _exit(), which
 * leave slurmstepd's buffers and exit handlers alone. */
static void end_task(spank_t sp, const char *why, bool once_a_node)
	__attribute__((noreturn));
static void end_task(spank_t sp, const char *why, bool once_a_node)
{
	char host[65] = "?", line[1024];
	int id = 0;

	if (!once_a_node || host_task_id(sp, &id) || id == 0) {
		gethostname(host, sizeof(host) - 1);
		int n = snprintf(line, sizeof(line),
			"weft: error: %s: %s; nothing was run\n", host, why);
		if (n >= (int)sizeof(line)) {
			n = (int)sizeof(line) - 1;
			line[n - 1] = '\n';
		}
		(void)!write(2, line, (size_t)n);
	}
	_exit(EXIT_LATCHED);
}

int remote_task_init(spank_t sp)
{
	char why[512];
	int id;

	if (!remote.active)
		return 0;
	if (remote.stages && host_task_id(sp, &id) == 0 && id == 0)
		watch_start();
	if (*remote.why)
		end_task(sp, remote.why, true);
	if (!remote.node.machine)
		return 0;
	if (host_task_id(sp, &id))
		end_task(sp, "Slurm doesn't say which task this is", false);
	if (node_bind_task(&remote.node, sp, (unsigned)id, why, sizeof(why)))
		end_task(sp, why, false);
	return 0;
}

int remote_task_exit(spank_t sp)
{
	int status = 0;

	if (!remote.stages)
		return 0;
	if (host_task_status(sp, &status) == 0 && WIFSIGNALED(status) &&
		WTERMSIG(status) == SIGKILL)
		remote.killed = true;
	if (++remote.ended == remote.tasks) {
		stage_out_here(sp, watch_fd(), remote.killed);
		watch_end();
	}
	return 0;
}

void remote_end(void)
{
	forget();
}
