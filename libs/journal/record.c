/* record.c - completion records: complete or absent, with a checksum */
#include "journal/line.h"
#include "journal/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORD_MAX ((size_t)16 << 20)

static const char *const names[] = {
	[WEFT_STATE_NONE] = "waiting",
	[WEFT_STATE_SUBMITTED] = "submitted",
	[WEFT_STATE_STAGING] = "staging",
	[WEFT_STATE_RUNNING] = "running",
	[WEFT_STATE_DONE] = "done",
	[WEFT_STATE_FAILED] = "failed",
	[WEFT_STATE_SKIPPED] = "skipped",
	[WEFT_STATE_NOT_RUN] = "not run",
	[WEFT_STATE_CANCELLED] = "cancelled",
	[WEFT_STATE_LOST] = "lost",
};

const char *weft_state_name(enum weft_state s)
{
	return (size_t)s < WEFT_COUNT(names) ? names[s] : "?";
}

bool weft_state_ended(enum weft_state s)
{
	return s >= WEFT_STATE_DONE;
}

int record_state(const char *name, size_t n, enum weft_state *s)
{
	for (size_t i = 0; name && i < WEFT_COUNT(names); i++) {
		if (strlen(names[i]) == n && memcmp(names[i], name, n) == 0) {
			*s = (enum weft_state)i;
			return 0;
		}
	}
	return -1;
}

/* Text for JSON: bytes that are not UTF-8 become '?'. */
static json_t *text(const char *s)
{
	if (!s)
		return json_string("");
	json_t *j = json_string(s);
	if (j)
		return j;
	weft_autofree char *copy = strdup(s);
	for (char *p = copy; p && *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return json_string(copy ? copy : "");
}

static json_t *outputs(const struct weft_record *r)
{
	json_t *a = json_array();

	for (size_t i = 0; i < r->n_outputs; i++) {
		const char *hash = r->output[i].hash;
		const char *identity = r->output[i].identity;

		json_array_append_new(
			a, json_pack("{s:o, s:o, s:I, s:I, s:o*, s:o*}", "name",
				   text(r->output[i].name), "path",
				   text(r->output[i].path), "bytes",
				   (json_int_t)r->output[i].bytes, "files",
				   (json_int_t)r->output[i].files, "hash",
				   hash && *hash ? text(hash) : NULL, "identity",
				   identity && *identity ? text(identity) : NULL));
	}
	return a;
}

static json_t *inputs(const struct weft_record *r)
{
	json_t *a = json_array();

	for (size_t i = 0; i < r->n_inputs; i++)
		json_array_append_new(
			a, json_pack("{s:o, s:o}", "name", text(r->input[i].name),
				   "hash", text(r->input[i].hash)));
	return a;
}

/* Lines as a list. */
static json_t *lines(const char *s)
{
	json_t *a = json_array();

	while (s && *s) {
		size_t n = strcspn(s, "\n");
		weft_autofree char *line = strndup(s, n);

		json_array_append_new(a, text(line));
		s += n + (s[n] == '\n');
	}
	return a;
}

static char *join(const json_t *a)
{
	struct weft_str s = {0};

	weft_str_add(&s, "");
	for (size_t i = 0; i < json_array_size(a); i++) {
		const char *line = json_string_value(json_array_get(a, i));

		weft_str_printf(&s, "%s%s", i ? "\n" : "", line ? line : "");
	}
	return weft_str_take(&s);
}

static json_t *to_json(const struct weft_record *r)
{
	json_t *o = json_object();

	json_object_set_new(o, "format", json_integer(1));
	json_object_set_new(o, "state", json_string(weft_state_name(r->state)));
	json_object_set_new(o, "code", json_integer(r->code));
	json_object_set_new(o, "step", text(r->step));
	json_object_set_new(o, "member", text(r->member));
	json_object_set_new(o, "exit_status", json_integer(r->exit_status));
	json_object_set_new(o, "signal", json_integer(r->signal));
	json_object_set_new(o, "reason", text(r->reason));
	json_object_set_new(o, "job", text(r->job));
	if (r->cause && *r->cause)
		json_object_set_new(o, "cause", text(r->cause));
	if (r->round)
		json_object_set_new(o, "round", json_integer(r->round));
	if (r->user_seconds > 0 || r->system_seconds > 0 || r->max_rss) {
		json_object_set_new(o, "user_seconds", json_real(r->user_seconds));
		json_object_set_new(o, "system_seconds", json_real(r->system_seconds));
		json_object_set_new(o, "max_rss", json_integer((json_int_t)r->max_rss));
	}
	json_object_set_new(o, "attempt", json_integer(r->attempt));
	json_object_set_new(o, "digest", text(r->digest));
	json_object_set_new(o, "definition", text(r->definition));
	json_object_set_new(o, "hosts", text(r->hosts));
	json_object_set_new(o, "queued", json_real(r->queued));
	json_object_set_new(o, "started", json_real(r->started));
	json_object_set_new(o, "ended", json_real(r->ended));
	json_object_set_new(o, "staged_in", json_integer((json_int_t)r->staged_in));
	json_object_set_new(o, "staged_out", json_integer((json_int_t)r->staged_out));
	json_object_set_new(o, "stage_seconds", json_real(r->stage_seconds));
	if (r->placement && *r->placement)
		json_object_set_new(o, "placement", lines(r->placement));
	if (r->n_inputs)
		json_object_set_new(o, "inputs", inputs(r));
	json_object_set_new(o, "outputs", outputs(r));
	return o;
}

/* Over the compact text with keys in the order of the alphabet. */
static int checksum(const json_t *o, char hex[WEFT_DIGEST_HEX])
{
	char *s = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);

	if (!s)
		return -1;
	weft_digest(s, strlen(s), hex);
	free(s);
	return 0;
}

