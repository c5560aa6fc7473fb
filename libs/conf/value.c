/* value.c - the kinds of values: read strictly, printed as the file would say them */
#include <stdlib.h>
#include <string.h>

#include "value.h"

static const char *const yes_no[] = {"yes", "no", NULL};
static const char *const auto_none[] = {"auto", "none", NULL};

int conf_dup(char **to, const char *value, struct weft_err *err)
{
	char *copy = strdup(value);

	if (!copy)
		return weft_err_nomem(err);
	free(*to);
	*to = copy;
	return 0;
}

void conf_names_free(struct weft_conf_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->v[i]);
	free(names->v);
	*names = (struct weft_conf_names){0};
}

size_t value_size(const struct key *k)
{
	switch (k->kind) {
	case KIND_YESNO:
	case KIND_BIND:
		return sizeof(bool);
	case KIND_TEXT:
	case KIND_ABSOLUTE:
	case KIND_RUN_DIR:
	case KIND_MPI:
	case KIND_RESERVE:
	case KIND_WORD:
		return sizeof(char *);
	case KIND_WORD_OF:
	case KIND_CHOICE:
	case KIND_NUMBER:
	case KIND_COUNT:
	case KIND_PERCENT:
		return sizeof(unsigned);
	case KIND_DURATION:
	case KIND_LIMIT_TIME:
		return sizeof(int64_t);
	case KIND_SIZE:
	case KIND_LIMIT:
		return sizeof(uint64_t);
	case KIND_LIMIT_HOURS:
		return sizeof(double);
	case KIND_NAMES:
	case KIND_NAMES_OR_NONE:
	case KIND_ROOTS:
		return sizeof(struct weft_conf_names);
	}
	return 0;
}

/* Number of the word, or -1 with the words there are. */
static int word_of(const char *name, const char *const *word, const char *value,
	struct weft_err *err)
{
	weft_autostr struct weft_str all = {0};

	for (int i = 0; word[i]; i++) {
		if (weft_streq(word[i], value))
			return i;
		weft_str_printf(&all, "%s%s",
			i == 0        ? ""
			: word[i + 1] ? ", "
				      : " or ",
			word[i]);
	}
	if (all.failed)
		return weft_err_nomem(err);
	return weft_err_set(err, WEFT_ECONF, "%s is %s, not '%s'", name, all.s, value);
}

static int set_bool(const struct key *k, const char *const *word, bool *to,
	const char *value, struct weft_err *err)
{
	int i = word_of(k->name, word, value, err);

	if (i < 0)
		return -1;
	*to = i == 0;
	return 0;
}

static int set_choice(const struct key *k, unsigned from, unsigned *to,
	const char *value, struct weft_err *err)
{
	int i = word_of(k->name, k->word, value, err);

	if (i < 0)
		return -1;
	*to = from + (unsigned)i;
	return 0;
}

/* ".." is refused: root makes and removes folders below some of these paths. */
static bool has_dotdot(const char *path)
{
	for (const char *p = path; (p = strstr(p, "..")); p += 2)
		if ((p == path || p[-1] == '/') && (p[2] == '\0' || p[2] == '/'))
			return true;
	return false;
}

static int set_path(const struct key *k, bool absolute, char **to, const char *value,
	struct weft_err *err)
{
	if (absolute && value[0] != '/')
		return weft_err_set(err, WEFT_ECONF, "%s is an absolute path, not '%s'",
			k->name, value);
	if (has_dotdot(value))
		return weft_err_set(
			err, WEFT_ECONF, "%s: '..' in '%s'", k->name, value);
	if (conf_dup(to, value, err))
		return -1;
	/* Compared and printed as written once: no slash at the end. */
	for (size_t n = strlen(*to); n > 1 && (*to)[n - 1] == '/'; n--)
		(*to)[n - 1] = '\0';
	return 0;
}

static bool is_word(const char *value)
{
	return value[0] != '-' && !strpbrk(value, " \t\"'\\;$`");
}

static int set_word(
	const struct key *k, char **to, const char *value, struct weft_err *err)
{
	if (!is_word(value))
		return weft_err_set(
			err, WEFT_ECONF, "%s: bad value '%s'", k->name, value);
	return conf_dup(to, value, err);
}

static int set_mpi(char **to, const char *value, struct weft_err *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

	if (value[strspn(value, allowed)])
		return weft_err_set(err, WEFT_ECONF,
			"mpi is a type that 'srun --mpi=list' names, not '%s'", value);
	if (weft_streq(value, "none")) {
		weft_err_set(err, WEFT_ECONF,
			"mpi = none starts every task as a rank 0 of its own");
		return weft_err_hint(err, "use a type that 'srun --mpi=list' names, or "
					  "leave mpi out to have weft probe");
	}
	return conf_dup(to, value, err);
}

