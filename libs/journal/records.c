/* records.c - the store: what completion records say, a few bytes a member */
#include "journal/records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of members that a workflow may have at most: what is beyond is no index. */
#define INDEX_MAX 10000000u
#define TWICE 100 /* that are kept */

int weft_records_open(const struct weft_run *run, const struct weft_workflow *wf,
	struct weft_records **rs, struct weft_err *err)
{
	struct weft_records *n = calloc(1, sizeof(*n));

	*rs = NULL;
	if (n) {
		n->run = run;
		n->wf = wf;
		n->fd = -1;
		n->dir = weft_path_join(run->dir, "records");
		n->step = calloc(wf->n_steps + 1, sizeof(*n->step));
	}
	if (!n || !n->dir || !n->step) {
		weft_records_free(n);
		return weft_err_nomem(err);
	}
	*rs = n;
	return 0;
}

void weft_records_free(struct weft_records *rs)
{
	if (!rs)
		return;
	records_files_free(rs);
	for (size_t i = 0; rs->step && i < rs->wf->n_steps; i++) {
		free(rs->step[i].slot);
		free(rs->step[i].by_id);
	}
	free(rs->step);
	for (size_t i = 0; i < rs->n_twice; i++) {
		free(rs->twice[i].counts);
		free(rs->twice[i].other);
	}
	free(rs->twice);
	free(rs->late);
	free(rs->dir);
	free(rs);
}

void weft_records_odd(const struct weft_records *rs, struct weft_records_odd *odd)
{
	*odd = (struct weft_records_odd){.damaged = rs->damaged,
		.strangers = rs->n_late,
		.twice = rs->twice,
		.n_twice = rs->n_twice};
}

static int add_twice(struct weft_records *rs, unsigned step, size_t member,
	unsigned attempt, uint32_t counts, uint32_t other)
{
	if (rs->n_twice == TWICE)
		return 0;
	if (weft_grow(rs->twice, rs->n_twice, rs->cap_twice))
		return -1;
	struct weft_records_twice t = {step, member, attempt,
		strdup(rs->file[counts].path), strdup(rs->file[other].path)};
	if (!t.counts || !t.other) {
		free(t.counts);
		free(t.other);
		return -1;
	}
	rs->twice[rs->n_twice++] = t;
	return 0;
}

/* ---- members ----------------------------------------------------------- */

static int make_room(struct records_step *s, size_t index, size_t count)
{
	if (index < s->n)
		return 0;
	size_t n = count > index ? count : index + 1;
	struct records_slot *v = realloc(s->slot, n * sizeof(*v));
	if (!v)
		return -1;
	memset(v + s->n, 0, (n - s->n) * sizeof(*v));
	s->slot = v;
	s->n = n;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	return memcmp(((const struct records_id *)a)->id,
		((const struct records_id *)b)->id, WEFT_MEMBER_ID);
}

/* Indices are another file's when the workflow was changed since; ids stay. */
static int index_ids(struct weft_records *rs, unsigned step, struct weft_err *err)
{
	struct records_step *s = &rs->step[step];
	const struct weft_step *of = &rs->wf->step[step];

	if (s->by_id && s->n_ids == of->sweep.count)
		return 0;
	free(s->by_id);
	s->n_ids = 0;
	s->by_id = calloc(of->sweep.count, sizeof(*s->by_id));
	if (!s->by_id)
		return weft_err_nomem(err);
	for (size_t i = 0; i < of->sweep.count; i++) {
		struct weft_member m;

		if (weft_sweep_member(rs->wf, of, i, &m, err))
			return -1;
		memcpy(s->by_id[i].id, m.id, WEFT_MEMBER_ID);
		s->by_id[i].index = (uint32_t)i;
		weft_member_clear(&m);
	}
	s->n_ids = of->sweep.count;
	qsort(s->by_id, s->n_ids, sizeof(*s->by_id), by_id);
	return 0;
}

/* The index that a line's member has in this workflow. 1: none. */
static int find_member(struct weft_records *rs, unsigned step,
	const struct record_line *l, size_t *index, struct weft_err *err)
{
	const struct weft_step *of = &rs->wf->step[step];
	struct records_step *s = &rs->step[step];
	struct records_id key, *found;

	if (of->sweep.kind == WEFT_SWEEP_NONE || l->index >= INDEX_MAX)
		return 1;
	if (l->index < of->sweep.count) {
		struct weft_member m;

		if (weft_sweep_member(rs->wf, of, l->index, &m, err))
			return -1;
		bool same = memcmp(m.id, l->member, WEFT_MEMBER_ID - 1) == 0;
		weft_member_clear(&m);
		*index = l->index;
		if (same)
			return 0;
	}
	if (index_ids(rs, step, err))
		return -1;
	memcpy(key.id, l->member, WEFT_MEMBER_ID - 1);
	key.id[WEFT_MEMBER_ID - 1] = '\0';
	found = bsearch(&key, s->by_id, s->n_ids, sizeof(key), by_id);
	if (!found)
		return 1;
	*index = found->index;
	return 0;
}