int weft_record_write(
	const char *dir, const struct weft_record *r, struct weft_err *err)
{
	weft_autofree char *path = weft_path_join(dir, "done.json");
	char hex[WEFT_DIGEST_HEX];
	json_t *o = to_json(r);
	char *s = NULL;
	int ret = -1;

	if (!path || !o || checksum(o, hex) ||
		json_object_set_new(o, "sum", json_string(hex)) ||
		!(s = json_dumps(o, JSON_INDENT(2)))) {
		weft_err_nomem(err);
		goto out;
	}
	/* A crash may lose it, and the member is run again; what it may not do is leave
	 * half of one.  Each member waits for this. */
	ret = weft_write_file_sync(path, s, strlen(s), 0644, WEFT_SYNC_DATA, err);
out:
	free(s);
	json_decref(o);
	return ret;
}

static double real(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static json_int_t integer(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static uint64_t count(const json_t *o, const char *key)
{
	json_int_t n = integer(o, key);

	return n > 0 ? (uint64_t)n : 0;
}

static int read_outputs(struct weft_record *r, const json_t *a)
{
	r->output = calloc(json_array_size(a) + 1, sizeof(*r->output));
	if (!r->output)
		return -1;
	for (size_t i = 0; i < json_array_size(a); i++) {
		const json_t *o = json_array_get(a, i);
		struct weft_record_output *out = &r->output[r->n_outputs++];

		out->name = line_copy(o, "name");
		out->path = line_copy(o, "path");
		out->bytes = count(o, "bytes");
		out->files = count(o, "files");
		out->hash = line_copy(o, "hash");
		out->identity = line_copy(o, "identity");
		if (!out->name || !out->path || !out->hash || !out->identity)
			return -1;
	}
	return 0;
}

static int read_inputs(struct weft_record *r, const json_t *a)
{
	r->input = calloc(json_array_size(a) + 1, sizeof(*r->input));
	if (!r->input)
		return -1;
	for (size_t i = 0; i < json_array_size(a); i++) {
		const json_t *o = json_array_get(a, i);
		struct weft_record_input *in = &r->input[r->n_inputs++];

		in->name = line_copy(o, "name");
		in->hash = line_copy(o, "hash");
		if (!in->name || !in->hash)
			return -1;
	}
	return 0;
}

struct weft_record *record_from_json(const json_t *o)
{
	const char *state = json_string_value(json_object_get(o, "state"));
	const json_t *status = json_object_get(o, "exit_status");
	struct weft_record *r = calloc(1, sizeof(*r));

	if (!r || !state || record_state(state, strlen(state), &r->state)) {
		free(r);
		return NULL;
	}
	r->index = (size_t)integer(o, "index");
	r->round = (unsigned)integer(o, "round");
	r->cause = line_copy(o, "cause");
	r->user_seconds = real(o, "user_seconds");
	r->system_seconds = real(o, "system_seconds");
	r->max_rss = count(o, "max_rss");
	r->code = (enum weft_code)integer(o, "code");
	r->step = line_copy(o, "step");
	r->member = line_copy(o, "member");
	r->exit_status = status ? (int)json_integer_value(status) : -1;
	r->signal = (int)integer(o, "signal");
	r->reason = line_copy(o, "reason");
	r->job = line_copy(o, "job");
	r->attempt = (unsigned)integer(o, "attempt");
	r->digest = line_copy(o, "digest");
	r->definition = line_copy(o, "definition");
	r->hosts = line_copy(o, "hosts");
	r->queued = real(o, "queued");
	r->started = real(o, "started");
	r->ended = real(o, "ended");
	r->staged_in = count(o, "staged_in");
	r->staged_out = count(o, "staged_out");
	r->stage_seconds = real(o, "stage_seconds");
	r->placement = join(json_object_get(o, "placement"));
	if (!r->step || !r->member || !r->cause || !r->reason || !r->job ||
		!r->digest || !r->definition || !r->hosts || !r->placement ||
		read_inputs(r, json_object_get(o, "inputs")) ||
		read_outputs(r, json_object_get(o, "outputs"))) {
		weft_record_free(r);
		return NULL;
	}
	return r;
}

int weft_record_read(const char *dir, struct weft_record **r, struct weft_err *err)
{
	weft_autofree char *path = weft_path_join(dir, "done.json"), *s = NULL;
	char hex[WEFT_DIGEST_HEX];
	json_error_t je;
	const char *state;
	enum weft_state known;
	size_t n;

	*r = NULL;
	if (!path)
		return weft_err_nomem(err);
	if (access(path, F_OK))
		return errno == ENOENT || errno == ENOTDIR
			       ? 1
			       : weft_err_sys(err, WEFT_ESYS, "%s", path);
	if (weft_read_file(path, RECORD_MAX, &s, &n, err))
		return -1;
	json_t *o = json_loadb(s, n, 0, &je), *sum = NULL;
	if (json_is_object(o)) {
		sum = json_incref(json_object_get(o, "sum"));
		json_object_del(o, "sum");
	}
	state = json_string_value(json_object_get(o, "state"));
	bool good = sum && !checksum(o, hex) &&
		    weft_streq(hex, json_string_value(sum)) &&
		    integer(o, "format") == 1 && state &&
		    record_state(state, strlen(state), &known) == 0;
	if (good) {
		*r = record_from_json(o);
		if (!*r)
			weft_err_nomem(err);
	} else {
		weft_err_set(err, WEFT_ESPEC, "%s: damaged completion record", path);
		weft_err_hint(err, "remove it to have the step count as not done");
	}
	json_decref(sum);
	json_decref(o);
	return *r ? 0 : -1;
}

void weft_record_free(struct weft_record *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_outputs; i++) {
		free(r->output[i].name);
		free(r->output[i].path);
		free(r->output[i].hash);
		free(r->output[i].identity);
	}
	for (size_t i = 0; i < r->n_inputs; i++) {
		free(r->input[i].name);
		free(r->input[i].hash);
	}
	free(r->input);
	free(r->output);
	free(r->step);
	free(r->member);
	free(r->reason);
	free(r->cause);
	free(r->job);
	free(r->digest);
	free(r->definition);
	free(r->hosts);
	free(r->placement);
	free(r);
}
