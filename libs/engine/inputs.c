/* inputs.c - where a member's inputs come from, and how they get to it */
#include "engine/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct find {
	struct unit *u;
	struct unit_input *in;
	const struct weft_input_from *from;
	size_t cap;
	struct weft_err *err;
	int result;
};

/* Adds what a member of the producing step published under this output. */
static int add_member(void *ctx, size_t index)
{
	struct find *f = ctx;
	const struct weft_step *of = &f->u->e->wf->step[f->from->step];
	const char *output = of->output[f->from->output].name;
	weft_autostr struct weft_str params = {0};
	struct weft_records *records = unit_records(f->u, f->err);
	struct weft_record *r = NULL;
	struct weft_member m;

	if (!records || weft_sweep_member(f->u->e->wf, of, index, &m, f->err))
		goto bad;
	int got = weft_records_read(records, of->index, index, &r, f->err);
	weft_value_json(&params, &m.params);
	char id[WEFT_MEMBER_ID];
	memcpy(id, m.id, sizeof(id));
	weft_member_clear(&m);
	if (got < 0)
		goto bad;
	for (size_t i = 0; got == 0 && r->state == WEFT_STATE_DONE && i < r->n_outputs;
		i++) {
		struct stat st;

		if (!weft_streq(r->output[i].name, output))
			continue;
		if (weft_grow(f->in->source, f->in->n_sources, f->cap)) {
			weft_err_nomem(f->err);
			goto bad;
		}
		struct unit_source *s = &f->in->source[f->in->n_sources++];
		const struct weft_record_output *o = &r->output[i];
		bool known = *o->hash && *o->identity;
		*s = (struct unit_source){.path = strdup(o->path),
			.id = strdup(id),
			.params = strdup(params.s ? params.s : "{}"),
			.bytes = o->bytes,
			.hash = known ? strdup(o->hash) : NULL,
			.identity = known ? strdup(o->identity) : NULL,
			.of = of->name,
			.output = output};
		if (!s->path || !s->id || !s->params ||
			(known && (!s->hash || !s->identity))) {
			weft_err_nomem(f->err);
			goto bad;
		}
		if (stat(s->path, &st)) {
			weft_err_sys(f->err, WEFT_ESTAGE, "%s, output '%s' of %s",
				s->path, output, of->name);
			goto bad;
		}
		s->folder = S_ISDIR(st.st_mode);
	}
	weft_record_free(r);
	return 0;
bad:
	weft_record_free(r);
	f->result = -1;
	return 1;
}

static int find_path(struct find *f)
{
	weft_autofree char *text = NULL;
	struct stat st;

	if (weft_scope_text(&f->u->scope, &f->from->path, &text, f->err))
		return -1;
	weft_autofree char *path = weft_path_absolute(f->u->e->wf->dir, text);
	if (!path)
		return weft_err_nomem(f->err);
	if (stat(path, &st)) {
		if (errno == ENOENT || errno == ENOTDIR)
			return 0;
		return weft_err_sys(f->err, WEFT_ESTAGE, "%s", path);
	}
	if (unit_may_read(f->u, path, f->err)) {
		weft_err_prefix(f->err, "input '%s'", f->in->def->name);
		return weft_err_at(f->err, f->u->e->wf->file, f->in->def->pos, NULL);
	}
	f->in->source = calloc(1, sizeof(*f->in->source));
	if (!f->in->source)
		return weft_err_nomem(f->err);
	f->in->source[0] = (struct unit_source){
		.path = weft_steal(&path), .folder = S_ISDIR(st.st_mode)};
	f->in->n_sources = 1;
	return 0;
}

/* Of a loop, the round that an input comes from, or all before it: round and end. */
static void rounds_of(
	const struct find *f, const struct weft_step *of, size_t *round, size_t *end)
{
	const struct weft_workflow *wf = f->u->e->wf;
	size_t own = f->u->member.round;
	bool same = of->loop == f->u->step->loop;

	*end = wf->loop[of->loop].rounds;
	*round = f->in->def->round == WEFT_ROUND_ALL ? 0 : *end - 1;
	if (!same)
		return;
	*end = f->in->def->round == WEFT_ROUND_THIS ? own + 1 : own;
	*round = f->in->def->round == WEFT_ROUND_ALL ? 0 : *end - (*end > 0);
}

