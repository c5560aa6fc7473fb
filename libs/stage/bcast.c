/*
 * bcast.c - a broadcast, as its source does it, from beginning to end: reads once, and
 * knows in the end what became of each node
 *
 * The rest of the source: who starts the nodes' half (bcast_start.c), what they say
 * (bcast_control.c), who feeds whom (bcast_parents.c), who is too slow (bcast_trial.c).
 */
#include "stage/bcast_source.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- reading ----------------------------------------------------------------- */

static int emit(void *arg, struct bcast_piece *p)
{
	struct source *s = arg;
	int r = bcast_queue_put(&s->queue, p, BCAST_AHEAD / 2);

	weft_loop_wake(s->loop);
	return r;
}

static void *read_all(void *arg)
{
	struct source *s = arg;

	s->read_rc = bcast_pack(&s->pack, &s->read_err);
	s->read_over = true;
	weft_loop_wake(s->loop);
	return NULL;
}

static void end_all(struct source *s);

static void stop_with(struct source *s, struct weft_err *err)
{
	if (s->result == 0 && s->err)
		weft_err_move(s->err, err);
	weft_err_clear(err);
	s->result = -1;
	end_all(s);
}

/* From the thread to the ring, as far as there is room. */
void source_feed(struct source *s)
{
	struct bcast_piece *p;

	while (bcast_relay_has_room(&s->relay) &&
		(p = bcast_queue_take(&s->queue, false)))
		bcast_relay_add(&s->relay, p);
	if (s->reading && s->read_over && s->read_rc && !s->ending)
		stop_with(s, &s->read_err);
}

static void on_wake(void *arg)
{
	source_feed(arg);
}

static void on_moved(void *arg)
{
	struct source *s = arg;

	if (s->started)
		source_feed(s);
}

/* ---- the beginning ----------------------------------------------------------- */

static void begin(struct source *s)
{
	uint32_t *order = malloc((s->n + 1) * sizeof(*order));
	struct weft_err err = {0};
	size_t n;

	s->started = true;
	s->sending = weft_monotonic();
	if (!order) {
		weft_err_nomem(&err);
		stop_with(s, &err);
		return;
	}
	n = source_in_order(s, order);
	/* Only what each one has isn't sent. */
	for (size_t i = 0; i < s->had.n; i++)
		if (s->had.file[i].nodes != s->n_told)
			s->had.file[i].chunks = 0;
	s->pack.had = &s->had;
	source_name_parents(s, order, n);
	for (size_t i = 0; i < n; i++) {
		struct node *d = &s->node[order[i]];

		if (d->parent != SOURCE)
			s->out[d->rank].from = s->out[d->parent].name;
	}
	for (size_t i = 0; i < n; i++)
		if (s->node[order[i]].state == HERE)
			source_adopt(s, &s->node[order[i]]);
	free(order);
	if (s->ending)
		return;
	if (pthread_create(&s->thread, NULL, read_all, s) == 0) {
		s->reading = true;
	} else {
		weft_err_nomem(&err);
		stop_with(s, &err);
	}
}

/* All are here, or won't come. */
void source_perhaps_begin(struct source *s)
{
	if (!s->started && !s->ending && s->n_here && s->n_here + s->n_over == s->n)
		begin(s);
}

/* ---- time, and the end ------------------------------------------------------- */

void source_stop_if_alone(struct source *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->node[i].control || s->node[i].parting)
			return;
	weft_loop_stop(s->loop);
}

static void on_late(void *arg)
{
	weft_loop_stop(((struct source *)arg)->loop);
}

/* Goodbye to all; they remove what isn't whole.  Those who don't answer are left. */
static void end_all(struct source *s)
{
	bool some = false;

	if (s->ending)
		return;
	s->ending = true;
	bcast_queue_close(&s->queue);
	for (size_t i = 0; i < s->n; i++)
		if (s->node[i].control) {
			weft_link_close(s->node[i].control, NULL);
			some = true;
		} else if (s->node[i].parting) {
			some = true;
		}
	weft_timer_free(s->tick);
	s->tick = weft_timer_new(s->loop, on_late, s);
	if (!some || !s->tick)
		weft_loop_stop(s->loop);
	else
		weft_timer_set(s->tick, s->link.deadline, 0);
}

void source_perhaps_end(struct source *s)
{
	if (s->n_over == s->n && !s->ending)
		end_all(s);
}

