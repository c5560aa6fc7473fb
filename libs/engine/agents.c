#include "engine/agents_room.h"

#include "engine/order.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define START 90.0 /* seconds that an agent may take to come */
/* From the last word of an agent on: by then it has found out, too, and ended its
 * members. */
#define LEASE (ORDER_DEADLINE + MEMBER_GRACE + 5)
#define PARTING 1.0  /* ... of one that ends with its job */
#define LOOK 1.0     /* seconds between two looks at who is late */
#define TRIES 3      /* agents that a node may have */
#define FAREWELL 8.0 /* seconds for them to end */

static void set_stage(struct node_agent *n, enum stage stage)
{
	n->all->count[n->stage]--;
	n->stage = stage;
	n->all->count[stage]++;
	room_agent(&n->all->g->room, n->node, stage == UP);
}

bool agents_awaited(const struct agents *a)
{
	return a && (a->count[STARTING] || a->count[LOST]);
}

static bool single(
	const struct weft_engine *e, unsigned s, const struct weft_plan_step *p)
{
	return e->wf->step[s].sweep.kind != WEFT_SWEEP_NONE &&
	       p->launch == WEFT_LAUNCH_SINGLE && p->ntasks <= 1 && p->nodes <= 1;
}

bool agents_fit(const struct agents *a, unsigned s, const struct weft_plan_step *p)
{
	return a->count[GONE] < a->g->e->n_nodes && single(a->g->e, s, p);
}

/* ---- members ------------------------------------------------------------- */

static int take_tag(struct agents *a, struct running *r)
{
	size_t at;

	if (a->n_free) {
		at = a->free_tag[--a->n_free];
	} else {
		if (weft_grow(a->by_tag, a->n_tags, a->cap))
			return -1;
		/* So that giving it back never fails. */
		while (a->cap_free < a->cap)
			if (weft_grow(a->free_tag, a->cap_free, a->cap_free))
				return -1;
		at = a->n_tags++;
	}
	a->by_tag[at] = r;
	r->tag = (uint64_t)++a->turn << 32 | at;
	return 0;
}

static struct running *by_tag(const struct agents *a, uint64_t tag)
{
	size_t at = tag & UINT32_MAX;
	struct running *r = at < a->n_tags ? a->by_tag[at] : NULL;

	return r && r->tag == tag ? r : NULL;
}

static void give_tag(struct agents *a, const struct running *r)
{
	size_t at = r->tag & UINT32_MAX;

	a->by_tag[at] = NULL;
	a->free_tag[a->n_free++] = at;
}

int agents_start(struct agents *a, struct running *r, struct weft_err *err)
{
	struct node_agent *n = &a->node[r->share.node[0]];
	weft_autostr struct weft_str frame = {0};

	r->by_agent = true;
	r->node = r->share.node[0];
	if (take_tag(a, r))
		return weft_err_nomem(err);
	const struct order_start o = {.tag = r->tag,
		.step = r->step,
		.member = r->member,
		.attempt = r->share.slot.attempt,
		.retry = r->share.slot.retry,
		.cpus = r->share.slot.cpus,
		.gpus = r->share.slot.gpus};
	if (order_put_start(&frame, &o))
		return weft_err_nomem(err);
	/* Where the link breaks, its closed() says so. */
	if (n->link)
		weft_link_send(n->link, ORDER_START, frame.s, frame.len);
	return 0;
}

void agents_cancel(struct agents *a, const struct running *r)
{
	struct node_agent *n = &a->node[r->node];
	weft_autostr struct weft_str frame = {0};

	if (n->link && order_put_tag(&frame, r->tag) == 0)
		weft_link_send(n->link, r->off ? ORDER_DROP : ORDER_CANCEL, frame.s,
			frame.len);
}

void agents_ahead(struct agents *a, unsigned node, unsigned step, size_t member)
{
	const struct order_start o = {.step = step, .member = member};
	weft_autostr struct weft_str frame = {0};

	if (a->node[node].link && order_put_start(&frame, &o) == 0)
		weft_link_send(a->node[node].link, ORDER_AHEAD, frame.s, frame.len);
}

static void take_result(struct agents *a, const struct order_result *res)
{
	struct running *r = by_tag(a, res->tag);
	struct weft_record rec = {.state = res->state,
		.code = res->code,
		.exit_status = res->exit_status,
		.attempt = res->attempt,
		.ended = res->ended,
		.reason = (char *)"",
		.cause = (char *)res->cause};

	if (!r)
		return;
	give_tag(a, r);
	run_ended(a->g, r, res->state == WEFT_STATE_LOST ? NULL : &rec);
}

static void free_share(struct agents *a, uint64_t tag)
{
	struct running *r = by_tag(a, tag);

	if (!r || r->freed)
		return;
	again_count(a->g, &r->share, false);
	run_free(a->g, r);
}

int agents_catch_up(struct agents *a, struct weft_err *err)
{
	for (size_t i = 0; a && a->needed && i < a->g->e->n_nodes; i++) {
		struct node_agent *n = &a->node[i];

		if (!n->news)
			continue;
		weft_autofree char *name = order_writer(a->g->e, a->g->e->node[i].name);
		if (!name)
			return weft_err_nomem(err);
		n->news = false;
		if (weft_records_poll_writer(a->g->records, name, NULL, NULL, err))
			return -1;
	}
	return 0;
}

