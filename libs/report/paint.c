/* paint.c - colours and safe text. */
#include "report/paint.h"

#include <jansson.h>
#include <string.h>

static const char *const codes[] = {
	[PAINT_BOLD] = "1",
	[PAINT_DIM] = "2",
	[PAINT_RED] = "1;31",
	[PAINT_GREEN] = "32",
	[PAINT_YELLOW] = "33",
	[PAINT_CYAN] = "36",
};

/* Bytes of the character at s: 1 for a byte that begins none. */
static size_t char_bytes(const char *s)
{
	unsigned char c = (unsigned char)*s;
	size_t n = c >= 0xf0 && c < 0xf8 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 1;

	if (c >= 0xf8)
		n = 1;
	for (size_t i = 1; i < n; i++)
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return 1;
	return n;
}

static bool combines(const char *s, size_t n)
{
	unsigned char a = (unsigned char)s[0], b = n > 1 ? (unsigned char)s[1] : 0;

	/* U+0300 to U+036F */
	return n == 2 && (a == 0xcc || (a == 0xcd && b <= 0xaf));
}

/* How many of the next bytes are printable ASCII: nearly all are, and in large tables
 * looking at each character by itself takes most of the time. */
static size_t plain_run(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n] >= ' ' && s[n] <= '~')
		n++;
	return n;
}

size_t paint_prefix(const char *s, size_t columns, size_t *got)
{
	size_t bytes = 0, width = 0;

	while (s[bytes]) {
		size_t run = plain_run(s + bytes, columns - width);

		bytes += run;
		width += run;
		if (!s[bytes])
			break;
		size_t n = char_bytes(s + bytes);
		size_t w = combines(s + bytes, n) ? 0 : 1;

		if (width + w > columns)
			break;
		bytes += n;
		width += w;
	}
	if (got)
		*got = width;
	return bytes;
}

size_t paint_width(const char *s)
{
	size_t width;

	paint_prefix(s, SIZE_MAX, &width);
	return width;
}

void paint_addn(struct weft_str *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n && s[i];) {
		size_t run = plain_run(s + i, n - i);

		if (run) {
			weft_str_addn(out, s + i, run);
			i += run;
			continue;
		}
		unsigned char c = (unsigned char)s[i];
		size_t k = char_bytes(s + i);

		/* U+0080 to U+009F are controls as well. */
		if (c < 0x20 || c == 0x7f || (k == 1 && c >= 0x80) ||
			(k == 2 && c == 0xc2 && (unsigned char)s[i + 1] < 0xa0))
			weft_str_addc(out, '?');
		else
			weft_str_addn(out, s + i, k);
		i += k;
	}
}

void paint_add(struct weft_str *out, const char *s)
{
	paint_addn(out, s, strlen(s));
}

void paint_color(struct weft_str *out, const struct weft_style *st, enum paint color,
	const char *s)
{
	if (st->color)
		weft_str_printf(out, "\033[%sm", codes[color]);
	paint_add(out, s);
	if (st->color)
		weft_str_add(out, "\033[0m");
}

void paint_pad(struct weft_str *out, size_t n, char c)
{
	char some[64];

	memset(some, c, sizeof(some));
	for (size_t k; n > 0; n -= k) {
		k = n < sizeof(some) ? n : sizeof(some);
		weft_str_addn(out, some, k);
	}
}

struct json_t *paint_json(const char *s)
{
	weft_autostr struct weft_str clean = {0};

	if (!s)
		return json_null();
	if (weft_utf8_valid(s, strlen(s)))
		return json_string(s);
	paint_add(&clean, s);
	return json_string(clean.s ? clean.s : "");
}

int weft_report_json(struct json_t *root, size_t flags, struct weft_str *out)
{
	weft_autofree char *text = root ? json_dumps(root, flags) : NULL;

	json_decref(root);
	if (text)
		weft_str_printf(out, "%s\n", text);
	else
		out->failed = true;
	return out->failed ? -1 : 0;
}

void weft_report_text(struct weft_str *out, const char *s)
{
	paint_add(out, s);
}

struct json_t *weft_report_json_text(const char *s)
{
	return paint_json(s);
}

const char *paint_seconds(struct weft_arena *a, double v)
{
	char buf[WEFT_UNIT_MAX];

	if (v < 0)
		return "?";
	if (v < 0.5)
		return "0";
	return weft_arena_strdup(a, weft_format_duration(buf, (int64_t)(v + 0.5)));
}

const char *paint_gpus(char buf[WEFT_UNIT_MAX], const struct weft_plan_step *s)
{
	unsigned sharers = weft_plan_step_sharers(s);

	if (sharers > 1)
		snprintf(buf, WEFT_UNIT_MAX, "%.3g", 1.0 / sharers);
	else
		snprintf(buf, WEFT_UNIT_MAX, "%u", s->gpus);
	return buf;
}