static void show(struct source *s)
{
	struct weft_stage_progress p = {.total = s->total,
		.files = s->total_files,
		.scanned = true,
		.seconds = weft_monotonic() - s->began};
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < s->n; i++)
		if (s->node[i].state == HERE && s->node[i].pieces < least)
			least = s->node[i].pieces;
	p.bytes = least == UINT64_MAX ? 0 : s->pack.resumed + least * BCAST_PIECE;
	p.bytes = p.bytes < p.total ? p.bytes : p.total;
	s->opt->progress(s->opt->arg, &p);
}

static void on_tick(void *arg)
{
	struct source *s = arg;
	double now = weft_monotonic(), start = s->cast->start > 0 ? s->cast->start : 60;
	struct weft_err err = {0};

	if (s->opt->stop && *s->opt->stop) {
		weft_err_set(&err, WEFT_EINTR, "interrupted");
		stop_with(s, &err);
		return;
	}
	if (s->cast->deadline > 0 && now - s->began > s->cast->deadline) {
		for (size_t i = 0; i < s->n; i++)
			source_fail(
				&s->node[i], "not done within %g s", s->cast->deadline);
		return;
	}
	if (!s->started && now - s->began > start) {
		for (size_t i = 0; i < s->n; i++)
			if (s->node[i].state == WAITED_FOR)
				source_fail(&s->node[i], "it didn't come within %g s",
					start);
		source_perhaps_begin(s);
	}
	if (s->started && !s->ending)
		source_try_another(s, now);
	if (s->opt->progress && s->started && !s->ending)
		show(s);
}

/* ---- the call ---------------------------------------------------------------- */

/* By which a node sees that it has just this. */
static int identify(struct source *s, struct weft_err *err)
{
	struct bcast_pack look = {
		.src = s->src, .opt = s->opt, .only = &s->plan.identity};

	if (stat(s->src, &s->plan.top))
		return weft_err_sys(err, WEFT_ESTAGE, "%s", s->src);
	return bcast_pack(&look, err);
}

static int prepare(struct source *s, struct weft_err *err)
{
	const struct weft_stage_cast *cast = s->cast;
	unsigned char id[8];
	char name[256] = "";

	if (!cast->n_hosts || (!cast->once && !cast->each))
		return weft_err_set(err, WEFT_EUSAGE, "no nodes to broadcast to");
	if (weft_stage_measure(s->src, &s->total, &s->total_files, err) ||
		identify(s, err) || weft_loop_new(&s->loop, err))
		return -1;
	if (getentropy(id, sizeof(id)))
		return weft_err_sys(err, WEFT_ESYS, "random numbers");
	snprintf(s->context, sizeof(s->context), "bcast-%016llx",
		(unsigned long long)bcast_get64(id));
	s->link.context = s->context;
	s->relay = (struct bcast_relay){.loop = s->loop,
		.link = &s->link,
		.lost = source_lost,
		.moved = on_moved,
		.arg = s};
	if (cast->cache && !s->no_cache &&
		bcast_cached_open(&s->cached, s->src, cast->cache, &cast->cache_limits,
			cast->cache_check, s->opt->stop) == 0)
		s->pack.cached = s->cached;
	weft_loop_on_wake(s->loop, on_wake, s);
	if (weft_listener_new(
		    &s->listener, s->loop, NULL, 0, &s->link, source_on_knock, s, err))
		return -1;
	/* srun tells its tasks where it runs. */
	if (!cast->once)
		gethostname(name, sizeof(name) - 1);
	snprintf(s->self, sizeof(s->self), "%s:%u",
		cast->address ? cast->address : name, weft_listener_port(s->listener));
	s->node = calloc(cast->n_hosts, sizeof(*s->node));
	s->tick = weft_timer_new(s->loop, on_tick, s);
	if (!s->node || !s->tick)
		return weft_err_nomem(err);
	s->n = cast->n_hosts;
	for (uint32_t i = 0; i < s->n; i++) {
		s->node[i] = (struct node){.of = s, .rank = i, .parent = SOURCE};
		s->out[i].name = cast->host[i];
	}
	weft_timer_set(s->tick, 0.1, 0.1);
	return 0;
}

