#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/cluster.h"

#define MAX_NAME 255
#define MAX_DIGITS 18 /* fits a uint64_t */

/* The names so far, and the bound that a hostile range runs into. */
struct names {
	char **v;
	size_t n, cap, max;
};

static const char host_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				 "0123456789._-";

static int bad(struct weft_err *err, const char *list, const char *why)
{
	return weft_err_set(err, WEFT_ESPEC, "bad host list '%.80s%s': %s", list,
		strlen(list) > 80 ? "..." : "", why);
}

/* One "3" or "01-16" of a bracket; *p moves behind it. */
static const char *range(const char **p, uint64_t *lo, uint64_t *hi, int *width)
{
	size_t n = strspn(*p, "0123456789");

	if (!n || n > MAX_DIGITS)
		return n ? "a number of more than 18 digits" : "a number is missing";
	*lo = *hi = strtoull(*p, NULL, 10);
	*width = (int)n;
	*p += n;
	if (**p != '-')
		return NULL;
	++*p;
	n = strspn(*p, "0123456789");
	if (!n || n > MAX_DIGITS)
		return n ? "a number of more than 18 digits" : "a number is missing";
	*hi = strtoull(*p, NULL, 10);
	if (**p == '0' && n > 1 && (int)n != *width)
		return "the ends of a range are padded differently";
	*p += n;
	return *hi < *lo ? "a range that runs backwards" : NULL;
}

static int add(struct names *to, const char *list, const char *prefix, size_t len,
	struct weft_err *err)
{
	if (to->n >= to->max)
		return weft_err_set(err, WEFT_ESPEC,
			"bad host list '%.80s': more than %zu hosts", list, to->max);
	if (weft_grow(to->v, to->n, to->cap))
		return weft_err_nomem(err);
	to->v[to->n] = strndup(prefix, len);
	if (!to->v[to->n])
		return weft_err_nomem(err);
	to->n++;
	return 0;
}

/*
 * The rest of one element, s up to end, behind what buf holds already: brackets
 * multiply, the last one fastest.  Each level of recursion consumes a bracket of
 * a name of at most MAX_NAME bytes, and each leaf adds a name, so that depth and
 * work are bounded by MAX_NAME and max.
 */
static int element(struct names *to, const char *list, char *buf, size_t len,
	const char *s, const char *end, struct weft_err *err)
{
	const char *close;

	while (s < end && *s != '[') {
		if (len == MAX_NAME)
			return bad(err, list, "a name of more than 255 characters");
		if (!strchr(host_chars, *s))
			return bad(err, list, "a character that no host name has");
		buf[len++] = *s++;
	}
	if (s == end) {
		if (!len)
			return bad(err, list, "an empty name");
		return add(to, list, buf, len, err);
	}
	close = memchr(s, ']', (size_t)(end - s));
	if (!close)
		return bad(err, list, "'[' without ']'");
	for (s++;; s++) {
		uint64_t lo, hi;
		int width;
		const char *why = range(&s, &lo, &hi, &width);

		if (why)
			return bad(err, list, why);
		if (s != close && *s != ',')
			return bad(err, list, "only numbers stand in brackets");
		for (uint64_t i = lo; i <= hi; i++) {
			char number[MAX_DIGITS + 2];
			int n = snprintf(
				number, sizeof(number), "%0*" PRIu64, width, i);

			if (len + (size_t)n > MAX_NAME)
				return bad(err, list,
					"a name of more than 255 characters");
			memcpy(buf + len, number, (size_t)n);
			if (element(to, list, buf, len + (size_t)n, close + 1, end,
				    err))
				return -1;
		}
		if (s == close)
			return 0;
	}
}

/* Where the element that begins at s ends: at a comma outside of brackets. */
static const char *element_end(const char *s)
{
	bool inside = false;

	for (; *s && (inside || *s != ','); s++)
		if (*s == '[' || *s == ']')
			inside = *s == '[';
	return s;
}

