/*
 * allocator.c - sbatch and salloc: the workflow file reaches the job.
 *
 * No size is set: SBATCH_* variables would overrule the script's #SBATCH lines.
 */
#include <stdlib.h>

#include "plugin/spank/contexts.h"
#include "plugin/spank/options.h"
#include "plugin/spank/order.h"
#include "plugin/spank/site.h"

static bool on;

int allocator_init(spank_t sp, int ac, char **av)
{
	on = user_side_init(sp, ac, av);
	return 0;
}

static void check_file(const char *file, const char *step)
{
	weft_autofree char *command = site_command(false);
	struct order order = {0};

	if (!command)
		user_side_fail(
			WEFT_EUSAGE, "no weft command: set 'command' in weft.conf");
	int r = order_fetch(command, site_conf_path(), "sbatch", file, step, &order);
	order_free(&order);
	if (r)
		exit(r);
}

int allocator_init_post_opt(spank_t sp)
{
	const struct options *o = options_given();
	(void)sp;

	if (!on || (!o->has_file && !o->any && !o->dry_run))
		return 0;
	/* Handed down by an outer job: that one has looked at it. */
	if (!user_side_typed_file() && getenv("WEFT_FILE") && !o->dry_run)
		return 0;
	user_side_check();
	weft_autofree char *file = user_side_file(NULL);
	if (file) {
		check_file(file, o->has_step ? o->step : NULL);
		setenv("WEFT_FILE", file, 1);
	} else if (o->has_step) {
		user_side_fail(
			WEFT_EUSAGE, "--weft-step=%s needs --weft=FILE", o->step);
	}
	if (o->dry_run) {
		printf("weft: would submit with WEFT_FILE=%s\nweft: nothing was "
		       "submitted "
		       "(--weft-dry-run)\n",
			file ? file : "");
		fflush(stdout);
		exit(0);
	}
	return 0;
}
