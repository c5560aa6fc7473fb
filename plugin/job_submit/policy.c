#include "plugin/job_submit/policy.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>

static uid_t uid_of(const char *name)
{
	struct passwd pw, *found = NULL;
	char buf[16384];

	if (getpwnam_r(name, &pw, buf, sizeof(buf), &found) || !found)
		return (uid_t)-1;
	return found->pw_uid;
}

void policy_load(struct policy *p, const char *path)
{
	weft_autoerr struct weft_err err = {0};

	*p = (struct policy){0};
	if (weft_conf_load(path, true, &p->conf, &err)) {
		p->broken = weft_err_line(&err);
		return;
	}
	p->uid = calloc(p->conf->n_users + 1, sizeof(*p->uid));
	if (!p->uid) {
		weft_conf_free(p->conf);
		p->conf = NULL;
		return;
	}
	for (size_t i = 0; i < p->conf->n_users; i++)
		p->uid[i] = uid_of(p->conf->user[i].name);
}

void policy_clear(struct policy *p)
{
	weft_conf_free(p->conf);
	free(p->broken);
	free(p->uid);
	*p = (struct policy){0};
}

static const char *name_of(const struct policy *p, uid_t uid)
{
	for (size_t i = 0; i < p->conf->n_users; i++)
		if (p->uid[i] == uid && uid != (uid_t)-1)
			return p->conf->user[i].name;
	return NULL;
}

/* ---- what the job asks for ----------------------------------------------- */

static uint64_t nodes_of(const job_desc_msg_t *job)
{
	if (job->max_nodes != NO_VAL && job->max_nodes)
		return job->max_nodes;
	return job->min_nodes != NO_VAL && job->min_nodes ? job->min_nodes : 1;
}

/* "gres:gpu:a100:2,gres:other:1": the GPUs. */
static uint64_t gpus_in(const char *tres)
{
	uint64_t sum = 0;

	for (const char *p = tres ? tres : ""; *p;) {
		size_t n = strcspn(p, ",;");
		const char *colon = memrchr(p, ':', n);
		const char *gpu = memmem(p, n, "gpu", 3);
		uint64_t count = 0;

		if (gpu && colon && colon[1] >= '0' && colon[1] <= '9') {
			for (const char *d = colon + 1; *d >= '0' && *d <= '9'; d++)
				count = count < NO_VAL
						? count * 10 + (uint64_t)(*d - '0')
						: NO_VAL;
		} else if (gpu) {
			count = 1;
		}
		sum += count < NO_VAL ? count : NO_VAL;
		if (sum > NO_VAL)
			sum = NO_VAL;
		p += n;
		p += *p != '\0';
	}
	return sum;
}

static uint64_t gpus_of(const job_desc_msg_t *job)
{
	uint64_t tasks = job->num_tasks == NO_VAL ? nodes_of(job) : job->num_tasks;
	uint64_t sockets =
		job->sockets_per_node == NO_VAL16 ? 1 : job->sockets_per_node;
	const uint64_t ways[] = {gpus_in(job->tres_per_job),
		gpus_in(job->tres_per_node) * nodes_of(job),
		gpus_in(job->tres_per_task) * tasks,
		gpus_in(job->tres_per_socket) * sockets * nodes_of(job)};
	uint64_t most = 0;

	for (size_t i = 0; i < WEFT_COUNT(ways); i++)
		most = ways[i] > most ? ways[i] : most;
	return most;
}

/* ---- rules ----------------------------------------------------------------- */

static const struct weft_conf_role *role_of(const struct weft_conf *c, const char *name)
{
	for (size_t i = 0; i < WEFT_CONF_ROLES; i++)
		if (weft_streq(weft_conf_roles[i], name))
			return &c->role[i];
	return NULL;
}

static int too_many(const struct policy *p, const struct weft_request *r,
	const char *what, uint64_t asked, uint64_t most, struct weft_err *err)
{
	weft_err_set(err, WEFT_ESLURM, "step %s: the job asks for %ju %s", r->step,
		(uintmax_t)asked, what);
	return weft_conf_hint_ask(
		p->conf, err, "the site's limit is %ju", (uintmax_t)most);
}

