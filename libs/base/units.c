#include "base/base.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DURATION_MAX INT64_C(100000000000) /* some 3,000 years */

static bool digits(const char **p, int64_t *v)
{
	const char *s = *p;

	if (*s < '0' || *s > '9')
		return false;
	*v = 0;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (*v > INT64_C(100000000000))
			return false;
		*v = *v * 10 + (*s - '0');
	}
	*p = s;
	return true;
}

static bool clock_time(const char *s, int64_t *seconds, const char **why)
{
	int64_t v[3], days = 0;
	const char *dash = strchr(s, '-');

	if (dash && (!digits(&s, &days) || s++ != dash)) {
		*why = "days are a whole number: D-HH:MM:SS";
		return false;
	}
	for (int i = 0; i < 3; i++) {
		if (!digits(&s, &v[i])) {
			*why = "a time is HH:MM:SS or D-HH:MM:SS";
			return false;
		}
		if (i < 2 && *s++ != ':') {
			*why = i == 0 ? "a time is HH:MM:SS or D-HH:MM:SS"
				      : "MM:SS and HH:MM look alike: write HH:MM:SS, "
					"or 90s, 15m, 2h";
			return false;
		}
	}
	if (*s || v[1] > 59 || v[2] > 59 || (dash && v[0] > 23)) {
		*why = "a time is HH:MM:SS or D-HH:MM:SS, minutes and seconds below 60";
		return false;
	}
	int64_t sum = days * 86400 + v[0] * 3600 + v[1] * 60 + v[2];
	if (sum > DURATION_MAX) {
		*why = "too long";
		return false;
	}
	*seconds = sum;
	return true;
}

/* The number in front of a unit: decimal, with a fraction perhaps. */
static bool number(const char *s, const char **end, double *v)
{
	size_t n = strspn(s, "0123456789");
	size_t f = s[n] == '.' ? strspn(s + n + 1, "0123456789") : 0;

	if (!n || (s[n] == '.' && !f) || n > 18)
		return false;
	*end = s + n + (f ? f + 1 : 0);
	*v = strtod(s, NULL);
	return true;
}

bool weft_parse_duration(const char *s, int64_t *seconds, const char **why)
{
	const char *end, *none;
	double v;

	if (!why)
		why = &none;
	if (strchr(s, ':'))
		return clock_time(s, seconds, why);
	if (!number(s, &end, &v)) {
		*why = "a duration is a number with a unit (90s, 15m, 2h, 1d) or "
		       "HH:MM:SS";
		return false;
	}
	if (!*end) {
		*why = "a duration needs a unit: 90s, 15m, 2h, 1d";
		return false;
	}
	double unit = *end == 's'   ? 1
		      : *end == 'm' ? 60
		      : *end == 'h' ? 3600
		      : *end == 'd' ? 86400
				    : 0;
	if (!unit || end[1]) {
		*why = "the units of a duration are s, m, h, d";
		return false;
	}
	v *= unit;
	if (v > DURATION_MAX) {
		*why = "too long";
		return false;
	}
	*seconds = (int64_t)ceil(v);
	return true;
}

bool weft_parse_size(const char *s, uint64_t *bytes, const char **why)
{
	static const char units[] = "KMGTPE";
	const char *end, *none, *u;
	double v;

	if (!why)
		why = &none;
	if (!number(s, &end, &v)) {
		*why = "a size is a number with a unit: 512M, 4G, 1.5T";
		return false;
	}
	if (*end) {
		char c = *end >= 'a' && *end <= 'z' ? (char)(*end - 32) : *end;

		u = c ? strchr(units, c) : NULL;
		if (!u || end[1]) {
			*why = "the units of a size are K, M, G, T, P (powers of 1024)";
			return false;
		}
		for (const char *p = units; p <= u; p++)
			v *= 1024;
	}
	if (v >= 9.2e18) {
		*why = "too large";
		return false;
	}
	*bytes = (uint64_t)ceil(v);
	return true;
}

char *weft_format_duration(char *buf, int64_t seconds)
{
	if (seconds < 0)
		seconds = 0;
	if (seconds >= 86400)
		snprintf(buf, WEFT_UNIT_MAX, "%lld-%02d:%02d:%02d",
			(long long)(seconds / 86400), (int)(seconds / 3600 % 24),
			(int)(seconds / 60 % 60), (int)(seconds % 60));
	else
		snprintf(buf, WEFT_UNIT_MAX, "%02d:%02d:%02d", (int)(seconds / 3600),
			(int)(seconds / 60 % 60), (int)(seconds % 60));
	return buf;
}

char *weft_format_size(char *buf, uint64_t bytes)
{
	static const char units[] = " KMGTPE";
	double v = (double)bytes;
	int u = 0;

	for (; v >= 1023.95 && u < 6; u++)
		v /= 1024;
	if (u == 0)
		snprintf(buf, WEFT_UNIT_MAX, "%llu", (unsigned long long)bytes);
	else if (fabs(v - round(v)) < 0.05)
		snprintf(buf, WEFT_UNIT_MAX, "%.0f%c", v, units[u]);
	else
		snprintf(buf, WEFT_UNIT_MAX, "%.1f%c", v, units[u]);
	return buf;
}
