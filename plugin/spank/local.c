/*
 * local.c - srun: the step's order is fetched, its size becomes srun's default,
 * its environment and ticket go with the launch.
 *
 * Runs as the user, in the user's own process: setenv() is how sizes and the
 * environment reach srun, exit() is how a bad request ends before anything runs.
 */
#include <stdlib.h>
#include <string.h>

#include "plugin/spank/cmdline.h"
#include "plugin/spank/contexts.h"
#include "plugin/spank/options.h"
#include "plugin/spank/order.h"
#include "plugin/spank/site.h"
#include "plugin/spank/sizes.h"
#include "plugin/spank/stage.h"
#include "ticket/ticket.h"

static struct {
	bool on;
	char **argv; /* of srun */
	struct cmdline line;
	struct order order;
	char *file, *step; /* what the order is of */
	bool ready;        /* init_post_opt has been through (het: once a component) */
	bool inside;       /* srun is in an allocation, of these nodes (0: not said) */
	uint32_t nodes;
} local;

static void forget(void)
{
	order_free(&local.order);
	cmdline_clear(&local.line);
	free(local.argv);
	free(local.file);
	free(local.step);
	memset(&local, 0, sizeof(local));
}

/* The order of this step, fetched once. Ends srun when there is none. */
static void fetch(const char *typed_file, const char *step)
{
	weft_autofree char *file = user_side_file(typed_file);
	weft_autofree char *command = NULL;

	if (!file)
		user_side_fail(WEFT_EUSAGE,
			"--weft-step=%s needs --weft=FILE (or a job "
			"submitted with it)",
			step);
	if (local.file && weft_streq(local.file, file) && weft_streq(local.step, step))
		return;
	command = site_command(false);
	if (!command)
		user_side_fail(
			WEFT_EUSAGE, "no weft command: set 'command' in weft.conf");
	order_free(&local.order);
	int r = order_fetch(
		command, site_conf_path(), "srun", file, step, &local.order);
	if (r)
		exit(r);
	free(local.file);
	free(local.step);
	local.file = weft_steal(&file);
	local.step = strdup(step);
}

/* Before srun puts its own allocation into its environment. */
static void look_where(void)
{
	const char *nodes = getenv("SLURM_JOB_NUM_NODES");
	int64_t n;

	local.inside = getenv("SLURM_JOB_ID") != NULL;
	if (local.inside && nodes && weft_parse_int(nodes, 1, 1 << 20, &n))
		local.nodes = (uint32_t)n;
}

int local_init(spank_t sp, int ac, char **av)
{
	forget();
	stage_forget();
	look_where();
	local.on = user_side_init(sp, ac, av);
	if (!local.on)
		return 0;
	local.argv = cmdline_read();
	if (!local.argv || cmdline_scan(local.argv, &local.line))
		return 0;
	/* Sizes must be there when this returns; init_post_opt() says what is wrong. */
	weft_autofree char *file = user_side_file(local.line.file);
	if (file && local.line.step && *local.line.step && site_state() == SITE_ON) {
		fetch(local.line.file, local.line.step);
		sizes_apply(&local.order, &local.line);
	}
	return 0;
}

static void print_dry_run(void)
{
	struct order_record r;

	for (size_t at = 0; order_next(&local.order, &at, &r);) {
		if (order_is(&r, "secret"))
			printf("  %-7s %.*s=(not shown)\n", "secret",
				(int)strcspn(r.value, "="), r.value);
		else if (*r.kind && *r.kind != '\n')
			printf("  %-7.*s %s\n", (int)(r.value - r.kind - 1), r.kind,
				r.value);
	}
}

static void set_environment(spank_t sp)
{
	const char *request = order_get(&local.order, "request");
	struct order_record r;

	for (size_t at = 0; order_next(&local.order, &at, &r);)
		if (order_is(&r, "env") || order_is(&r, "secret"))
			order_setenv(r.value, true);
	for (size_t at = 0; order_next(&local.order, &at, &r);)
		if (order_is(&r, "say"))
			host_say("%s", r.value);
	const char *ticket = order_get(&local.order, "ticket");
	if (ticket)
		setenv(WEFT_TICKET_ENV, ticket, 1);
	if (request && host_request(sp, request))
		host_debug("Slurm doesn't take the request for slurmctld");
	setenv("WEFT_FILE", local.file, 1);
}

int local_init_post_opt(spank_t sp)
{
	const struct options *o = options_given();
	bool typed_file = user_side_typed_file();

	if (local.on)
		host_request(sp, NULL);
	sizes_withdraw();
	if (!local.on || local.ready || (!o->any && !o->dry_run && !typed_file))
		return 0;
	local.ready = true;
	user_side_check();
	if (typed_file && !o->has_step)
		user_side_fail(
			WEFT_EUSAGE, "--weft=%s needs --weft-step=NAME", o->file);
	if (o->has_step) {
		bool early = local.step != NULL;

		fetch(NULL, o->step);
		if (!early)
			sizes_differ(&local.order, &local.line, o->step);
		set_environment(sp);
	}
	if (o->bind == OPTION_BIND_NONE)
		unsetenv(WEFT_TICKET_ENV);
	if (o->dry_run) {
		if (o->has_step)
			print_dry_run();
		puts("weft: nothing was run (--weft-dry-run)");
		fflush(stdout);
		exit(0);
	}
	return 0;
}

/* The job is there, the tasks aren't: what the step wants on its nodes goes there. */
int local_user_init(spank_t sp)
{
	weft_autofree char *command = NULL;
	uint32_t job, nodes;

	if (!local.ready ||
		(!order_get(&local.order, "stage") && !order_get(&local.order, "out")))
		return 0;
	command = site_command(false);
	if (!command || host_job_id(sp, &job) || host_job_nodes(sp, &nodes)) {
		host_error("Slurm doesn't say which job this is: inputs and outputs "
			   "stay where they are");
		return 0;
	}
	/* Slurm counts the step's nodes, and doesn't say which they are. */
	if (local.nodes)
		nodes = local.nodes;
	/* No way back from here but an allocation left behind, and the inputs can be
	 * read where they are: so the step goes on. */
	stage_in(&local.order, command, job, nodes, local.inside);
	return 0;
}

void local_end(void)
{
	stage_out();
	forget();
}
