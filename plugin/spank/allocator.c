/*
 * allocator.c - sbatch and salloc: the workflow file reaches the job, and the step's
 * size slurmctld.
 *
 * No size is set here: SBATCH_* variables would overrule the script's #SBATCH lines.
 * The controller's half, which sees what was typed, fills what was left open; without
 * it the request is a variable that nobody reads.
 */
#include <errno.h>
#include <stdlib.h>

#include "plugin/spank/contexts.h"
#include "plugin/spank/options.h"
#include "plugin/spank/order.h"
#include "plugin/spank/site.h"

static bool on;

/* cli_filter.lua runs before init_post_opt, and Slurm would tell it an earlier
 * component's step where this one's is in a script. */
static void tell_filter(const char *step)
{
	if (step)
		setenv("WEFT_STEP_TYPED", step, 1);
	else
		unsetenv("WEFT_STEP_TYPED");
}

int allocator_init(spank_t sp, int ac, char **av)
{
	/* An outer job's step is no step of this one: gone before Slurm reads them. */
	unsetenv("_SLURM_SPANK_OPTION_weft_weft_step");
	unsetenv("SLURM_SPANK__SLURM_SPANK_OPTION_weft_weft_step");
	unsetenv("SLURM_SPANK_WEFT_REQUEST");
	tell_filter(NULL);
	options_watch_step(tell_filter);
	on = user_side_init(sp, ac, av);
	return 0;
}

static void fetch(const char *file, const char *step, struct order *order)
{
	weft_autofree char *command = site_command(false);
	bool salloc = weft_streq(program_invocation_short_name, "salloc");

	if (!command)
		user_side_fail(
			WEFT_EUSAGE, "no weft command: set 'command' in weft.conf");
	int r = order_fetch(command, site_conf_path(), salloc ? "salloc" : "sbatch",
		file, step, order);
	if (r)
		exit(r);
}

static void send(spank_t sp, const struct order *order, const char *step)
{
	const char *request = order_get(order, "request");
	weft_autofree char *outer = weft_printf(OPTIONS_OUTER "%s", step);
	struct order_record r;

	for (size_t at = 0; order_next(order, &at, &r);)
		if (order_is(&r, "say"))
			host_say("%s", r.value);
	if (request && host_request(sp, request))
		host_error("Slurm doesn't take the step's size: the job has its own");
	if (outer)
		host_hand_down_step(sp, outer);
}

static void dry_run(const struct order *order, const char *file)
{
	const char *request = order_get(order, "request");

	printf("weft: would submit with WEFT_FILE=%s\n", file ? file : "");
	if (request)
		printf("weft: would ask slurmctld for %s\n", request);
	puts("weft: nothing was submitted (--weft-dry-run)");
	fflush(stdout);
	exit(0);
}

/* Of a het job, once a component. */
int allocator_init_post_opt(spank_t sp)
{
	const struct options *o = options_given();
	bool has_step = o->has_step && !o->step_is_outer;
	struct order order = {0};

	if (!on)
		return 0;
	host_request(sp, NULL);
	if (!o->has_file && !o->any && !o->dry_run)
		return 0;
	/* Handed down by an outer job: that one has looked at it. */
	if (!user_side_typed_file() && getenv("WEFT_FILE") && !o->dry_run && !has_step)
		return 0;
	user_side_check();
	weft_autofree char *file = user_side_file(NULL);
	if (file) {
		fetch(file, has_step ? o->step : NULL, &order);
		setenv("WEFT_FILE", file, 1);
	} else if (has_step) {
		user_side_fail(
			WEFT_EUSAGE, "--weft-step=%s needs --weft=FILE", o->step);
	}
	if (o->dry_run)
		dry_run(&order, file);
	if (has_step)
		send(sp, &order, o->step);
	order_free(&order);
	options_forget_step();
	return 0;
}
