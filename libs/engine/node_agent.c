/* node_agent.c - `weft agent`: runs members on its node for the engine on another */
#include "engine/agent.h"
#include "engine/group.h"
#include "engine/order.h"
#include "wire/link.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE 60.0 /* for the engine to listen */

/* A member that runs, and then its result. */
struct job {
	uint64_t tag;
	struct agent_member *member;
	struct slot slot;
	struct order_result result;
	bool off;     /* it is ended for nobody wants it any more */
	bool waits;   /* for its record to be on disk */
	bool written; /* ... which is under way */
};

struct node {
	const struct weft_engine *e;
	struct weft_loop *loop;
	struct weft_link *link;
	struct agent *agent;
	struct weft_recorder *recorder;
	struct weft_journal *journal;
	struct job **job;
	size_t n, cap;
	struct weft_soon soon;
	struct group *group;
	struct weft_timer *retry; /* of a sync that failed */
	struct weft_err why;
	bool lost;
	pid_t ahead;             /* brings what a member will read; 0: none does */
	struct order_start next; /* the member after that; */
	bool has_next;           /* ... there is one */
};

static void stop(struct node *n)
{
	weft_loop_stop(n->loop);
}

static void job_free(struct job *j)
{
	free((char *)j->slot.cpus);
	free((char *)j->slot.gpus);
	free(j);
}

/* ---- results ------------------------------------------------------------- */

static void tell(struct node *n, unsigned type, struct weft_str *frame)
{
	if (!frame->failed)
		weft_link_send(n->link, type, frame->s, frame->len);
}

static void tell_results(struct node *n)
{
	for (size_t i = 0; i < n->n;) {
		weft_autostr struct weft_str frame = {0};
		struct job *j = n->job[i];

		if (!j->written) {
			i++;
			continue;
		}
		order_put_result(&frame, &j->result);
		tell(n, ORDER_RESULT, &frame);
		job_free(j);
		n->job[i] = n->job[--n->n];
	}
}

/* Others may have ended at the same time, and share a sync. */
static void commit(void *arg)
{
	weft_autoerr struct weft_err err = {0};
	struct node *n = arg;

	if (group_busy(n->group))
		return;
	/* What failed stays in the buffer. */
	if (weft_recorder_pending(n->recorder) && group_begin(n->group, &err)) {
		weft_log(WEFT_WARN, "%s", err.text);
		weft_timer_set(n->retry, 1, 0);
		return;
	}
	for (size_t i = 0; i < n->n; i++)
		n->job[i]->written = n->job[i]->waits;
	if (!group_busy(n->group))
		tell_results(n);
}

static void synced(void *ctx, const struct weft_err *why)
{
	struct node *n = ctx;

	if (why->code) {
		weft_log(WEFT_WARN, "%s", why->text);
		weft_timer_set(n->retry, 1, 0);
		return;
	}
	tell_results(n);
	commit(n);
}

static void ended(void *ctx, void *tag, const struct weft_record *rec)
{
	weft_autoerr struct weft_err err = {0};
	struct node *n = ctx;
	struct job *j = tag;
	struct weft_record off;

	if (rec && j->off)
		rec = agent_off(rec, &off);
	j->member = NULL;
	j->waits = true;
	j->result = (struct order_result){.tag = j->tag,
		.state = WEFT_STATE_LOST,
		.attempt = j->slot.attempt,
		.ended = weft_now(),
		.cause = ""};
	if (rec && weft_recorder_add(n->recorder, rec, &err) == 0) {
		j->result.state = rec->state;
		j->result.code = rec->code;
		j->result.exit_status = rec->exit_status;
		j->result.ended = rec->ended;
		/* One of a few words that live as long as the program. */
		j->result.cause = weft_cause_name(weft_cause_of(rec->cause));
		if (rec->state == WEFT_STATE_DONE) {
			weft_autostr struct weft_str frame = {0};

			order_put_tag(&frame, j->tag);
			tell(n, ORDER_FREE, &frame);
		}
	}
	weft_loop_soon(n->loop, &n->soon);
}

