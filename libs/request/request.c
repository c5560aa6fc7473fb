/*
 * request - encode and decode, from one table.
 *
 * Security: decode runs in slurmctld on a text that a user wrote.  It takes only what
 * encode writes: known keys, in order, once, with numbers in range and without signs,
 * blanks or leading zeros, and texts of printable ASCII that end within their array.
 */
#include "request/request.h"

#include <string.h>

#define MAGIC "weft-request-"
#define VERSION "1"

enum kind { NUMBER, TEXT, FLAG };

struct field {
	const char *key;
	enum kind kind;
	size_t at;
	uint32_t max;  /* NUMBER */
	size_t size;   /* TEXT, with its NUL */
	bool required; /* TEXT */
};
#define N(name, most)                                                                  \
	{                                                                              \
		.key = #name, .kind = NUMBER,                                          \
		.at = offsetof(struct weft_request, name), .max = (most)               \
	}
#define T(name)                                                                        \
	{                                                                              \
		.key = #name, .kind = TEXT, .at = offsetof(struct weft_request, name), \
		.size = sizeof(((struct weft_request *)NULL)->name)                    \
	}
#define MUST(name)                                                                     \
	{                                                                              \
		.key = #name, .kind = TEXT, .at = offsetof(struct weft_request, name), \
		.size = sizeof(((struct weft_request *)NULL)->name), .required = true  \
	}
#define F(name)                                                                        \
	{                                                                              \
		.key = #name, .kind = FLAG, .at = offsetof(struct weft_request, name)  \
	}
/* Below Slurm's 16 and 32 bit marks for "not set" and "infinite". */
#define MOST16 65000
#define MOST32 (1u << 30)
static const struct field fields[] = {MUST(step), MUST(role), T(partition), T(account),
	T(qos), T(reservation), N(nodes, MOST32), F(nodes_given), N(ntasks, MOST32),
	N(ntasks_per_node, MOST16), N(cpus_per_task, MOST16), N(gpus, MOST32),
	N(gpus_per_node, MOST16), T(gpu_type), N(mem, MOST32), N(tmp, MOST32),
	N(time, MOST32), T(constraint), T(exclude), T(nodelist), T(licenses), T(gres),
	F(exclusive), N(array, MOST32), N(max_parallel, MOST32)};

static const void *value(const struct weft_request *r, const struct field *f)
{
	return (const char *)r + f->at;
}

static void *place(struct weft_request *r, const struct field *f)
{
	return (char *)r + f->at;
}

/* A character that is no shell's, log's or list's business: constraints need most. */
static bool plain(char c)
{
	return c > ' ' && c < 0x7f && !strchr("\"'\\`$;<>", c);
}

static bool text_ok(const char *s)
{
	while (plain(*s))
		s++;
	return *s == '\0';
}

/* What no field alone can tell. */
static const char *contradiction(const struct weft_request *r)
{
	if (r->gpus && r->gpus_per_node)
		return "gpus and gpus_per_node";
	if (*r->gpu_type && !r->gpus && !r->gpus_per_node)
		return "gpu_type without GPUs";
	if (r->nodes_given && !r->nodes)
		return "nodes_given without nodes";
	if (r->max_parallel && !r->array)
		return "max_parallel without array";
	return NULL;
}