/* All members, unless the two sweeps match by their axes. */
static int find_step(struct find *f)
{
	const struct weft_workflow *wf = f->u->e->wf;
	const struct weft_step *of = &wf->step[f->from->step];
	struct weft_edge edge = {.step = f->from->step, .all = f->from->all};
	bool matches = weft_spec_matches(wf, f->u->step, &edge);
	bool rounds = of->loop != WEFT_NO_LOOP && f->in->def->round == WEFT_ROUND_ALL;
	size_t round = 0, end = 1;

	if (of->loop == WEFT_NO_LOOP) {
		weft_spec_each_match(wf, f->u->step, f->u->index, &edge, add_member, f);
	} else {
		rounds_of(f, of, &round, &end);
		for (; round < end && !f->result; round++)
			weft_spec_each_in_round(wf, f->u->step, f->u->index, &edge,
				round, add_member, f);
	}
	f->in->fan_in =
		rounds || (matches ? f->in->n_sources > 1
				   : of->sweep.kind != WEFT_SWEEP_NONE &&
						  of->sweep.kind != WEFT_SWEEP_ROUNDS);
	return f->result;
}

static const char *place_of(const struct unit *u, enum weft_scratch to)
{
	switch (to) {
	case WEFT_SCRATCH_NODE:
		return u->node_root;
	case WEFT_SCRATCH_MEMORY:
		return u->memory_root;
	case WEFT_SCRATCH_SHARED:
		break;
	}
	return u->dir;
}

static int resolve_one(struct unit *u, struct unit_input *in, struct weft_err *err)
{
	struct find f = {.u = u, .in = in, .err = err};

	bool first =
		in->def->round != WEFT_ROUND_THIS && in->def->first && !u->member.round;
	size_t n = first ? 1 : in->def->n_from;

	for (size_t i = 0; i < n && !in->n_sources; i++) {
		f.from = first ? in->def->first : &in->def->from[i];
		if (f.from->step == WEFT_NO_STEP ? find_path(&f) : find_step(&f))
			return -1;
	}
	if (!in->n_sources) {
		in->absent = true;
		if (in->def->optional)
			return 0;
		weft_err_set(err, WEFT_ESTAGE, "input '%s' isn't there", in->def->name);
		if (in->def->n_from && in->def->from[0].step == WEFT_NO_STEP) {
			weft_autofree char *text = NULL;

			weft_scope_text(&u->scope, &in->def->from[0].path, &text, NULL);
			weft_err_hint(err, "there is no %s in or below %s",
				text ? text : "file", u->e->wf->dir);
		}
		return weft_err_at(err, u->e->wf->file, in->def->pos, NULL);
	}
	/* The name that the program sees keeps the source's last component, so that
	 * what goes by a file's ending still works. */
	const char *root = place_of(u, in->def->to);
	const char *base = strrchr(in->source[0].path, '/');
	in->path = in->fan_in
			   ? weft_printf("%s/in/%s", root, in->def->name)
			   : weft_printf("%s/in/%s/%s", root, in->def->name, base + 1);
	return in->path ? 0 : weft_err_nomem(err);
}

int inputs_resolve(struct unit *u, struct weft_err *err)
{
	u->input = calloc(u->step->n_inputs + 1, sizeof(*u->input));
	if (!u->input)
		return weft_err_nomem(err);
	for (size_t i = 0; i < u->step->n_inputs; i++) {
		u->input[i].def = &u->step->input[i];
		u->n_inputs++;
		if (resolve_one(u, &u->input[i], err))
			return -1;
	}
	return u->record.digest ? inputs_identity(u, u->record.digest, err) : 0;
}

enum weft_stage_how input_how(const struct unit_input *in)
{
	if (in->def->mode == WEFT_MODE_COPY)
		return WEFT_STAGE_COPY;
	return in->def->to == WEFT_SCRATCH_SHARED || in->def->mode == WEFT_MODE_LINK
		       ? WEFT_STAGE_LINK
		       : WEFT_STAGE_AUTO;
}