/* Two records of one attempt: is it the same line again, and if not, was the new one
 * first?  Within a file the order tells, else the end of the member. */
static int compare(struct weft_records *rs, const struct records_slot *old,
	const struct records_slot *new, const char *line, size_t n, bool *same,
	bool *wins)
{
	weft_autofree char *was = NULL;
	size_t len;
	int got = records_line_at(rs, old->file - 1, old->at, &was, &len);

	if (got < 0)
		return -1;
	/* Its file is gone: compacted, and this is the copy. */
	*same = got > 0 || (len == n && memcmp(was, line, n) == 0);
	*wins = got > 0;
	if (*same || old->file == new->file)
		return 0;
	struct weft_record *a = record_line_read(was, len),
			   *b = record_line_read(line, n);
	*wins = b && (!a || b->ended < a->ended);
	weft_record_free(a);
	weft_record_free(b);
	return 0;
}

static int add_line(struct weft_records *rs, uint32_t file, uint64_t at,
	const struct record_line *l, const char *line, size_t n, bool again,
	struct records_changed *changed, struct weft_err *err)
{
	weft_autofree char *name = strndup(l->step, l->step_len);
	size_t step, index = 0;
	int got = 1;

	if (!name)
		return weft_err_nomem(err);
	bool known = weft_map_get(&rs->wf->by_name, name, &step);
	if (known)
		got = find_member(rs, (unsigned)step, l, &index, err);
	if (got < 0)
		return -1;
	if (got) {
		/* It may be known later: sweeps grow. */
		struct records_late late = {at, file};

		if (again)
			return 1;
		if (weft_grow(rs->late, rs->n_late, rs->cap_late))
			return weft_err_nomem(err);
		rs->late[rs->n_late++] = late;
		return 1;
	}
	struct records_step *s = &rs->step[step];
	if (make_room(s, index, rs->wf->step[step].sweep.count))
		return weft_err_nomem(err);
	struct records_slot *old = &s->slot[index],
			    new = {.at = at,
				    .state = (unsigned char)l->head.state,
				    .code = (unsigned char)l->head.code,
				    .file = file + 1,
				    .attempt = l->head.attempt};
	bool same = false, wins = !old->file || new.attempt > old->attempt;
	bool back = old->file && new.attempt == old->attempt &&
		    (new.state == WEFT_STATE_NONE) != (old->state == WEFT_STATE_NONE);
	if (back) {
		/* One that waits takes back what its attempt has ended in. */
		wins = new.state == WEFT_STATE_NONE;
	} else if (old->file && new.attempt == old->attempt) {
		if (compare(rs, old, &new, line, n, &same, &wins))
			return weft_err_sys(err, WEFT_ESYS, "%s/%s", rs->dir,
				rs->file[old->file - 1].path);
		if (!same && add_twice(rs, (unsigned)step, index, new.attempt,
				     wins ? file : old->file - 1,
				     wins ? old->file - 1 : file))
			return weft_err_nomem(err);
	}
	if (!wins)
		return 0;
	*old = new;
	if (!same && changed->f)
		changed->f(changed->ctx, (unsigned)step, index);
	return 0;
}

int records_add(struct weft_records *rs, uint32_t file, uint64_t at, const char *line,
	size_t n, struct records_changed *changed, struct weft_err *err)
{
	struct record_line l = {0};
	json_t *keep = NULL;
	int r = 0;

	if (n == 0)
		return 0; /* after a torn line that was whole but for its end */
	if (!line_is_whole(line, n) || !record_line_head(line, n, &l, &keep))
		rs->damaged++;
	else
		r = add_line(rs, file, at, &l, line, n, false, changed, err);
	rs->lines += r == 0;
	json_decref(keep);
	return r < 0 ? -1 : 0;
}

static size_t members(const struct weft_workflow *wf)
{
	size_t n = 0;

	for (size_t i = 0; i < wf->n_steps; i++)
		n += wf->step[i].sweep.count;
	return n;
}

/* Lines of members that weren't known, once there are more members. */
static int read_late(
	struct weft_records *rs, struct records_changed *changed, struct weft_err *err)
{
	size_t now = members(rs->wf), left = 0;

	if (!rs->n_late || now == rs->members)
		return 0;
	rs->members = now;
	for (size_t i = 0; i < rs->n_late; i++) {
		struct records_late *late = &rs->late[i];
		weft_autofree char *line = NULL;
		struct record_line l = {0};
		json_t *keep = NULL;
		size_t n;
		int r = records_line_at(rs, late->file, late->at, &line, &n);

		if (r == 0 && record_line_head(line, n, &l, &keep))
			r = add_line(rs, late->file, late->at, &l, line, n, true,
				changed, err);
		json_decref(keep);
		if (r < 0)
			return err && err->code ? -1 : weft_err_nomem(err);
		if (r > 0)
			rs->late[left++] = *late;
	}
	rs->n_late = left;
	return 0;
}