static void event(void *ctx, unsigned s, size_t i, enum weft_state state,
	const char *text, double time)
{
	struct node *n = ctx;
	const struct weft_step *step = &n->e->wf->step[s];
	weft_autoerr struct weft_err err = {0};
	struct weft_member m = {0};

	if (weft_sweep_member(n->e->wf, step, i, &m, &err))
		return;
	struct weft_event e = {.time = time,
		.step = (char *)step->name,
		.member = step->sweep.kind == WEFT_SWEEP_NONE ? (char *)"" : m.id,
		.job = (char *)n->e->job,
		.state = state,
		.text = (char *)text};
	if (weft_journal_add(n->journal, &e, &err))
		weft_log(WEFT_WARN, "journal: %s", err.text);
	weft_member_clear(&m);
}

/* ---- orders -------------------------------------------------------------- */

/* Makes sure that there is such a member, and that what it needs is known here. */
static int know(struct node *n, const struct order_start *o, struct weft_err *err)
{
	const struct weft_workflow *wf = n->e->wf;

	if (o->step < wf->n_steps && o->member >= wf->step[o->step].sweep.count &&
		weft_run_grow(n->e->run, wf, err))
		return -1;
	if (o->step >= wf->n_steps || o->member >= wf->step[o->step].sweep.count)
		return weft_err_set(err, WEFT_EFAILED, "an order for no member");
	/* What it needs has been recorded since. */
	if (n->e->records && wf->step[o->step].n_edges &&
		weft_records_poll(n->e->records, NULL, NULL, err))
		return -1;
	return 0;
}

static int start(struct node *n, const struct order_start *o, struct weft_err *err)
{
	struct job *j;

	if (know(n, o, err))
		return -1;
	j = calloc(1, sizeof(*j));
	if (!j || weft_grow(n->job, n->n, n->cap)) {
		free(j);
		return weft_err_nomem(err);
	}
	*j = (struct job){.tag = o->tag,
		.slot = {.n_nodes = 1,
			.cpus = o->cpus ? strdup(o->cpus) : NULL,
			.gpus = o->gpus ? strdup(o->gpus) : NULL,
			.attempt = o->attempt,
			.retry = o->retry}};
	n->job[n->n++] = j;
	return agent_start(n->agent, o->step, o->member, &j->slot, j, &j->member, err);
}

static void brought(void *arg, const struct weft_child_end *end);

/* One after the other; of those that wait for it the last one. */
static void bring(struct node *n, const struct order_start *o)
{
	weft_autoerr struct weft_err err = {0};

	n->next = *o;
	n->has_next = n->ahead != 0;
	if (!n->ahead && know(n, o, &err) == 0 &&
		ahead_fork(&n->ahead, n->e, &n->e->wf->step[o->step], o->member, NULL,
			1) == 0 &&
		weft_loop_child(n->loop, n->ahead, brought, n, &err))
		ahead_reap(&n->ahead, true);
}

static void brought(void *arg, const struct weft_child_end *end)
{
	struct node *n = arg;

	(void)end;
	n->ahead = 0;
	if (n->has_next)
		bring(n, &n->next);
}

static void cancel(struct node *n, uint64_t tag, bool off)
{
	for (size_t i = 0; i < n->n; i++)
		if (n->job[i]->tag == tag && n->job[i]->member) {
			n->job[i]->off |= off;
			agent_cancel(n->agent, n->job[i]->member);
		}
}

static void on_frame(
	void *arg, struct weft_link *link, unsigned type, void *data, size_t size)
{
	struct node *n = arg;
	struct order_start o;
	uint64_t tag;

	(void)link;
	if (type == ORDER_START && order_get_start(data, size, &o)) {
		if (start(n, &o, &n->why))
			stop(n);
	} else if (type == ORDER_AHEAD && order_get_start(data, size, &o)) {
		o.cpus = o.gpus = NULL;
		bring(n, &o);
	} else if ((type == ORDER_CANCEL || type == ORDER_DROP) &&
		   order_get_tag(data, size, &tag)) {
		cancel(n, tag, type == ORDER_DROP);
	}
}