int input_put(struct unit *u, const struct unit_input *in, const struct unit_source *s,
	const char *dst, struct weft_err *err)
{
	bool shared = in->def->to == WEFT_SCRATCH_SHARED;
	enum weft_stage_how how = input_how(in);
	const char *src = s->path;
	weft_autostr struct weft_str record = {0};
	/* A hash for our record, or to be held against another. */
	const struct weft_stage_options opt = {.how = how,
		.durable = WEFT_STAGE_DATA,
		.writable = how == WEFT_STAGE_COPY,
		.text = s->hash || (!shared && !in->fan_in) ? &record : NULL,
		.stop = u->e->stop};
	struct weft_stage_report report = {0};
	enum cache_ask ask = in->n_sources > 1 ? CACHE_MANY : CACHE_FETCH;

	if (how == WEFT_STAGE_LINK
			? weft_stage_put(src, dst, how, &report, err)
			: (shared || cache_put(u, in->def, src, dst, ask, &report)) &&
				  weft_stage_copy(src, dst, &opt, &report, err)) {
		weft_err_prefix(err, "input '%s'", in->def->name);
		return -1;
	}
	u->record.staged_in += report.bytes;
	u->moved += report.moved;
	if (!in->fan_in)
		hashes_add(u, "in", in->def->name, report.hash);
	return hashes_check(u, in, s, report.hash, err);
}

int inputs_stage(struct unit *u, bool on_node, struct weft_err *err)
{
	double start = weft_monotonic();

	for (size_t i = 0; i < u->n_inputs; i++) {
		const struct unit_input *in = &u->input[i];

		if (in->absent || (in->def->to != WEFT_SCRATCH_SHARED) != on_node)
			continue;
		weft_autofree char *dir =
			in->fan_in
				? strdup(in->path)
				: strndup(in->path,
					  (size_t)(strrchr(in->path, '/') - in->path));
		if (!dir)
			return weft_err_nomem(err);
		if (weft_remove_tree(dir, err) || weft_mkdirs(dir, 0777, err))
			return -1;
		if (on_node && cast_fits(in, u->cast_nodes)) {
			if (cast_want(u, in, err))
				return -1;
			continue;
		}
		if (in->fan_in ? fan_in_stage(u, in, err)
			       : input_put(u, in, &in->source[0], in->path, err))
			return -1;
	}
	u->record.stage_seconds += weft_monotonic() - start;
	return 0;
}

static int place_file(struct unit *u, const struct weft_file *f, struct weft_err *err)
{
	weft_autofree char *text = NULL, *dst = NULL;

	if (!weft_path_is_inside(f->name)) {
		weft_err_set(err, WEFT_ESPEC,
			"file '%s' is outside the working directory", f->name);
		return weft_err_at(err, u->e->wf->file, f->pos, NULL);
	}
	dst = weft_path_absolute(u->work, f->name);
	if (!dst)
		return weft_err_nomem(err);
	weft_autofree char *dir = strndup(dst, (size_t)(strrchr(dst, '/') - dst));
	if (!dir)
		return weft_err_nomem(err);
	if (weft_mkdirs(dir, 0777, err) ||
		weft_scope_text(&u->scope, &f->value, &text, err))
		return -1;
	if (f->kind == WEFT_FILE_TEXT)
		return weft_write_file(dst, text, strlen(text), 0644, err);
	weft_autofree char *src = weft_path_absolute(u->e->wf->dir, text);
	if (!src)
		return weft_err_nomem(err);
	if (unit_may_read(u, src, err))
		return -1;
	if (f->kind == WEFT_FILE_COPY)
		return weft_stage_copy(src, dst,
			&(struct weft_stage_options){.how = WEFT_STAGE_COPY,
				.durable = WEFT_STAGE_DATA,
				.writable = true,
				.stop = u->e->stop},
			NULL, err);
	weft_autofree char *body = NULL, *filled = NULL;
	struct weft_text t = {.pos = {1, 1}};
	if (weft_read_file(src, (size_t)16 << 20, &body, NULL, err))
		return -1;
	t.s = body;
	const struct weft_template *tpl = NULL;
	struct weft_arena a = {0};
	int r = -1;
	if (weft_template_parse(&a, body, WEFT_QUOTE_NONE,
		    (struct weft_template **)&tpl, err) == 0) {
		t.tpl = tpl;
		r = weft_scope_text(&u->scope, &t, &filled, err);
	}
	if (r)
		weft_err_at(err, src, err ? err->pos : (struct weft_pos){0}, NULL);
	else
		r = weft_write_file(dst, filled, strlen(filled), 0644, err);
	weft_arena_free(&a);
	return r;
}

int files_place(struct unit *u, struct weft_err *err)
{
	for (size_t i = 0; i < u->step->n_files; i++)
		if (place_file(u, &u->step->file[i], err)) {
			weft_err_prefix(err, "file '%s'", u->step->file[i].name);
			return -1;
		}
	return 0;
}
