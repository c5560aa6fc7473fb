/* cpuset - sets of CPUs by the kernel's numbers, and the "0-3,8" notation. */
#include "topo/topo.h"

unsigned weft_cpuset_count(const struct weft_cpuset *s)
{
	unsigned n = 0;
	for (size_t i = 0; i < WEFT_CPU_WORDS; i++)
		n += (unsigned)__builtin_popcountll(s->w[i]);
	return n;
}

int weft_cpuset_next(const struct weft_cpuset *s, int from)
{
	if (from < 0)
		from = 0;
	for (size_t i = (size_t)from / 64; i < WEFT_CPU_WORDS; i++) {
		uint64_t w = s->w[i];
		if (i == (size_t)from / 64)
			w &= ~UINT64_C(0) << (from % 64);
		if (w)
			return (int)(i * 64) + __builtin_ctzll(w);
	}
	return -1;
}

bool weft_cpuset_meets(const struct weft_cpuset *a, const struct weft_cpuset *b)
{
	for (size_t i = 0; i < WEFT_CPU_WORDS; i++)
		if (a->w[i] & b->w[i])
			return true;
	return false;
}

/* A CPU's number at *p, at most WEFT_MAX_CPUS - 1; moves *p behind it. */
static bool number(const char **p, unsigned *out)
{
	unsigned v = 0;
	const char *s = *p;
	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++) {
		v = v * 10 + (unsigned)(*s - '0');
		if (v >= WEFT_MAX_CPUS)
			return false;
	}
	*p = s;
	*out = v;
	return true;
}

bool weft_cpuset_parse(const char *list, struct weft_cpuset *s)
{
	struct weft_cpuset set = {0};
	const char *p = list;

	while (*p) {
		unsigned a, b;
		if (!number(&p, &a))
			return false;
		b = a;
		if (*p == '-') {
			p++;
			if (!number(&p, &b) || b < a)
				return false;
		}
		for (unsigned c = a; c <= b; c++)
			weft_cpuset_add(&set, c);
		if (*p == ',' && p[1])
			p++;
		else if (*p)
			return false;
	}
	*s = set;
	return true;
}

bool weft_cpuset_print(const struct weft_cpuset *s, char *buf, size_t size)
{
	size_t len = 0;

	if (!size)
		return false;
	buf[0] = '\0';
	for (int a = weft_cpuset_next(s, 0); a >= 0;) {
		int b = a;
		while (weft_cpuset_has(s, (unsigned)b + 1))
			b++;
		const char *sep = len ? "," : "";
		int n = b == a ? snprintf(buf + len, size - len, "%s%d", sep, a)
			       : snprintf(buf + len, size - len, "%s%d-%d", sep, a, b);
		if (n < 0 || (size_t)n >= size - len) {
			buf[len] = '\0';
			return false;
		}
		len += (size_t)n;
		a = weft_cpuset_next(s, b + 1);
	}
	return true;
}
