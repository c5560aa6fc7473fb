/* retry.c - retries and checkpoint of a step. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "spec/parse.h"

static const char *const causes[] = {[WEFT_CAUSE_NONE] = "",
	[WEFT_CAUSE_TIMEOUT] = "timeout",
	[WEFT_CAUSE_NODE_FAIL] = "node_fail",
	[WEFT_CAUSE_PREEMPTED] = "preempted",
	[WEFT_CAUSE_OOM] = "oom",
	[WEFT_CAUSE_CHECKPOINT] = "checkpoint"};

const char *weft_cause_name(enum weft_cause cause)
{
	return (size_t)cause < WEFT_COUNT(causes) ? causes[cause] : "";
}

enum weft_cause weft_cause_of(const char *name)
{
	enum weft_cause c = WEFT_CAUSE_CHECKPOINT;

	while (c > WEFT_CAUSE_NONE && !weft_streq(name, causes[c]))
		c--;
	return c;
}

static bool fits(const struct weft_retry *r, enum weft_cause cause, int status)
{
	if (!r->causes && !r->n_status)
		return true;
	if (cause != WEFT_CAUSE_NONE)
		return r->causes >> cause & 1;
	for (size_t i = 0; i < r->n_status; i++)
		if (status == r->status[i])
			return true;
	return false;
}

const struct weft_retry *weft_spec_retry(const struct weft_step *step, unsigned attempt,
	enum weft_cause cause, int status)
{
	for (size_t i = 0; cause != WEFT_CAUSE_CHECKPOINT && i < step->n_retries; i++)
		if (fits(&step->retry[i], cause, status))
			return attempt < step->retry[i].max ? &step->retry[i] : NULL;
	return NULL;
}

static int64_t duration(const struct weft_yaml_node *n, int64_t otherwise)
{
	const char *why;
	int64_t v;

	return n && weft_parse_duration(n->text, &v, &why) ? v : otherwise;
}

static unsigned number(const struct weft_yaml_node *n, unsigned otherwise)
{
	int64_t v;

	return n && weft_parse_int(n->text, 0, 1000000, &v) ? (unsigned)v : otherwise;
}

static void read_cause(
	struct spec_parser *p, struct weft_retry *r, const struct weft_yaml_node *n)
{
	int64_t status;

	for (size_t i = WEFT_CAUSE_TIMEOUT; i <= WEFT_CAUSE_OOM; i++)
		if (weft_streq(n->text, causes[i])) {
			r->causes |= 1u << i;
			return;
		}
	if (weft_parse_int(n->text, 1, 255, &status)) {
		r->status[r->n_status++] = (unsigned char)status;
		return;
	}
	spec_bad(p, n, spec_did_you_mean(p, n->text, causes + 1, WEFT_CAUSE_OOM),
		"must be `timeout`, `node_fail`, `preempted`, `oom` or an exit code "
		"from 1 to 255");
}

static void read_causes(
	struct spec_parser *p, struct weft_retry *r, const struct weft_yaml_node *n)
{
	bool list = n && n->kind == WEFT_YAML_SEQ;

	if (!n)
		return;
	r->status = spec_alloc(p, list ? n->n + 1 : 1, sizeof(*r->status));
	if (!r->status)
		return;
	spec_enter(p, "causes");
	if (list && !n->n)
		spec_bad(p, n, "leave the key out for any failure", "is empty");
	if (!list)
		read_cause(p, r, n);
	for (size_t i = 0; list && i < n->n; i++) {
		spec_enter_item(p, i);
		if (!spec_is_bad(p, n->item[i]))
			read_cause(p, r, n->item[i]);
		spec_leave(p);
	}
	spec_leave(p);
}

static void read_one(
	struct spec_parser *p, struct weft_step *s, const struct weft_yaml_node *n)
{
	struct weft_yaml_node *at[N_FIELDS];
	struct weft_retry *r = &s->retry[s->n_retries++];
	bool posix = !s->shell.n || spec_is_posix_shell(s->shell.v[0].s);

	spec_collect(p, n, IN_RETRY, at);
	r->max = number(at[RETRY_max], 0);
	read_causes(p, r, at[RETRY_causes]);
	r->backoff = duration(at[RETRY_backoff], 0);
	spec_enter(p, "restart");
	r->restart = spec_text(p, at[RETRY_restart], AT_RUN,
		posix ? WEFT_QUOTE_SHELL : WEFT_QUOTE_NONE);
	if (r->restart.s && s->scratch != WEFT_SCRATCH_SHARED)
		spec_bad(p, at[RETRY_restart], "use `scratch: shared`",
			"not supported yet where the working directory is on the node");
	spec_leave(p);
}

void spec_retries(
	struct spec_parser *p, struct weft_step *s, const struct weft_yaml_node *n)
{
	bool list = n && n->kind == WEFT_YAML_SEQ;

	if (!n)
		return;
	s->retry = spec_alloc(p, list ? n->n + 1 : 1, sizeof(*s->retry));
	if (!s->retry)
		return;
	spec_enter(p, "retries");
	if (!list)
		read_one(p, s, n);
	for (size_t i = 0; list && i < n->n; i++) {
		spec_enter_item(p, i);
		read_one(p, s, n->item[i]);
		spec_leave(p);
	}
	spec_leave(p);
}

/* "USR1" or "SIGUSR1"; 0: no signal that a program could answer. */
static int signal_number(const char *name)
{
	if (weft_starts_with(name, "SIG"))
		name += 3;
	for (int i = 1; i < 32; i++) {
		const char *is = sigabbrev_np(i);

		if (is && weft_streq(is, name))
			return i == SIGKILL || i == SIGSTOP ? 0 : i;
	}
	return 0;
}

void spec_checkpoint(
	struct spec_parser *p, struct weft_step *s, const struct weft_yaml_node *n)
{
	struct weft_checkpoint *c = &s->checkpoint;
	struct weft_yaml_node *at[N_FIELDS];

	if (!n)
		return;
	spec_enter(p, "checkpoint");
	spec_collect(p, n, IN_CHECKPOINT, at);
	c->signal = at[CHECKPOINT_signal] ? signal_number(at[CHECKPOINT_signal]->text)
					  : SIGTERM;
	if (!c->signal) {
		spec_enter(p, "signal");
		spec_bad(p, at[CHECKPOINT_signal], "USR1, say, or TERM",
			"is no signal that a program could answer");
		spec_leave(p);
	}
	c->before = duration(at[CHECKPOINT_before], 60);
	c->max = number(at[CHECKPOINT_max], 10);
	spec_enter(p, "path");
	c->path = spec_text(p, at[CHECKPOINT_path], AT_START, WEFT_QUOTE_NONE);
	spec_leave(p);
	if (s->scratch != WEFT_SCRATCH_SHARED)
		spec_bad(p, n, "use `scratch: shared`",
			"not supported yet where the working directory is on the node");
	spec_leave(p);
}
