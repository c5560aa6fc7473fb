/* escape.c - names in the room's own text files: no blank, tab or newline in them */
#include "stage/room.h"

#include <string.h>

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : -1;
}

void stage_escape(struct weft_str *s, const char *name)
{
	static const char digit[] = "0123456789abcdef";

	for (const char *p = name; *p;) {
		size_t n = 0;

		while (p[n] > ' ' && p[n] != '%' && p[n] != 0x7f)
			n++;
		weft_str_addn(s, p, n);
		p += n;
		/* Bytes beyond ASCII stay as they are. */
		while ((unsigned char)*p >= 0x80)
			weft_str_addc(s, *p++);
		if (*p && (*p <= ' ' || *p == '%' || *p == 0x7f)) {
			weft_str_addc(s, '%');
			weft_str_addc(s, digit[(unsigned char)*p >> 4]);
			weft_str_addc(s, digit[*p & 15]);
			p++;
		}
	}
}

bool stage_unescape(char *s)
{
	char *to = s;

	for (; *s; s++, to++) {
		if (*s != '%') {
			*to = *s;
			continue;
		}
		if (hex(s[1]) < 0 || hex(s[2]) < 0)
			return false;
		*to = (char)(hex(s[1]) * 16 + hex(s[2]));
		if (!*to)
			return false;
		s += 2;
	}
	*to = '\0';
	return true;
}

#define HEX 17 /* digits of a number, and the blank */

static char *put_hex(char *to, uint64_t v)
{
	unsigned n = v ? 16 - (unsigned)__builtin_clzll(v) / 4 : 1;

	to[n] = ' ';
	for (unsigned i = n; i-- > 0; v >>= 4)
		to[i] = "0123456789abcdef"[v & 15];
	return to + n + 1;
}

void stage_write_hex(struct weft_str *s, uint64_t v)
{
	char buf[HEX];

	weft_str_addn(s, buf, (size_t)(put_hex(buf, v) - buf));
}

/* Signed seconds, as two's complement: times before 1970 are as good as others. */
void stage_write_id(struct weft_str *s, const struct stage_id *id)
{
	char buf[6 * HEX], *p = put_hex(buf, id->ino);

	p = put_hex(p, id->size);
	p = put_hex(p, (uint64_t)id->mtime.tv_sec);
	p = put_hex(p, (uint64_t)id->mtime.tv_nsec);
	p = put_hex(p, (uint64_t)id->ctime.tv_sec);
	p = put_hex(p, (uint64_t)id->ctime.tv_nsec);
	weft_str_addn(s, buf, (size_t)(p - buf));
}

bool stage_read_hex(char **at, uint64_t *v)
{
	char *p = *at;
	int d;

	for (*v = 0; (d = hex(*p)) >= 0; p++)
		*v = *v << 4 | (uint64_t)d;
	if (p == *at || p - *at > 16 || *p != ' ')
		return false;
	*at = p + 1;
	return true;
}

bool stage_read_id(char **at, struct stage_id *id)
{
	uint64_t v[6];

	for (size_t i = 0; i < WEFT_COUNT(v); i++)
		if (!stage_read_hex(at, &v[i]))
			return false;
	*id = (struct stage_id){
		v[0], v[1], {(time_t)v[2], (long)v[3]}, {(time_t)v[4], (long)v[5]}};
	return true;
}

/* "-": not known. */
void stage_write_sum(struct weft_str *s, const struct stage_sum *sum)
{
	char text[WEFT_DIGEST_HEX];

	weft_digest_hex(sum->b, text);
	weft_str_add(s, sum->known ? text : "-");
	weft_str_addc(s, ' ');
}

bool stage_read_sum(char **at, struct stage_sum *sum)
{
	char *p = *at;

	sum->known = *p != '-';
	if (!sum->known) {
		p++;
	} else {
		for (size_t i = 0; i < sizeof(sum->b); i++, p += 2) {
			if (hex(p[0]) < 0 || hex(p[1]) < 0)
				return false;
			sum->b[i] = (unsigned char)(hex(p[0]) * 16 + hex(p[1]));
		}
	}
	if (*p != ' ')
		return false;
	*at = p + 1;
	return true;
}