/* The items that topo knows; what they are on a machine is topo's to say. */
static bool is_reserve(const char *s)
{
	static const char *const kinds[] = {
		"l3:", "numa:", "package:", "first:", "last:"};

	if (weft_streq(s, "none"))
		return true;
	for (;; s++) {
		const char *digits = "0123456789-";

		for (size_t i = 0; i < WEFT_COUNT(kinds); i++)
			if (weft_starts_with(s, kinds[i])) {
				s += strlen(kinds[i]);
				digits = "0123456789";
				break;
			}
		size_t n = strspn(s, digits);
		if (!n || (s[n] && s[n] != ','))
			return false;
		s += n;
		if (!*s)
			return true;
	}
}

static int set_reserve(char **to, const char *value, struct weft_err *err)
{
	if (is_reserve(value))
		return conf_dup(to, value, err);
	weft_err_set(err, WEFT_ECONF, "reserve: bad value '%s'", value);
	return weft_err_hint(err, "l3:N, numa:N, package:N, first:N, last:N, CPUs like "
				  "0,8-9, with commas between; none");
}

static int set_duration(
	const struct key *k, int64_t *to, const char *value, struct weft_err *err)
{
	const char *why = NULL;

	if (!weft_parse_duration(value, to, &why))
		return weft_err_set(err, WEFT_ECONF, "%s: bad duration '%s': %s",
			k->name, value, why);
	if (*to <= 0)
		return weft_err_set(err, WEFT_ECONF, "%s must be more than 0", k->name);
	return 0;
}

static int set_size(
	const struct key *k, uint64_t *to, const char *value, struct weft_err *err)
{
	const char *why = NULL;

	if (!weft_parse_size(value, to, &why))
		return weft_err_set(
			err, WEFT_ECONF, "%s: bad size '%s': %s", k->name, value, why);
	if (*to == 0)
		return weft_err_set(err, WEFT_ECONF, "%s must be more than 0", k->name);
	return 0;
}

static int set_number(const struct key *k, int64_t min, int64_t max, unsigned *to,
	const char *value, struct weft_err *err)
{
	int64_t v;

	if (!weft_parse_int(value, min, max, &v))
		return weft_err_set(err, WEFT_ECONF,
			"%s is a whole number from %jd to %jd, not '%s'", k->name,
			(intmax_t)min, (intmax_t)max, value);
	*to = (unsigned)v;
	return 0;
}

static int set_percent(
	const struct key *k, unsigned *to, const char *value, struct weft_err *err)
{
	weft_autofree char *copy = strdup(value);
	int64_t v;

	if (!copy)
		return weft_err_nomem(err);
	copy[strcspn(copy, "%")] = '\0';
	if ((value[strlen(copy)] && value[strlen(copy) + 1]) ||
		!weft_parse_int(copy, 0, 100, &v))
		return weft_err_set(err, WEFT_ECONF,
			"%s is a share from 0%% to 100%%, not '%s'", k->name, value);
	*to = (unsigned)v;
	return 0;
}

static int set_limit(
	const struct key *k, uint64_t *to, const char *value, struct weft_err *err)
{
	int64_t v;

	if (!weft_parse_int(value, 1, INT64_C(1) << 40, &v))
		return weft_err_set(err, WEFT_ECONF,
			"%s is a whole number from 1, or none, not '%s'", k->name,
			value);
	*to = (uint64_t)v;
	return 0;
}

static int set_hours(
	const struct key *k, double *to, const char *value, struct weft_err *err)
{
	char *end;
	double v = strtod(value, &end);

	if (value[strspn(value, "0123456789.")] || *end || !(v > 0) || v > 1e12)
		return weft_err_set(err, WEFT_ECONF,
			"%s is a number of hours above 0 (1000, 0.5), or none, not "
			"'%s'",
			k->name, value);
	*to = v;
	return 0;
}

static int add_name(
	const struct key *k, struct weft_conf_names *to, char *w, struct weft_err *err)
{
	size_t cap = to->n; /* lists are short */
	char *own = NULL;

	if (k->kind == KIND_ROOTS) {
		w += strspn(w, " \t");
		for (size_t n = strlen(w); n && strchr(" \t", w[n - 1]);)
			w[--n] = '\0';
		if (set_path(k, true, &own, w, err))
			return -1;
	} else if (!is_word(w)) {
		return weft_err_set(err, WEFT_ECONF, "%s: bad name '%s'", k->name, w);
	} else if (conf_dup(&own, w, err)) {
		return -1;
	}
	if (weft_grow(to->v, to->n, cap)) {
		free(own);
		return weft_err_nomem(err);
	}
	to->v[to->n++] = own;
	return 0;
}

static int set_names(const struct key *k, struct weft_conf_names *to, const char *value,
	struct weft_err *err)
{
	weft_autofree char *copy = strdup(value);
	const char *between = k->kind == KIND_ROOTS ? "," : ", \t";
	char *save = NULL;