int weft_request_encode(
	const struct weft_request *r, struct weft_str *out, struct weft_err *err)
{
	weft_autostr struct weft_str s = {0};

	weft_str_add(&s, MAGIC VERSION);
	for (size_t i = 0; i < WEFT_COUNT(fields); i++) {
		const struct field *f = &fields[i];
		const void *v = value(r, f);
		uint32_t n = f->kind == NUMBER ? *(const uint32_t *)v : 0;

		if (n > f->max)
			return weft_err_set(err, WEFT_EPLACE,
				"%s %u is more than %u, the most that a request can "
				"carry",
				f->key, n, f->max);
		if (f->kind == TEXT && !memchr(v, '\0', f->size))
			return weft_err_set(err, WEFT_EPLACE, "%s is too long", f->key);
		if (f->kind == TEXT && (!text_ok(v) || (f->required && !*(char *)v)))
			return weft_err_set(err, WEFT_EPLACE,
				"%s '%s' can't be carried in a request", f->key,
				(const char *)v);
		if (n)
			weft_str_printf(&s, " %s=%u", f->key, n);
		else if (f->kind == TEXT && *(const char *)v)
			weft_str_printf(&s, " %s=%s", f->key, (const char *)v);
		else if (f->kind == FLAG && *(const bool *)v)
			weft_str_printf(&s, " %s=1", f->key);
	}
	const char *why = contradiction(r);
	if (why)
		return weft_err_set(err, WEFT_EPLACE, "a request can't have %s", why);
	if (s.failed)
		return weft_err_nomem(err);
	if (s.len > WEFT_REQUEST_MAX)
		return weft_err_set(err, WEFT_EPLACE,
			"the request is longer than %d bytes", WEFT_REQUEST_MAX);
	weft_str_addn(out, s.s, s.len);
	return out->failed ? weft_err_nomem(err) : 0;
}

/* ---- decoding ---------------------------------------------------------- */

static bool read_number(const char *s, size_t n, uint32_t max, uint32_t *out)
{
	uint64_t v = 0;

	if (n == 0 || n > 10 || *s == '0')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s[i] - '0');
	}
	*out = (uint32_t)v;
	return v <= max;
}

static bool read_text(const char *s, size_t n, size_t size, char *out)
{
	if (n == 0 || n >= size)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!plain(s[i]))
			return false;
	memcpy(out, s, n);
	out[n] = '\0';
	return true;
}

static bool read_value(
	const struct field *f, const char *s, size_t n, struct weft_request *r)
{
	void *at = place(r, f);

	switch (f->kind) {
	case NUMBER:
		return read_number(s, n, f->max, at);
	case TEXT:
		return read_text(s, n, f->size, at);
	case FLAG:
		*(bool *)at = true;
		return n == 1 && *s == '1';
	}
	return false;
}

/* The words after the version. */
static bool decode(const char *p, struct weft_request *r)
{
	for (size_t i = 0; i < WEFT_COUNT(fields); i++) {
		const struct field *f = &fields[i];
		size_t len = strlen(f->key);

		if (p[0] != ' ' || strncmp(p + 1, f->key, len) || p[1 + len] != '=') {
			if (f->required)
				return false;
			continue;
		}
		p += len + 2;
		size_t n = strcspn(p, " ");
		if (!read_value(f, p, n, r))
			return false;
		p += n;
	}
	return *p == '\0' && !contradiction(r);
}

int weft_request_decode(const char *text, struct weft_request *r, struct weft_err *err)
{
	static const char magic[] = MAGIC, version[] = VERSION;

	memset(r, 0, sizeof(*r));
	if (strnlen(text, WEFT_REQUEST_MAX + 1) > WEFT_REQUEST_MAX)
		return weft_err_set(err, WEFT_EPLACE, "%s is longer than %d bytes",
			WEFT_REQUEST_ENV, WEFT_REQUEST_MAX);
	if (!weft_starts_with(text, magic))
		return weft_err_set(err, WEFT_EPLACE, "%s is no request of weft's",
			WEFT_REQUEST_ENV);
	text += strlen(magic);
	if (strcspn(text, " ") != strlen(version) || !weft_starts_with(text, version)) {
		weft_err_set(err, WEFT_EPLACE,
			"%s is of another version of weft than slurmctld's, which "
			"reads "
			"version %s",
			WEFT_REQUEST_ENV, version);
		return weft_err_hint(err, "the weft on this machine and slurmctld's "
					  "job_submit_weft.so must go together");
	}
	if (decode(text + strlen(version), r))
		return 0;
	memset(r, 0, sizeof(*r));
	return weft_err_set(err, WEFT_EPLACE, "%s is damaged: not what weft writes",
		WEFT_REQUEST_ENV);
}