/* ---- steps without a sweep --------------------------------------------- */

static int read_step(struct weft_records *rs, unsigned step, struct weft_record **r,
	struct weft_err *err)
{
	weft_autofree char *dir = weft_run_step_dir(rs->run, &rs->wf->step[step], NULL);

	*r = NULL;
	return dir ? weft_record_read(dir, r, err) : weft_err_nomem(err);
}

static int poll_step(struct weft_records *rs, unsigned step,
	struct records_changed *changed, struct weft_err *err)
{
	struct records_step *s = &rs->step[step];
	struct weft_record *r;
	int got = read_step(rs, step, &r, err);

	if (got < 0)
		return -1;
	if (got) {
		s->n = 0; /* taken away for another try */
		return 0;
	}
	if (make_room(s, 0, 1)) {
		weft_record_free(r);
		return weft_err_nomem(err);
	}
	struct records_slot new = {.state = (unsigned char)r->state,
		.code = (unsigned char)r->code,
		.file = 1,
		.attempt = r->attempt};
	bool other = memcmp(&new, &s->slot[0], sizeof(new)) != 0;
	s->slot[0] = new;
	weft_record_free(r);
	if (other && changed->f)
		changed->f(changed->ctx, step, 0);
	return 0;
}

int weft_records_poll_step(struct weft_records *rs, unsigned step, struct weft_err *err)
{
	struct records_changed none = {0};

	return poll_step(rs, step, &none, err);
}

/* ---- all of it --------------------------------------------------------- */

int weft_records_poll(struct weft_records *rs,
	void (*f)(void *ctx, unsigned step, size_t member), void *ctx,
	struct weft_err *err)
{
	struct records_changed changed = {f, ctx};

	if (read_late(rs, &changed, err) || records_scan(rs, &changed, err))
		return -1;
	for (unsigned i = 0; i < rs->wf->n_steps; i++) {
		weft_autoerr struct weft_err damaged = {0};

		if (rs->wf->step[i].sweep.kind != WEFT_SWEEP_NONE)
			continue;
		/* What can't be read proves nothing. */
		if (poll_step(rs, i, &changed, &damaged) && damaged.sys == ENOMEM) {
			weft_err_move(err, &damaged);
			return -1;
		}
	}
	return 0;
}

int weft_records_poll_writer(struct weft_records *rs, const char *name,
	void (*f)(void *ctx, unsigned step, size_t member), void *ctx,
	struct weft_err *err)
{
	struct records_changed changed = {f, ctx};
	weft_autofree char *path = weft_printf("%s.jsonl", name);

	if (!path)
		return weft_err_nomem(err);
	return read_late(rs, &changed, err) ||
			       records_scan_file(rs, path, &changed, err)
		       ? -1
		       : 0;
}

struct weft_record_head weft_records_head(
	const struct weft_records *rs, unsigned step, size_t member)
{
	const struct records_step *s = &rs->step[step];

	if (member >= s->n || !s->slot[member].file)
		return (struct weft_record_head){0};
	return (struct weft_record_head){.known = true,
		.state = s->slot[member].state,
		.code = s->slot[member].code,
		.attempt = s->slot[member].attempt};
}

int weft_records_read(struct weft_records *rs, unsigned step, size_t member,
	struct weft_record **r, struct weft_err *err)
{
	*r = NULL;
	if (rs->wf->step[step].sweep.kind == WEFT_SWEEP_NONE)
		return read_step(rs, step, r, err);
	for (int try = 0;; try++) {
		const struct records_step *s = &rs->step[step];
		weft_autofree char *line = NULL;
		size_t n;

		if (member >= s->n || !s->slot[member].file)
			return 1;
		uint32_t file = s->slot[member].file - 1;
		int got = records_line_at(rs, file, s->slot[member].at, &line, &n);
		if (got == 0) {
			*r = line_is_whole(line, n) ? record_line_read(line, n) : NULL;
			if (*r)
				return 0;
			return weft_err_set(err, WEFT_ESPEC,
				"%s/%s: a completion record changed after it was "
				"written",
				rs->dir, rs->file[file].path);
		}
		if (got < 0)
			return weft_err_sys(
				err, WEFT_ESYS, "%s/%s", rs->dir, rs->file[file].path);
		/* Compacted meanwhile: it is in another file now. */
		records_rewind(rs);
		if (try || weft_records_poll(rs, NULL, NULL, err))
			return err && err->code
				       ? -1
				       : weft_err_set(err, WEFT_ESPEC,
						 "%s/%s: a file of records is gone",
						 rs->dir, rs->file[file].path);
	}
}