	if (!copy)
		return weft_err_nomem(err);
	conf_names_free(to);
	for (char *w = strtok_r(copy, between, &save); w;
		w = strtok_r(NULL, between, &save))
		if (add_name(k, to, w, err))
			return -1;
	if (!to->n)
		return weft_err_set(err, WEFT_ECONF, "%s names nothing", k->name);
	return 0;
}

/* "none" lifts a limit: the zero that is there. */
static bool is_none(const struct key *k, const char *value)
{
	return k->kind >= KIND_LIMIT && weft_streq(value, "none");
}

int value_set(const struct key *k, void *at, const char *value, struct weft_err *err)
{
	if (is_none(k, value))
		return 0;
	switch (k->kind) {
	case KIND_YESNO:
		return set_bool(k, yes_no, at, value, err);
	case KIND_BIND:
		return set_bool(k, auto_none, at, value, err);
	case KIND_TEXT:
		return conf_dup(at, value, err);
	case KIND_ABSOLUTE:
		return set_path(k, true, at, value, err);
	case KIND_RUN_DIR:
		return set_path(k, false, at, value, err);
	case KIND_RESERVE:
		return set_reserve(at, value, err);
	case KIND_MPI:
		return set_mpi(at, value, err);
	case KIND_WORD:
		return set_word(k, at, value, err);
	case KIND_WORD_OF:
		return set_choice(k, 0, at, value, err);
	case KIND_CHOICE:
		return set_choice(k, 1, at, value, err);
	case KIND_DURATION:
	case KIND_LIMIT_TIME:
		return set_duration(k, at, value, err);
	case KIND_SIZE:
		return set_size(k, at, value, err);
	case KIND_NUMBER:
		return set_number(k, 0, 1000000, at, value, err);
	case KIND_COUNT:
		return set_number(k, 1, 1000000, at, value, err);
	case KIND_PERCENT:
		return set_percent(k, at, value, err);
	case KIND_LIMIT:
		return set_limit(k, at, value, err);
	case KIND_LIMIT_HOURS:
		return set_hours(k, at, value, err);
	case KIND_NAMES:
	case KIND_NAMES_OR_NONE:
	case KIND_ROOTS:
		return set_names(k, at, value, err);
	}
	return -1;
}

/* Exactly: in the largest unit that it is a multiple of. */
static void print_size(struct weft_str *out, uint64_t bytes)
{
	static const char *const unit[] = {"", "K", "M", "G", "T"};
	size_t i = 0;

	for (; i + 1 < WEFT_COUNT(unit) && bytes % 1024 == 0; i++)
		bytes /= 1024;
	weft_str_printf(out, "%ju%s", (uintmax_t)bytes, unit[i]);
}

void value_print(const struct key *k, const void *at, struct weft_str *out)
{
	const struct weft_conf_names *names = at;
	char buf[WEFT_UNIT_MAX];

	switch (k->kind) {
	case KIND_YESNO:
		weft_str_add(out, yes_no[!*(const bool *)at]);
		break;
	case KIND_BIND:
		weft_str_add(out, auto_none[!*(const bool *)at]);
		break;
	case KIND_TEXT:
	case KIND_ABSOLUTE:
	case KIND_RUN_DIR:
	case KIND_MPI:
	case KIND_RESERVE:
	case KIND_WORD:
		if (*(char *const *)at)
			weft_str_add(out, *(char *const *)at);
		break;
	case KIND_WORD_OF:
		weft_str_add(out, k->word[*(const unsigned *)at]);
		break;
	case KIND_CHOICE:
		if (*(const unsigned *)at)
			weft_str_add(out, k->word[*(const unsigned *)at - 1]);
		break;
	case KIND_DURATION:
	case KIND_LIMIT_TIME:
		if (*(const int64_t *)at)
			weft_str_add(
				out, weft_format_duration(buf, *(const int64_t *)at));
		break;
	case KIND_SIZE:
		if (*(const uint64_t *)at)
			print_size(out, *(const uint64_t *)at);
		break;
	case KIND_NUMBER:
	case KIND_COUNT:
		weft_str_printf(out, "%u", *(const unsigned *)at);
		break;
	case KIND_PERCENT:
		weft_str_printf(out, "%u%%", *(const unsigned *)at);
		break;
	case KIND_LIMIT:
		if (*(const uint64_t *)at)
			weft_str_printf(out, "%ju", (uintmax_t) * (const uint64_t *)at);
		break;
	case KIND_LIMIT_HOURS:
		if (*(const double *)at > 0)
			weft_str_printf(out, "%.10g", *(const double *)at);
		break;
	case KIND_NAMES:
	case KIND_NAMES_OR_NONE:
	case KIND_ROOTS:
		for (size_t i = 0; i < names->n; i++)
			weft_str_printf(out, "%s%s", i ? ", " : "", names->v[i]);
		break;
	}
	/* Said to be none: not the same as not said, which isn't printed so. */
	if (!out->len && k->kind >= KIND_LIMIT)
		weft_str_add(out, "none");
}