/* ---- the link ------------------------------------------------------------ */

static void on_open(void *arg, struct weft_link *link)
{
	struct node *n = arg;
	const struct weft_engine_node *node = &n->e->node[0];
	char cpus[WEFT_MAX_CPUS * 5];
	weft_autostr struct weft_str frame = {0}, model = {0};
	struct order_hello h = {.node = node->name,
		.gpus = node->gpus,
		.allowed = weft_cpuset_print(&node->allowed, cpus, sizeof(cpus)) ? cpus
										 : "",
		.visible = node->visible,
		.gpu_numbers = node->gpu_numbers};

	/* Where CPUs are given out. */
	if (n->e->machine && *cpus && weft_machine_print(n->e->machine, &model) == 0 &&
		!model.failed)
		weft_link_send(link, ORDER_MODEL, model.s, model.len);
	if (order_put_hello(&frame, &h) == 0)
		weft_link_send(link, ORDER_HELLO, frame.s, frame.len);
}

/* The engine is gone, or can't be told whether it is: what runs ends. */
static void on_closed(void *arg, struct weft_link *link, const struct weft_err *why)
{
	struct node *n = arg;

	(void)link;
	n->lost = why->code != WEFT_OK;
	if (n->lost)
		weft_log(
			WEFT_WARN, "the engine's link: %s", why->text ? why->text : "");
	stop(n);
}

static void on_signal(void *arg, int sig)
{
	(void)sig;
	stop(arg);
}

int weft_engine_agent(const struct weft_engine *e, const char *host, unsigned port,
	struct weft_err *err)
{
	static const struct weft_link_events events = {
		.open = on_open, .frame = on_frame, .closed = on_closed};
	static const struct agent_sink sink = {.event = event, .ended = ended};
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	struct weft_signal *sig[WEFT_COUNT(signals)] = {0};
	struct node n = {.e = e};
	struct weft_auth *auth = NULL;
	weft_autofree char *context = order_context(e);
	weft_autofree char *writer = order_writer(e, e->node[0].name);
	struct weft_link_options opt = {.context = context,
		.on = &events,
		.arg = &n,
		.patience = PATIENCE,
		.keepalive = ORDER_KEEPALIVE,
		.deadline = ORDER_DEADLINE};
	int r = -1;

	n.soon = (struct weft_soon){.fn = commit, .arg = &n};
	if (!context || !writer)
		return weft_err_nomem(err);
	if (weft_auth_from_env(&auth, err) || weft_loop_new(&n.loop, err))
		goto out;
	opt.auth = auth;
	n.retry = weft_timer_new(n.loop, commit, &n);
	if (!n.retry) {
		weft_err_nomem(err);
		goto out;
	}
	for (size_t i = 0; i < WEFT_COUNT(signals); i++)
		if (weft_signal_new(&sig[i], n.loop, signals[i], on_signal, &n, err))
			goto out;
	if (weft_journal_open(e->run, writer, &n.journal, err) ||
		weft_recorder_open(e->run, writer, &n.recorder, err) ||
		agent_open(&n.agent, e, n.loop, writer, &sink, &n, err) ||
		group_open(&n.group, n.recorder, n.loop, synced, &n, err) ||
		weft_link_connect(&n.link, n.loop, host, port, &opt, err))
		goto out;
	weft_loop_run(n.loop);
	if (n.why.code)
		weft_err_move(err, &n.why);
	else
		r = n.lost ? WEFT_ESYS : 0;
out:
	ahead_reap(&n.ahead, true);
	agent_close(n.agent);
	weft_link_free(n.link);
	group_close(n.group);
	weft_recorder_close(n.recorder);
	weft_journal_close(n.journal);
	for (size_t i = 0; i < n.n; i++)
		job_free(n.job[i]);
	free(n.job);
	for (size_t i = 0; i < WEFT_COUNT(sig); i++)
		weft_signal_free(sig[i]);
	weft_timer_free(n.retry);
	weft_loop_free(n.loop);
	weft_auth_free(auth);
	weft_err_clear(&n.why);
	return r;
}
