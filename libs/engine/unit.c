#include "engine/unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const struct weft_retry *unit_retry(const struct unit *u)
{
	int i = u->slot.attempt ? u->slot.retry : -1;

	return i >= 0 && (size_t)i < u->step->n_retries ? &u->step->retry[i] : NULL;
}

bool unit_goes_on(const struct unit *u)
{
	const struct weft_retry *r = unit_retry(u);

	return (r && r->restart.s) || (u->slot.attempt && u->step->checkpoint.signal);
}

int unit_open(struct unit *u, const struct weft_engine *e, const struct weft_step *step,
	size_t member, struct weft_err *err)
{
	return unit_open_attempt(u, e, step, member, 0, err);
}

int unit_open_attempt(struct unit *u, const struct weft_engine *e,
	const struct weft_step *step, size_t member, unsigned attempt,
	struct weft_err *err)
{
	*u = (struct unit){.e = e,
		.step = step,
		.index = member,
		.slot = {.attempt = attempt, .retry = -1},
		.placed_fd = -1,
		.hand = -1};
	if (weft_sweep_member(e->wf, step, member, &u->member, err))
		return -1;
	if (weft_plan_step_attempt(e->plan, e->wf, e->conf, step->index, member,
		    attempt, &u->own_plan, &u->arena, err))
		return -1;
	u->plan = &u->own_plan;
	u->dir = weft_run_step_dir(e->run, step, &u->member);
	u->work = u->dir ? weft_path_join(u->dir, "work") : NULL;
	if (!u->work)
		return weft_err_nomem(err);
	u->scope = (struct weft_scope){
		.wf = e->wf,
		.step = step,
		.member = &u->member,
		.attempt = attempt,
		.variant = u->plan->variant,
		.run_id = e->run->id,
		.run_dir = e->run->dir,
		.step_dir = u->dir,
		.step_ntasks = u->plan->ntasks,
		.runtime = unit_lookup,
		.ctx = u,
	};
	return 0;
}

struct weft_records *unit_records(struct unit *u, struct weft_err *err)
{
	if (u->e->records || u->own_records)
		return u->e->records ? u->e->records : u->own_records;
	if (weft_records_open(u->e->run, u->e->wf, &u->own_records, err))
		return NULL;
	if (weft_records_poll(u->own_records, NULL, NULL, err)) {
		weft_records_free(u->own_records);
		u->own_records = NULL;
	}
	return u->own_records;
}

void unit_close(struct unit *u)
{
	for (size_t i = 0; i < u->n_inputs; i++) {
		struct unit_input *in = &u->input[i];

		for (size_t k = 0; k < in->n_sources; k++) {
			free(in->source[k].path);
			free(in->source[k].id);
			free(in->source[k].params);
			free(in->source[k].hash);
			free(in->source[k].identity);
		}
		free(in->source);
		free(in->path);
	}
	free(u->input);
	cache_close(u);
	weft_str_free(&u->want);
	weft_str_free(&u->hashes);
	free(u->record.input);
	free(u->record.output);
	weft_records_free(u->own_records);
	weft_member_clear(&u->member);
	weft_arena_free(&u->arena);
	free(u->dir);
	free(u->work);
	free(u->node_root);
	free(u->memory_root);
	*u = (struct unit){0};
}

/*
 * The folder on a node: below SCRATCH/weft/JOB where the site's prolog made one for
 * this job (and its epilog removes it), else below a folder of the user's own.
 */
static char *node_folder(const struct unit *u, const char *scratch)
{
	const char *job = getenv("SLURM_JOB_ID");
	weft_autofree char *site = weft_printf("%s/weft/%s", scratch, job ? job : "");
	struct stat st;
	weft_autofree char *top = NULL;

	if (job && site && stat(site, &st) == 0 && st.st_uid == geteuid())
		top = weft_steal(&site);
	else
		top = weft_printf("%s/weft-%u", scratch, (unsigned)geteuid());
	if (!top)
		return NULL;
	/* Runs in two places may have one name and number: their folder tells. */
	char where[WEFT_DIGEST_HEX];
	weft_digest(u->e->run->dir, strlen(u->e->run->dir), where);
	return weft_printf("%s/%s.%u.%.8s/%s%s%s", top, u->e->run->name,
		u->e->run->number, where, u->step->name,
		u->step->sweep.kind == WEFT_SWEEP_NONE ? "" : "-",
		u->step->sweep.kind == WEFT_SWEEP_NONE ? "" : u->member.id);
}

static bool wants(const struct unit *u, enum weft_scratch where)
{
	if (u->step->scratch == where)
		return true;
	for (size_t i = 0; i < u->step->n_inputs; i++)
		if (u->step->input[i].to == where)
			return true;
	return false;
}

int unit_node_roots(struct unit *u, struct weft_err *err)
{
	const struct weft_conf *c = u->e->conf;

	if (wants(u, WEFT_SCRATCH_NODE) && !u->node_root) {
		u->node_root = node_folder(u, c->scratch);
		if (!u->node_root)
			return weft_err_nomem(err);
	}
	if (wants(u, WEFT_SCRATCH_MEMORY) && !u->memory_root) {
		u->memory_root = node_folder(u, c->memory);
		if (!u->memory_root)
			return weft_err_nomem(err);
	}
	if (u->step->scratch != WEFT_SCRATCH_SHARED) {
		const char *root = u->step->scratch == WEFT_SCRATCH_NODE
					   ? u->node_root
					   : u->memory_root;
		free(u->work);
		u->work = weft_path_join(root, "work");
		if (!u->work)
			return weft_err_nomem(err);
	}
	return 0;
}

bool unit_on_nodes(const struct unit *u)
{
	return wants(u, WEFT_SCRATCH_NODE) || wants(u, WEFT_SCRATCH_MEMORY);
}