int weft_hostlist_expand(
	const char *list, size_t max, char ***name, size_t *n, struct weft_err *err)
{
	struct names to = {.max = max};
	char buf[MAX_NAME + 1];

	*name = NULL;
	*n = 0;
	for (const char *s = list;; s++) {
		const char *end = element_end(s);

		if (element(&to, list, buf, 0, s, end, err)) {
			weft_hostlist_free(to.v, to.n);
			return -1;
		}
		s = end;
		if (!*s)
			break;
	}
	*name = to.v;
	*n = to.n;
	return 0;
}

void weft_hostlist_free(char **name, size_t n)
{
	for (size_t i = 0; name && i < n; i++)
		free(name[i]);
	free(name);
}

/* A name as prefix and trailing number; digits 0: no number that can be folded. */
struct split {
	size_t prefix, digits;
	uint64_t number;
};

static struct split split(const char *name)
{
	struct split s = {.prefix = strlen(name)};

	while (s.prefix && name[s.prefix - 1] >= '0' && name[s.prefix - 1] <= '9')
		s.prefix--;
	s.digits = strlen(name + s.prefix);
	if (s.digits > MAX_DIGITS)
		s = (struct split){.prefix = strlen(name)};
	if (s.digits)
		s.number = strtoull(name + s.prefix, NULL, 10);
	return s;
}

/* How many names from `name` on make one range: the next number as the range's
 * expansion would write it, behind the same prefix. */
static size_t run_length(const char *const *name, size_t n, const struct split *first)
{
	size_t i;

	for (i = 1; i < n; i++) {
		char want[MAX_DIGITS + 2];

		if (strncmp(name[i], name[0], first->prefix) != 0)
			break;
		snprintf(want, sizeof(want), "%0*" PRIu64, (int)first->digits,
			first->number + i);
		if (!weft_streq(name[i] + first->prefix, want))
			break;
	}
	return i;
}

static bool same_prefix(
	const char *a, const struct split *sa, const char *b, const struct split *sb)
{
	return sa->digits && sb->digits && sa->prefix == sb->prefix &&
	       memcmp(a, b, sa->prefix) == 0;
}

char *weft_hostlist_compress(const char *const *name, size_t n)
{
	struct weft_str out = {0};

	weft_str_add(&out, "");
	for (size_t i = 0; i < n;) {
		struct split first = split(name[i]);
		size_t run = first.digits ? run_length(name + i, n - i, &first) : 1;
		bool bracket = run > 1;

		/* Another range of the same prefix follows: one bracket for both. */
		if (i + run < n) {
			struct split next = split(name[i + run]);
			bracket |= same_prefix(name[i], &first, name[i + run], &next);
		}
		weft_str_add(&out, i ? "," : "");
		if (!bracket) {
			weft_str_add(&out, name[i++]);
			continue;
		}
		weft_str_addn(&out, name[i], first.prefix);
		weft_str_addc(&out, '[');
		for (const char *head = name[i];;) {
			struct split here = split(name[i]), next;

			run = run_length(name + i, n - i, &here);
			weft_str_add(&out, name[i] + here.prefix);
			if (run > 1)
				weft_str_printf(
					&out, "-%s", name[i + run - 1] + here.prefix);
			i += run;
			if (i == n)
				break;
			next = split(name[i]);
			if (!same_prefix(head, &first, name[i], &next))
				break;
			weft_str_addc(&out, ',');
		}
		weft_str_addc(&out, ']');
	}
	return weft_str_take(&out);
}

/* Source: sbatch(1), SLURM_JOB_CPUS_PER_NODE and SLURM_TASKS_PER_NODE. */
unsigned weft_hostlist_number(const char *list, size_t node)
{
	while (*list) {
		char *end;
		long number = strtol(list, &end, 10), times = 1;

		if (end == list || number < 1 || number > INT32_MAX)
			return 0;
		if (end[0] == '(' && end[1] == 'x') {
			times = strtol(end + 2, &end, 10);
			if (*end++ != ')' || times < 1)
				return 0;
		}
		if (node < (size_t)times)
			return (unsigned)number;
		node -= (size_t)times;
		if (*end && *end != ',')
			return 0;
		list = *end ? end + 1 : end;
	}
	return 0;
}
