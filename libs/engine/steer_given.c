/* steer_given.c - what a program that steers is given to read */
#include "engine/steer.h"

#include <stdlib.h>
#include <string.h>

static int add_result(
	struct engine *g, struct steer *st, size_t i, struct weft_str *out)
{
	const struct weft_step *step = steer_step(g, st);
	weft_autoerr struct weft_err err = {0};
	struct weft_record *rec = NULL;
	struct weft_member m;

	if (weft_sweep_member(g->e->wf, step, i, &m, &err))
		return -1;
	weft_autofree char *dir = weft_run_step_dir(g->e->run, step, &m);
	weft_autofree char *metrics = dir ? weft_path_join(dir, "metrics.jsonl") : NULL;
	weft_str_printf(out, "{\"member\":\"%s\",\"params\":", m.id);
	weft_value_json(out, &m.params);
	weft_str_printf(out, ",\"state\":\"%s\",\"metrics\":",
		weft_state_name(g->slot[st->step][i].state));
	weft_metrics_json(metrics ? metrics : "", out);
	weft_str_add(out, ",\"outputs\":{");
	weft_records_read(g->records, st->step, i, &rec, &err);
	for (size_t k = 0; rec && k < rec->n_outputs; k++) {
		struct weft_value path = {
			.kind = WEFT_V_STRING, .str = rec->output[k].path};

		weft_str_printf(out, "%s\"%s\":", k ? "," : "", rec->output[k].name);
		weft_value_json(out, &path);
	}
	weft_str_add(out, "}}\n");
	weft_record_free(rec);
	weft_member_clear(&m);
	return out->failed ? -1 : 0;
}

int steer_write_files(struct engine *g, struct steer *st, struct weft_err *err)
{
	const struct weft_step *step = steer_step(g, st);
	weft_autostr struct weft_str results = {0}, pending = {0};
	weft_autofree char *path = weft_path_join(st->dir, "pending.jsonl");
	bool *told = realloc(st->told, step->sweep.count * sizeof(*told) + 1);

	if (!told || !path)
		return weft_err_nomem(err);
	memset(told + st->n_told, 0, (step->sweep.count - st->n_told) * sizeof(*told));
	st->told = told;
	st->n_told = step->sweep.count;
	for (size_t i = 0; i < step->sweep.count; i++) {
		enum weft_state s = g->slot[st->step][i].state;
		struct weft_member m;

		if (weft_state_ended(s)) {
			if (!told[i] && add_result(g, st, i, &results))
				return weft_err_nomem(err);
			told[i] = true;
			continue;
		}
		if (weft_sweep_member(g->e->wf, step, i, &m, err))
			return -1;
		weft_str_printf(&pending, "{\"member\":\"%s\",\"params\":", m.id);
		weft_value_json(&pending, &m.params);
		weft_str_printf(&pending, ",\"state\":\"%s\",\"priority\":%d}\n",
			s == WEFT_STATE_NONE ? "waiting" : "running",
			g->slot[st->step][i].priority);
		weft_member_clear(&m);
	}
	if (results.failed || pending.failed)
		return weft_err_nomem(err);
	if (results.len && weft_write_all(st->results, results.s, results.len))
		return weft_err_sys(err, WEFT_ESYS, "%s/results.jsonl", st->dir);
	return weft_write_file(
		path, pending.s ? pending.s : "", pending.len, 0644, err);
}
