/* policy.c - the site's limits against what is about to be submitted */
#include "job.h"

#include "slurm/slurm.h"

#include <stdlib.h>
#include <unistd.h>

struct told {
	const char *user, *workflow;
	bool attempt; /* to submit: looking at a plan is none */
};

static void tell_admin(void *ctx, const char *rule, const char *value)
{
	const struct told *t = ctx;

	if (t->attempt)
		weft_log_refusal(
			&(struct weft_refusal){t->user, t->workflow, rule, value});
}

/* What this user's other jobs of weft run with, or could now; those that wait for
 * another job hold nothing beside it. */
static int held(struct weft_policy *p, struct weft_err *err)
{
	struct weft_job *job;
	size_t n;

	if (weft_slurm_jobs(&job, &n, err))
		return -1;
	for (size_t i = 0; i < n; i++) {
		bool live = job[i].state == WEFT_JOB_RUNNING ||
			    (job[i].state == WEFT_JOB_PENDING && !job[i].depends);

		if (!live || !job[i].comment ||
			!weft_starts_with(job[i].comment, WEFT_JOB_COMMENT))
			continue;
		p->held_nodes += job[i].n_nodes;
		p->held_gpus += job[i].n_gpus;
	}
	weft_slurm_jobs_free(job, n);
	return 0;
}

int check_policy(const struct job *j, const struct job_args *a, struct weft_errs *errs)
{
	struct told told = {cmd_user(), j->wf->name, !a->plan_only};
	struct weft_policy p = {.user = told.user,
		.account = getenv("SBATCH_ACCOUNT"), /* sbatch goes by it, too */
		.allocated = a->allocation,
		.refused = tell_admin,
		.ctx = &told};
	struct weft_conf_limits limits;
	struct weft_err err = {0};

	if (a->local)
		return 0;
	weft_conf_limits(j->conf, p.user, &limits);
	/* A snapshot of nodes knows nobody's jobs. */
	if ((limits.user_nodes || limits.user_gpus) && !a->allocation && !a->cluster &&
		held(&p, &err)) {
		weft_errs_add(errs, &err);
		return -1;
	}
	weft_select_policy(j->wf, j->plan, j->conf, &p, errs);
	check_roots(j, errs);
	return errs->total ? -1 : 0;
}
