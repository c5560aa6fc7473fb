#include "base/base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct weft_str *b, size_t more)
{
	if (b->failed)
		return false;
	if (b->cap - b->len > more)
		return true;
	size_t want = b->cap ? b->cap : 64;
	while (want - b->len <= more) {
		if (want > SIZE_MAX / 2) {
			b->failed = true;
			return false;
		}
		want *= 2;
	}
	char *s = realloc(b->s, want);
	if (!s) {
		b->failed = true;
		return false;
	}
	b->s = s;
	b->cap = want;
	return true;
}

void weft_str_addn(struct weft_str *b, const char *s, size_t n)
{
	if (!reserve(b, n))
		return;
	if (n) /* s may be that of an empty one */
		memcpy(b->s + b->len, s, n);
	b->len += n;
	b->s[b->len] = '\0';
}

void weft_str_add(struct weft_str *b, const char *s)
{
	weft_str_addn(b, s, strlen(s));
}

void weft_str_addc(struct weft_str *b, char c)
{
	weft_str_addn(b, &c, 1);
}

void weft_str_vprintf(struct weft_str *b, const char *fmt, va_list ap)
{
	va_list again;

	/* Most of it is short: into what there is, once. */
	if (!reserve(b, 32))
		return;
	size_t spare = b->cap - b->len;
	va_copy(again, ap);
	int n = vsnprintf(b->s + b->len, spare, fmt, ap);
	if (n < 0)
		b->failed = true;
	else if ((size_t)n >= spare && reserve(b, (size_t)n))
		vsnprintf(b->s + b->len, (size_t)n + 1, fmt, again);
	if (b->failed)
		b->s[b->len] = '\0';
	else
		b->len += (size_t)n;
	va_end(again);
}

void weft_str_add_number(struct weft_str *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + v % 10);
	while (v /= 10);
	weft_str_addn(b, digits + at, sizeof(digits) - at);
}

void weft_str_printf(struct weft_str *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	weft_str_vprintf(b, fmt, ap);
	va_end(ap);
}

/* "if", "PATH=x": harmless letters, but not a word where a command begins. */
static bool means_more_as_first_word(const char *s)
{
	static const char *const reserved[] = {"case", "coproc", "do", "done", "elif",
		"else", "esac", "fi", "for", "function", "if", "in", "select", "then",
		"time", "until", "while"};
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "0123456789_");

	n += n && s[n] == '+';
	if (s[n] == '=' && !(*s >= '0' && *s <= '9'))
		return true;
	for (size_t i = 0; i < WEFT_COUNT(reserved); i++)
		if (weft_streq(s, reserved[i]))
			return true;
	return false;
}

void weft_str_add_shell_word(struct weft_str *b, const char *s)
{
	static const char harmless[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789_-+=./:,@%^";

	/* "=cmd" is zsh's for a path: the check for assignments quotes it, too. */
	if (*s && s[strspn(s, harmless)] == '\0' && !means_more_as_first_word(s)) {
		weft_str_add(b, s);
		return;
	}
	weft_str_addc(b, '\'');
	for (; *s; s++) {
		if (*s == '\'')
			weft_str_add(b, "'\\''");
		else
			weft_str_addc(b, *s);
	}
	weft_str_addc(b, '\'');
}

char *weft_str_take(struct weft_str *b)
{
	char *s = NULL;

	if (b->failed)
		free(b->s);
	else
		s = b->s ? b->s : strdup("");
	*b = (struct weft_str){0};
	return s;
}

void weft_str_free(struct weft_str *b)
{
	free(b->s);
	*b = (struct weft_str){0};
}

char *weft_printf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *s = weft_vprintf(fmt, ap);
	va_end(ap);
	return s;
}

char *weft_vprintf(const char *fmt, va_list ap)
{
	char *s = NULL;

	return vasprintf(&s, fmt, ap) < 0 ? NULL : s;
}

bool weft_starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool weft_parse_int(const char *s, int64_t min, int64_t max, int64_t *out)
{
	char *end;

	if (!(*s == '-' || (*s >= '0' && *s <= '9')))
		return false;
	errno = 0;
	long long v = strtoll(s, &end, 10);
	if (errno || *end || end == s || v < min || v > max)
		return false;
	*out = v;
	return true;
}

bool weft_utf8_valid(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s, *end = p + n;

	while (p < end) {
		unsigned c = *p++;
		unsigned more, min;

		if (c < 0x80)
			continue;
		if (c >= 0xc2 && c <= 0xdf) {
			more = 1, min = 0x80, c &= 0x1f;
		} else if ((c & 0xf0) == 0xe0) {
			more = 2, min = 0x800, c &= 0x0f;
		} else if (c >= 0xf0 && c <= 0xf4) {
			more = 3, min = 0x10000, c &= 0x07;
		} else {
			return false;
		}
		if ((size_t)(end - p) < more)
			return false;
		for (; more; more--, p++) {
			if ((*p & 0xc0) != 0x80)
				return false;
			c = c << 6 | (*p & 0x3f);
		}
		if (c < min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return false;
	}
	return true;
}

/* Edits (insert, delete, replace, swap of neighbours) between two words. */
static unsigned distance(const char *a, const char *b)
{
	enum { MAX = 64 };
	size_t na = strlen(a), nb = strlen(b);
	unsigned d[3][MAX + 1];

	if (na > MAX || nb > MAX)
		return 2 * MAX;
	for (unsigned j = 0; j <= nb; j++)
		d[0][j] = j;
	for (unsigned i = 1; i <= na; i++) {
		unsigned *row = d[i % 3], *up = d[(i - 1) % 3], *up2 = d[(i + 1) % 3];

		row[0] = i;
		for (unsigned j = 1; j <= nb; j++) {
			unsigned best = up[j - 1] + (a[i - 1] != b[j - 1]);
			if (up[j] + 1 < best)
				best = up[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
				a[i - 2] == b[j - 1] && up2[j - 2] + 1 < best)
				best = up2[j - 2] + 1;
			row[j] = best;
		}
	}
	return d[na % 3][nb];
}

const char *weft_nearest(const char *word, const char *const *words, size_t n)
{
	const char *best = NULL;
	size_t len = strlen(word);
	unsigned limit = len <= 3 ? 1 : len <= 7 ? 2 : 3;

	for (size_t i = 0; i < n; i++) {
		unsigned d = distance(word, words[i]);
		if (d <= limit && d < len) {
			limit = d ? d - 1 : 0;
			best = words[i];
			if (!d)
				break;
		}
	}
	return best;
}
