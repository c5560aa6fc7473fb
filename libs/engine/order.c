#include "engine/order.h"

#include <stdlib.h>
#include <string.h>

/* Numbers are 8 bytes, the highest first; a text is its length + 1 (0: NULL), its bytes
 * and a NUL. */
static void put_number(struct weft_str *out, uint64_t v)
{
	char b[8];

	for (int i = 0; i < 8; i++)
		b[i] = (char)(v >> (56 - 8 * i));
	weft_str_addn(out, b, sizeof(b));
}

static void put_text(struct weft_str *out, const char *s)
{
	put_number(out, s ? strlen(s) + 1 : 0);
	if (s)
		weft_str_addn(out, s, strlen(s) + 1);
}

static void put_real(struct weft_str *out, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	put_number(out, bits);
}

struct reader {
	const unsigned char *at, *end;
	bool bad;
};

static uint64_t get_number(struct reader *r)
{
	uint64_t v = 0;

	if (r->bad || r->end - r->at < 8) {
		r->bad = true;
		return 0;
	}
	for (int i = 0; i < 8; i++)
		v = v << 8 | r->at[i];
	r->at += 8;
	return v;
}

static unsigned get_unsigned(struct reader *r)
{
	uint64_t v = get_number(r);

	r->bad |= v > UINT32_MAX;
	return (unsigned)v;
}

static int get_int(struct reader *r)
{
	int64_t v = (int64_t)get_number(r);

	r->bad |= v > INT32_MAX || v < INT32_MIN;
	return (int)v;
}

static double get_real(struct reader *r)
{
	uint64_t bits = get_number(r);
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

static const char *get_text(struct reader *r)
{
	uint64_t n = get_number(r);
	const char *s = (const char *)r->at;

	if (!n || r->bad)
		return NULL;
	if (n > (uint64_t)(r->end - r->at) || s[n - 1] || strlen(s) != n - 1) {
		r->bad = true;
		return NULL;
	}
	r->at += n;
	return s;
}

static bool whole(const struct reader *r)
{
	return !r->bad && r->at == r->end;
}

static struct reader reader_of(const void *data, size_t n)
{
	const unsigned char *at = data;

	return (struct reader){at, at + n, false};
}

int order_put_hello(struct weft_str *out, const struct order_hello *h)
{
	put_text(out, h->node);
	put_number(out, h->gpus);
	put_text(out, h->allowed);
	put_text(out, h->visible);
	put_text(out, h->gpu_numbers);
	return out->failed ? -1 : 0;
}

bool order_get_hello(const void *data, size_t n, struct order_hello *h)
{
	struct reader r = reader_of(data, n);

	h->node = get_text(&r);
	h->gpus = get_unsigned(&r);
	h->allowed = get_text(&r);
	h->visible = get_text(&r);
	h->gpu_numbers = get_text(&r);
	return whole(&r) && h->node && h->allowed;
}

int order_put_start(struct weft_str *out, const struct order_start *s)
{
	put_number(out, s->tag);
	put_number(out, s->step);
	put_number(out, s->member);
	put_number(out, s->attempt);
	put_number(out, (uint64_t)(int64_t)s->retry);
	put_text(out, s->cpus);
	put_text(out, s->gpus);
	return out->failed ? -1 : 0;
}

bool order_get_start(const void *data, size_t n, struct order_start *s)
{
	struct reader r = reader_of(data, n);

	s->tag = get_number(&r);
	s->step = get_unsigned(&r);
	s->member = (size_t)get_number(&r);
	s->attempt = get_unsigned(&r);
	s->retry = get_int(&r);
	s->cpus = get_text(&r);
	s->gpus = get_text(&r);
	return whole(&r);
}

int order_put_tag(struct weft_str *out, uint64_t tag)
{
	put_number(out, tag);
	return out->failed ? -1 : 0;
}

bool order_get_tag(const void *data, size_t n, uint64_t *tag)
{
	struct reader r = reader_of(data, n);

	*tag = get_number(&r);
	return whole(&r);
}

int order_put_result(struct weft_str *out, const struct order_result *res)
{
	put_number(out, res->tag);
	put_number(out, res->state);
	put_number(out, res->code);
	put_number(out, (uint64_t)(int64_t)res->exit_status);
	put_number(out, res->attempt);
	put_real(out, res->ended);
	put_text(out, res->cause ? res->cause : "");
	return out->failed ? -1 : 0;
}

bool order_get_result(const void *data, size_t n, struct order_result *res)
{
	struct reader r = reader_of(data, n);
	unsigned state, code;

	res->tag = get_number(&r);
	state = get_unsigned(&r);
	code = get_unsigned(&r);
	res->exit_status = get_int(&r);
	res->attempt = get_unsigned(&r);
	res->ended = get_real(&r);
	res->cause = get_text(&r);
	res->state = (enum weft_state)state;
	res->code = (enum weft_code)code;
	return whole(&r) && state <= WEFT_STATE_LOST && code <= WEFT_EINTR &&
	       res->cause;
}

char *order_context(const struct weft_engine *e)
{
	return weft_printf("weft agent 1 %s %s", e->run->dir, e->job);
}

/* JOB.agents/NODE, or for tasks of an array JOB.SHARD.agents/TASK-NODE. */
char *order_writer(const struct weft_engine *e, const char *node)
{
	const char *task = strchr(e->job, '_');

	if (!task)
		return weft_printf("%s.agents/%s", e->job, node);
	return weft_printf("%.*s.%lu.agents/%s-%s", (int)(task - e->job), e->job,
		strtoul(task + 1, NULL, 10) / 1000, task + 1, node);
}
