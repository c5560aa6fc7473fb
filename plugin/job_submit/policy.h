/*
 * policy - what weft.conf lets a job be that weft sizes.
 *
 * Judged is the job as it would be queued: what the user typed and what was filled.
 * A job without a request isn't weft's, and not judged.
 *
 * weft.conf is read once, by policy_load(), and the users that it names become user ids
 * there: a request opens nothing and asks nobody.  Runs as: SlurmUser in slurmctld.
 */
#ifndef WEFT_JOB_SUBMIT_POLICY_H
#define WEFT_JOB_SUBMIT_POLICY_H

#include "conf/conf.h"
#include "plugin/job_submit/host.h"
#include "request/request.h"

struct policy {
	struct weft_conf *conf; /* NULL: it could not be read */
	char *broken;           /* why */
	uid_t *uid;             /* of conf->user, in that order; -1: nobody's */
};

/* path NULL: the default. What is wrong with weft.conf stays in p->broken. */
void policy_load(struct policy *p, const char *path);
void policy_clear(struct policy *p);
/* 0; -1: err is the one line for the user. */
int policy_check(const struct policy *p, uid_t uid, const struct weft_request *r,
	const job_desc_msg_t *job, struct weft_err *err);

#endif
