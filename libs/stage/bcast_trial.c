/* bcast_trial.c - whether another node could take more than the one all wait for */
#include "stage/bcast_source.h"

/* What another node gets for nothing, to see how fast it could be. */
#define TRIAL ((size_t)128 << 10)
#define TRIALS 8
#define AGAINST 2

/* The source reads faster than a network takes it, so that its own child is always the
 * one who holds it up.  Whether it could take more is known from another node, which
 * gets a few bytes for nothing at the same time; and once more from a further one, for
 * a machine that has much to do is slow now and then. */
void source_try_another(struct source *s, double now)
{
	static const unsigned char bytes[TRIAL];
	double rate = 0;

	bcast_relay_watch(&s->relay, now);
	if (s->trial.on && now - s->trial.began > s->link.deadline)
		s->trial.on = false; /* it went away */
	if (s->trial.on)
		return;
	uint32_t first = bcast_relay_held_by(&s->relay, now, s->link.deadline, &rate);
	if (first != s->trial.first)
		s->trial.against = 0;
	if (s->ending || first >= s->n || now - s->trial.began < s->link.deadline)
		return;
	s->trial.first = first;
	for (size_t k = 1; k <= s->n && !s->trial.on; k++) {
		uint32_t i = (uint32_t)((s->trial.other + k) % s->n);
		struct node *d = &s->node[i];

		if (i == first || d->state != HERE)
			continue;
		s->trial.on = true;
		for (unsigned m = 0; m < TRIALS; m++)
			if (weft_link_send(d->control, MSG_TRY, bytes, sizeof(bytes)))
				return;
		weft_link_send(d->control, MSG_TRY, "\1", 1);
		s->trial.other = i;
		s->trial.began = now;
		s->trial.rate = rate;
	}
}

void source_tried(struct node *d)
{
	struct source *s = d->of;
	double took = weft_monotonic() - s->trial.began;
	double could =
		(double)(TRIAL * TRIALS) / BCAST_PIECE / (took > 0 ? took : 1e-6);

	if (!s->trial.on || d->rank != s->trial.other)
		return;
	s->trial.on = false;
	s->trial.against =
		s->trial.rate * BCAST_SLOW < could ? s->trial.against + 1 : 0;
	if (s->trial.against == AGAINST)
		source_fail(
			&s->node[s->trial.first], "it takes far less than others do");
}