/* ---- their coming and going ---------------------------------------------- */

static void on_frame(
	void *arg, struct weft_link *link, unsigned type, void *data, size_t n)
{
	struct node_agent *node = arg;
	struct order_result res;
	uint64_t tag;

	(void)link;
	if (type == ORDER_RESULT && order_get_result(data, n, &res)) {
		node->news = true;
		take_result(node->all, &res);
	} else if (type == ORDER_FREE && order_get_tag(data, n, &tag))
		free_share(node->all, tag);
}

static void on_closed(void *arg, struct weft_link *link, const struct weft_err *why)
{
	struct node_agent *n = arg;
	struct engine *g = n->all->g;

	weft_log(WEFT_WARN, "the agent of %s: %s", g->e->node[n->node].name,
		why->text ? why->text : "it has ended");
	weft_link_free(link);
	n->link = NULL;
	/* It ends with us, by the same signal, and has closed the link when its members
	 * had ended: what it recorded is there in a moment.  Nothing is run again. */
	bool too = g->stopping && why->sys != ETIMEDOUT;
	n->until = weft_monotonic() + (too ? PARTING : LEASE);
	set_stage(n, LOST);
}

static const struct weft_link_events node_events = {
	.frame = on_frame, .closed = on_closed};

static char *copy(const char *s)
{
	return s ? strdup(s) : NULL;
}

/* What it tells of its node; what the job was given of CPUs is known already. */
static void know_node(struct node_agent *n, const struct order_hello *h)
{
	struct weft_engine_node *node = &n->all->g->node[n->node];
	struct weft_cpuset allowed = {0};

	free(n->visible);
	free(n->gpu_numbers);
	n->visible = copy(h->visible);
	n->gpu_numbers = copy(h->gpu_numbers);
	node->visible = n->visible;
	node->gpu_numbers = n->gpu_numbers;
	node->gpus = h->gpus;
	node->machine = n->machine;
	if (!weft_cpuset_parse(h->allowed, &allowed))
		allowed = (struct weft_cpuset){0};
	node->allowed = allowed;
}

static void greet(struct newcomer *c, const struct order_hello *h)
{
	struct agents *a = c->all;
	const struct weft_engine *e = a->g->e;

	for (size_t i = 0; i < e->n_nodes; i++) {
		struct node_agent *n = &a->node[i];

		if (!weft_streq(e->node[i].name, h->node))
			continue;
		/* One that is late, and whose place another has. */
		if (n->stage != STARTING)
			break;
		weft_machine_free(n->machine);
		n->machine = weft_steal(&c->machine);
		know_node(n, h);
		n->link = weft_steal(&c->link);
		weft_link_set(n->link, &node_events, n);
		set_stage(n, UP);
		break;
	}
	if (c->link)
		weft_link_free(c->link);
	c->link = NULL;
}

static void drop_newcomer(struct newcomer *c)
{
	struct newcomer **p = &c->all->newcomer;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	weft_link_free(c->link);
	weft_machine_free(c->machine);
	free(c);
}

static void newcomer_frame(
	void *arg, struct weft_link *link, unsigned type, void *data, size_t n)
{
	struct newcomer *c = arg;
	struct order_hello h;

	(void)link;
	if (type == ORDER_MODEL) {
		weft_machine_free(c->machine);
		c->machine = NULL;
		weft_machine_parse(data, n, &c->machine, NULL);
	} else if (type == ORDER_HELLO) {
		if (order_get_hello(data, n, &h))
			greet(c, &h);
		drop_newcomer(c);
	}
}

static void newcomer_closed(
	void *arg, struct weft_link *link, const struct weft_err *why)
{
	(void)link;
	(void)why;
	drop_newcomer(arg);
}

static const struct weft_link_events newcomer_events = {
	.frame = newcomer_frame, .closed = newcomer_closed};

static void on_link(void *arg, struct weft_link *link)
{
	struct agents *a = arg;
	struct newcomer *c = calloc(1, sizeof(*c));

	if (!c) {
		weft_link_free(link);
		return;
	}
	*c = (struct newcomer){.next = a->newcomer, .all = a, .link = link};
	a->newcomer = c;
	weft_link_set(link, &newcomer_events, c);
}

/* By now it has ended its members: those that it recorded are over, the others run
 * again. */
static void count_members(struct node_agent *n)
{
	struct engine *g = n->all->g;
	weft_autoerr struct weft_err err = {0};

	if (weft_records_poll(g->records, NULL, NULL, &err)) {
		weft_log(WEFT_WARN, "%s", err.text ? err.text : "no records");
		weft_err_clear(&err);
	}
	for (size_t k = g->n_running; k-- > 0;) {
		struct running *r = g->run[k];
		struct weft_record *rec = NULL;

		if (!r->by_agent || r->node != n->node)
			continue;
		if (weft_records_read(g->records, r->step, r->member, &rec, NULL) ==
				0 &&
			rec->attempt < r->share.slot.attempt) {
			weft_record_free(rec);
			rec = NULL;
		}
		give_tag(n->all, r);
		if (rec)
			run_ended(g, r, rec);
		else
			run_again(g, r);
		weft_record_free(rec);
	}
}