static int check_size(const struct policy *p, const struct weft_request *r,
	const struct weft_conf_limits *l, const job_desc_msg_t *job,
	struct weft_err *err)
{
	char asked[WEFT_UNIT_MAX], most[WEFT_UNIT_MAX];
	uint64_t n;

	if (l->nodes && (n = nodes_of(job)) > l->nodes)
		return too_many(p, r, "nodes", n, l->nodes, err);
	if (l->gpus && (n = gpus_of(job)) > l->gpus)
		return too_many(p, r, "GPUs", n, l->gpus, err);
	/* Without a limit it is the partition's, which Slurm knows. */
	if (!l->time || job->time_limit == NO_VAL ||
		(int64_t)job->time_limit * 60 <= l->time)
		return 0;
	weft_err_set(err, WEFT_ESLURM, "step %s: the job's time limit is %s", r->step,
		job->time_limit == INFINITE
			? "endless"
			: weft_format_duration(asked, (int64_t)job->time_limit * 60));
	return weft_conf_hint_ask(p->conf, err, "the site's limit is %s",
		weft_format_duration(most, l->time));
}

static int check_account(const struct policy *p, const struct weft_request *r,
	const struct weft_conf_limits *l, const job_desc_msg_t *job,
	struct weft_err *err)
{
	if (!l->accounts.n ||
		(job->account && weft_conf_names_has(&l->accounts, job->account)))
		return 0;
	if (job->account)
		weft_err_set(err, WEFT_ESLURM, "step %s: account %.100s isn't allowed",
			r->step, job->account);
	else
		weft_err_set(
			err, WEFT_ESLURM, "step %s: the job names no account", r->step);
	return weft_conf_hint_ask(
		p->conf, err, "--account=%s, for one, is allowed", l->accounts.v[0]);
}

/* Each of "a,b". */
static int check_partitions(const struct policy *p, const struct weft_request *r,
	const struct weft_conf_names *allowed, const job_desc_msg_t *job,
	struct weft_err *err)
{
	const char *s = job->partition;

	if (!s && !allowed->n)
		return 0;
	if (!s) {
		weft_err_set(err, WEFT_ESLURM,
			"step %s: the job names no partition, and role %s has its own",
			r->step, r->role);
		return weft_conf_hint_ask(p->conf, err,
			"--partition=%s, for one, is allowed", allowed->v[0]);
	}
	while (*s) {
		size_t n = strcspn(s, ",");
		weft_autofree char *name = strndup(s, n);

		if (!name)
			return weft_err_nomem(err);
		if (weft_conf_partition_on(p->conf, name, err))
			return weft_err_prefix(err, "step %s", r->step);
		if (allowed->n && !weft_conf_names_has(allowed, name)) {
			weft_err_set(err, WEFT_ESLURM,
				"step %s: partition %.100s isn't for role %s", r->step,
				name, r->role);
			return weft_conf_hint_ask(p->conf, err,
				"--partition=%s, for one, is allowed", allowed->v[0]);
		}
		s += n;
		s += *s == ',';
	}
	return 0;
}

int policy_check(const struct policy *p, uid_t uid, const struct weft_request *r,
	const job_desc_msg_t *job, struct weft_err *err)
{
	const struct weft_conf_role *role;
	struct weft_conf_limits l;
	const char *user;

	if (!p->conf) {
		weft_err_set(err, WEFT_ECONF, "weft is off: slurmctld can't use %s",
			p->broken ? p->broken : "weft.conf");
		return weft_err_hint(err, "tell the site's administrators");
	}
	user = name_of(p, uid);
	role = role_of(p->conf, r->role);
	if (!role)
		return weft_err_set(err, WEFT_EPLACE, "step %s: there is no role %s",
			r->step, r->role);
	weft_conf_limits(p->conf, user, &l);
	if (weft_conf_switched_on(p->conf, user, err) ||
		check_partitions(p, r, &role->partitions, job, err) ||
		check_account(p, r, &l, job, err) || check_size(p, r, &l, job, err))
		return -1;
	return 0;
}
