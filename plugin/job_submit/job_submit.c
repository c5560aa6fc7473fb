/*
 * job_submit - the controller's half of the select helper: what slurmctld calls.
 *
 * JobSubmitPlugins=weft in slurm.conf.  weft.conf is the one that WEFT_CONF in
 * slurmctld's own environment names, else /etc/weft/weft.conf; read when slurmctld
 * starts, and only if root alone can have written it.
 *
 * Security: runs as SlurmUser, under slurmctld's locks, for every submission, with
 * bytes that a user made.  A job without WEFT_REQUEST in its SPANK environment is left
 * as it is.  A request is checked whole before anything is done; it can fill only
 * fields that its owner could have typed, which slurmctld then checks as ever.  Nothing
 * here opens a file, starts a process, waits or exits, and the work is linear in what
 * the user sent.  A weft.conf that can't be read refuses requests, not other jobs.
 */
#include <stdlib.h>
#include <string.h>

#include "plugin/job_submit/fill.h"
#include "plugin/job_submit/policy.h"

const char plugin_name[] = "weft: sizes jobs from workflow files";
const char plugin_type[] = "job_submit/weft";
const uint32_t plugin_version = SLURM_VERSION_NUMBER;

int init(void);
int fini(void);
int job_submit(job_desc_msg_t *job, uint32_t submit_uid, char **err_msg);
int job_modify(job_desc_msg_t *job, void *record, uint32_t submit_uid);

static struct policy policy;

int init(void)
{
	policy_load(&policy, getenv("WEFT_CONF"));
	if (policy.conf)
		slurm_info("weft %s: job_submit: policy of %s", weft_version,
			policy.conf->file ? policy.conf->file : "no weft.conf");
	else
		slurm_error("weft %s: job_submit: requests are refused: %s",
			weft_version, policy.broken ? policy.broken : "no memory");
	return SLURM_SUCCESS;
}

int fini(void)
{
	policy_clear(&policy);
	return SLURM_SUCCESS;
}

/* After what another plug-in may have said. */
static void tell(char **err_msg, const char *text)
{
	weft_autofree char *both =
		*err_msg ? weft_printf("%s\n%s", *err_msg, text) : NULL;

	if (*err_msg && !both)
		return;
	slurm_xfree_ptr(*err_msg);
	*err_msg = slurm_xstrdup(both ? both : text);
}

static int refuse(const struct weft_err *err, uid_t uid, char **err_msg)
{
	weft_autofree char *line = weft_err_line(err);
	weft_autofree char *text = line ? weft_printf("weft: %s", line) : NULL;
	const char *say = text ? text : "weft: out of memory";

	/* It may quote what was typed: one line in the log stays one. */
	for (char *p = text; p && *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	slurm_info("%s: refused to uid %u", say, (unsigned)uid);
	tell(err_msg, say);
	return err->code == WEFT_ESLURM ? ESLURM_ACCESS_DENIED : ESLURM_NOT_SUPPORTED;
}

int job_submit(job_desc_msg_t *job, uint32_t submit_uid, char **err_msg)
{
	weft_autostr struct weft_str said = {0};
	weft_autoerr struct weft_err err = {0};
	uid_t uid = job->user_id == NO_VAL ? submit_uid : job->user_id;
	struct weft_request r;
	const char *text;

	if (fill_find(job, &text, &err))
		return refuse(&err, uid, err_msg);
	if (!text)
		return SLURM_SUCCESS;
	if (weft_request_decode(text, &r, &err) || fill(&r, job, &said, &err) ||
		policy_check(&policy, uid, &r, job, &err))
		return refuse(&err, uid, err_msg);
	if (said.len) {
		weft_autofree char *line =
			weft_printf("weft: step %s: %s", r.step, said.s);

		if (line)
			tell(err_msg, line);
	}
	return SLURM_SUCCESS;
}

/* What `scontrol update` asks for is the user's own word, and Slurm's to judge. */
int job_modify(job_desc_msg_t *job, void *record, uint32_t submit_uid)
{
	(void)job, (void)record, (void)submit_uid;
	return SLURM_SUCCESS;
}
