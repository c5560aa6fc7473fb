/* user.c - what srun, sbatch and salloc share. Runs as the user. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin/spank/contexts.h"
#include "plugin/spank/options.h"
#include "plugin/spank/site.h"

static char broken[1024];
static char *outer_file; /* --weft of an outer job, before this command line is read */

/* Slurm hands options down in the environment (a job's have SLURM_SPANK_ in front),
 * and adds those typed here to it as it reads them: so it is looked at before. */
static void look_outside(void)
{
	const char *outer = getenv("_SLURM_SPANK_OPTION_weft_weft");

	if (!outer)
		outer = getenv("SLURM_SPANK__SLURM_SPANK_OPTION_weft_weft");

	free(outer_file);
	outer_file = outer ? strdup(outer) : NULL;
}

bool user_side_init(spank_t sp, int ac, char **av)
{
	look_outside();
	switch (site_read(ac, av, false, broken, sizeof(broken))) {
	case SITE_OFF:
		return false;
	case SITE_BROKEN:
		/* Said aloud only to who asks for weft. */
		host_debug("%s", broken);
		break;
	case SITE_ON:
		break;
	}
	options_register(sp);
	return true;
}

void user_side_fail(int status, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	host_error("%s", text);
	exit(status);
}

void user_side_check(void)
{
	const struct options *o = options_given();

	if (site_state() == SITE_BROKEN)
		user_side_fail(
			WEFT_EUSAGE, "%s (tell the site's administrators)", broken);
	if (site_user_off(getuid(), broken, sizeof(broken)))
		user_side_fail(WEFT_ESLURM, "%s", broken);
	if (*o->bad)
		user_side_fail(WEFT_EUSAGE, "%s", o->bad);
}

bool user_side_typed_file(void)
{
	const struct options *o = options_given();

	return o->has_file && !weft_streq(outer_file, o->file);
}

static char *absolute(const char *file)
{
	weft_autofree char *cwd = getcwd(NULL, 0);

	return weft_path_absolute(cwd ? cwd : "/", file);
}

char *user_side_file(const char *typed)
{
	const struct options *o = options_given();
	const char *env = getenv("WEFT_FILE");

	if (typed)
		return absolute(typed);
	if (user_side_typed_file())
		return absolute(o->file);
	if (env && *env)
		return absolute(env);
	return o->has_file ? absolute(o->file) : NULL;
}