static void late(struct node_agent *n)
{
	struct agents *a = n->all;
	weft_autoerr struct weft_err err = {0};
	const char *name = a->g->e->node[n->node].name;

	if (n->stage == LOST)
		count_members(n);
	else
		weft_log(WEFT_WARN, "no agent comes from %s", name);
	if (++n->tries >= TRIES || a->g->stopping || agents_start_step(a, name, &err)) {
		if (err.text)
			weft_log(WEFT_WARN, "an agent for %s: %s", name, err.text);
		set_stage(n, GONE);
		return;
	}
	n->until = weft_monotonic() + START;
	set_stage(n, STARTING);
}

static void look(void *arg)
{
	struct agents *a = arg;
	double now = weft_monotonic();

	for (size_t i = 0; i < a->g->e->n_nodes; i++) {
		struct node_agent *n = &a->node[i];

		if ((n->stage == STARTING || n->stage == LOST) && now >= n->until)
			late(n);
	}
}

/* ---- all of them --------------------------------------------------------- */

static bool wanted(const struct engine *g)
{
	const struct weft_engine *e = g->e;

	if (!e->slurm || e->direct)
		return false;
	for (unsigned s = 0; s < e->wf->n_steps; s++)
		if (g->ours[s] && single(e, s, &e->plan->step[s]))
			return true;
	return false;
}

int agents_open(struct agents **out, struct engine *g, struct weft_err *err)
{
	struct agents *a;

	*out = NULL;
	if (!wanted(g))
		return 0;
	a = calloc(1, sizeof(*a));
	if (!a)
		return weft_err_nomem(err);
	a->g = g;
	a->needed = g->n_steers > 0;
	for (size_t s = 0; s < g->e->wf->n_steps; s++)
		a->needed |= g->e->wf->step[s].n_edges > 0;
	a->context = order_context(g->e);
	a->node = calloc(g->e->n_nodes + 1, sizeof(*a->node));
	a->look = weft_timer_new(g->loop, look, a);
	struct weft_link_options opt = {.context = a->context,
		.keepalive = ORDER_KEEPALIVE,
		.deadline = ORDER_DEADLINE,
		/* They all come at once. */
		.strangers = 256 + 2 * (unsigned)g->e->n_nodes};
	if (!a->context || !a->node || !a->look) {
		weft_err_nomem(err);
		goto bad;
	}
	for (size_t i = 0; i < g->e->n_nodes; i++)
		a->node[i] = (struct node_agent){.all = a,
			.node = (unsigned)i,
			.until = weft_monotonic() + START};
	a->count[STARTING] = (unsigned)g->e->n_nodes;
	if (weft_auth_new(&a->auth, NULL, err))
		goto bad;
	opt.auth = a->auth;
	if (weft_listener_new(&a->listener, g->loop, NULL, 0, &opt, on_link, a, err) ||
		agents_start_step(a, NULL, err))
		goto bad;
	weft_timer_set(a->look, LOOK, LOOK);
	*out = a;
	return 0;
bad:
	agents_close(a);
	return -1;
}

/* They end when their link does; then their steps. */
static void wait_for_steps(struct agents *a)
{
	double end = weft_monotonic() + FAREWELL;
	bool any = true;

	while (any && weft_monotonic() < end) {
		any = false;
		weft_loop_turn(a->g->loop, 0.1);
		for (struct agent_step *s = a->step; s; s = s->next)
			any |= s->pid > 0;
	}
	for (struct agent_step *s = a->step; s; s = s->next)
		if (s->pid > 0) {
			kill(-s->pid, SIGKILL);
			waitpid(s->pid, NULL, 0);
		}
}

static void said_goodbye(void *arg, struct weft_link *link, const struct weft_err *why)
{
	struct node_agent *n = arg;

	(void)why;
	weft_link_free(link);
	n->link = NULL;
}

void agents_close(struct agents *a)
{
	static const struct weft_link_events events = {.closed = said_goodbye};

	if (!a)
		return;
	weft_timer_free(a->look);
	for (size_t i = 0; a->node && i < a->g->e->n_nodes; i++)
		if (a->node[i].link) {
			weft_link_set(a->node[i].link, &events, &a->node[i]);
			weft_link_close(a->node[i].link, "done");
		}
	wait_for_steps(a);
	while (a->newcomer)
		drop_newcomer(a->newcomer);
	weft_listener_free(a->listener);
	for (size_t i = 0; a->node && i < a->g->e->n_nodes; i++) {
		weft_link_free(a->node[i].link);
		weft_machine_free(a->node[i].machine);
		free(a->node[i].visible);
		free(a->node[i].gpu_numbers);
	}
	while (a->step) {
		struct agent_step *s = a->step;

		a->step = s->next;
		free(s);
	}
	weft_auth_free(a->auth);
	free(a->node);
	free(a->context);
	free(a->by_tag);
	free(a->free_tag);
	free(a);
}