static int summary(const struct source *s, struct weft_err *err)
{
	size_t bad = 0, first = 0;

	for (size_t i = 0; i < s->n; i++)
		if (!s->out[i].done && bad++ == 0)
			first = i;
	if (!bad)
		return 0;
	return weft_err_set(err, WEFT_ESTAGE, "%zu of %zu nodes don't have %s: %s: %s",
		bad, s->n, s->dst, s->out[first].name,
		s->out[first].why ? s->out[first].why : "it was not done in the end");
}

/* Only then what it has counted can be looked at. */
static void end_reading(struct source *s)
{
	bcast_queue_close(&s->queue);
	if (s->reading)
		pthread_join(s->thread, NULL);
	s->reading = false;
}

/* 1: what was read from the cache wasn't what it was. */
static int broadcast_once(const char *src, const char *dst,
	const struct weft_stage_cast *cast, const struct weft_stage_options *opt,
	bool no_cache, struct weft_stage_node *node, struct weft_stage_report *report,
	struct weft_err *err)
{
	double silence = cast->silence > 0 ? cast->silence : 5;
	weft_autofree char *real = realpath(src, NULL);
	struct source s = {.src = real,
		.dst = dst,
		.cast = cast,
		.opt = opt,
		.out = node,
		.no_cache = no_cache,
		.err = err,
		.began = weft_monotonic()};
	int rc = -1;

	if (!real)
		return weft_err_sys(err, WEFT_ESTAGE, "%s", src);
	bcast_queue_init(&s.queue);
	s.pack = (struct bcast_pack){.src = real, .opt = opt, .emit = emit, .arg = &s};
	s.link = (struct weft_link_options){.auth = cast->auth,
		.keepalive = silence / 4,
		.deadline = silence,
		.patience = silence,
		.max_frame = BCAST_PIECE + 8};
	if (prepare(&s, err) || source_start(&s, err))
		goto out;
	weft_loop_run(s.loop);
	end_reading(&s);
	rc = s.result ? -1 : summary(&s, err);
	if (report)
		*report = (struct weft_stage_report){
			.bytes = s.started ? s.pack.bytes + s.pack.resumed : s.total,
			.moved = s.pack.bytes,
			.files = s.started ? s.pack.files : s.total_files,
			.folders = s.pack.folders,
			.skipped = s.pack.skipped,
			.resumed = s.pack.resumed,
			.cached = s.pack.from_cache,
			.retries = s.relinked,
			.strategy = !s.started ? "already there"
				    : s.tree   ? "tree"
					       : "chain",
			.why = !s.started ? "source and copies are as the records say"
			       : s.tree   ? "small"
					  : "large",
			.seconds = weft_monotonic() - s.began};
	for (size_t i = 0; report && i < s.n && !*report->hash; i++)
		if (node[i].done)
			memcpy(report->hash, node[i].hash, WEFT_DIGEST_HEX);
out:
	end_reading(&s);
	for (size_t i = 0; i < s.n; i++) {
		weft_link_free(s.node[i].control);
		weft_link_free(s.node[i].parting);
		free(s.node[i].host);
	}
	if (s.starter)
		source_end_starters(&s);
	bcast_relay_clear(&s.relay);
	weft_timer_free(s.tick);
	weft_listener_free(s.listener);
	weft_loop_free(s.loop);
	bcast_queue_free(&s.queue);
	bcast_had_free(&s.had);
	bcast_piece_trim();
	weft_err_clear(&s.read_err);
	bcast_cached_close(s.cached, s.pack.damaged);
	free(s.starter);
	free(s.node);
	return rc && s.pack.damaged ? 1 : rc;
}

int weft_stage_broadcast(const char *src, const char *dst,
	const struct weft_stage_cast *cast, const struct weft_stage_options *opt,
	struct weft_stage_node *node, struct weft_stage_report *report,
	struct weft_err *err)
{
	int rc = broadcast_once(src, dst, cast, opt, false, node, report, err);

	if (rc != 1)
		return rc;
	/* Nothing fails for a cache that has gone bad: nobody has it yet. */
	weft_log(WEFT_WARN, "%s", err && err->text ? err->text : "the node's cache");
	if (err)
		weft_err_clear(err);
	for (size_t i = 0; i < cast->n_hosts; i++) {
		free(node[i].why);
		node[i] = (struct weft_stage_node){0};
	}
	return broadcast_once(src, dst, cast, opt, true, node, report, err);
}
