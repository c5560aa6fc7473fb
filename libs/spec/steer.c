/* steer.c - the program that steers a sweep, and the members that it adds. */
#include <stdlib.h>
#include <string.h>

#include "spec/parse.h"

#define TIME 600 /* seconds: the table's default */

/* N, or a duration. */
static void read_every(
	struct spec_parser *p, struct weft_steer *st, const struct weft_yaml_node *n)
{
	const char *why;
	int64_t v;

	if (!n)
		return;
	spec_enter(p, "every");
	if (weft_parse_int(n->text, 1, SPEC_MAX_MEMBERS, &v))
		st->every_members = (size_t)v;
	else if (weft_parse_duration(n->text, &v, &why) && v > 0)
		st->every = v;
	else
		spec_bad(p, n, "as in `every: 8` or `every: 30s`",
			"must be a number of members or a duration");
	spec_leave(p);
}

static void read_seat(
	struct spec_parser *p, struct weft_steer *st, const struct weft_yaml_node *n)
{
	struct weft_yaml_node *at[N_FIELDS];
	int64_t v;

	if (!n || spec_is_bad(p, n) || n->kind != WEFT_YAML_MAP)
		return;
	spec_collect(p, n, IN_SEAT, at);
	st->cpus = 1;
	if (at[SEAT_cpus_per_task] &&
		weft_parse_int(at[SEAT_cpus_per_task]->text, 1, 65536, &v))
		st->cpus = (unsigned)v;
	if (at[SEAT_gpus] && weft_parse_int(at[SEAT_gpus]->text, 0, 1024, &v))
		st->gpus = (unsigned)v;
	if (at[SEAT_mem])
		weft_parse_size(at[SEAT_mem]->text, &st->mem, NULL);
}

void spec_steer(struct spec_parser *p, struct weft_step *s,
	const struct weft_yaml_node *n, const struct weft_yaml_node *map)
{
	struct weft_yaml_node *at[N_FIELDS];
	struct weft_steer *st = &s->steer;
	const char *why;

	if (!n || spec_is_bad(p, n) || n->kind != WEFT_YAML_MAP)
		return;
	spec_collect(p, n, IN_STEER, at);
	spec_enter(p, "steer");
	if (!weft_yaml_get(n, "run") == !weft_yaml_get(n, "command") &&
		!spec_has_bad_key(p, n))
		spec_bad(p, n, NULL, "needs exactly one of `run` and `command`");
	if (!weft_yaml_get(map, "sweep")) {
		spec_bad(p, n, "give the step a `sweep`", "there is no sweep to steer");
		spec_leave(p);
		return;
	}
	st->given = true;
	spec_enter(p, "run");
	st->run = spec_text(p, at[STEER_run], AT_STEER, WEFT_QUOTE_SHELL);
	spec_leave(p);
	spec_enter(p, "command");
	st->command = spec_texts(p, at[STEER_command], AT_STEER);
	spec_leave(p);
	read_every(p, st, at[STEER_every]);
	st->time = TIME;
	if (at[STEER_time])
		weft_parse_duration(at[STEER_time]->text, &st->time, &why);
	read_seat(p, st, at[STEER_resources]);
	if (at[STEER_max_members]) {
		s->sweep.growing = true;
		s->sweep.most = (size_t)strtod(at[STEER_max_members]->text, NULL);
	}
	spec_leave(p);
}

void spec_check_steer(struct spec_parser *p)
{
	struct weft_workflow *wf = p->wf;

	for (size_t i = 0; i < wf->n_steps; i++) {
		struct weft_step *s = &wf->step[i];
		struct weft_sweep *w = &s->sweep;
		struct weft_yaml_node at = {.pos = s->pos, .kind = WEFT_YAML_MAP};
		const char *wrong = NULL;

		char path[40];

		if (!s->steer.given || !w->growing)
			continue;
		if (w->kind == WEFT_SWEEP_EACH)
			wrong = "a sweep that is another's can't be steered";
		else if (w->kind == WEFT_SWEEP_FILE && !w->file)
			wrong = "a sweep that a step makes can't be steered";
		else if (s->loop != WEFT_NO_LOOP)
			wrong = "a sweep in a loop can't be steered";
		else if (w->most < w->count)
			wrong = "the sweep has more members than `max_members`";
		snprintf(path, sizeof(path), "steps[%zu].steer", i);
		if (wrong)
			spec_bad_path(p, &at, spec_dup(p, path), NULL, "%s", wrong);
		w->fixed = w->rows ? 0 : w->count;
	}
}
