/* bind_request.c - what `weft bind` is asked to place */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bind_command.h"

static bool number(const char *value, int64_t min, int64_t max, unsigned *out)
{
	int64_t v;

	if (!weft_parse_int(value, min, max, &v))
		return false;
	*out = (unsigned)v;
	return true;
}

static bool fraction(const char *value, double *out)
{
	char *end;
	double v = strtod(value, &end);

	if (!*value || *end || !isfinite(v) || v < 0 || v > WEFT_MAX_DEVICES)
		return false;
	*out = v;
	return true;
}

static bool word(const char *value, const char *const *words, int n, int *out)
{
	for (int i = 0; i < n; i++)
		if (weft_streq(value, words[i])) {
			*out = i;
			return true;
		}
	return false;
}

static bool text(const char *value, char *out, size_t size)
{
	return *value && (size_t)snprintf(out, size, "%s", value) < size;
}

int bind_set(
	struct bind_step *s, const char *key, const char *value, struct weft_err *err)
{
	static const char *const cpus[] = {"near_gpu", "spread", "compact"};
	static const char *const memory[] = {"local", "interleave", "none"};
	static const char *const balance[] = {"cores", "even"};
	struct weft_place_step *p = &s->place;
	bool ok = false;
	int i = 0;

	if (weft_streq(key, "name")) {
		ok = text(value, s->name, sizeof(s->name));
	} else if (weft_streq(key, "beside")) {
		ok = text(value, s->beside, sizeof(s->beside));
	} else if (weft_streq(key, "ntasks")) {
		ok = number(value, 1, 16384, &p->ntasks);
	} else if (weft_streq(key, "cpus_per_task")) {
		ok = number(value, 1, WEFT_MAX_CPUS, &p->cpus_per_task);
	} else if (weft_streq(key, "gpus_per_task")) {
		ok = fraction(value, &p->gpus_per_task);
	} else if (weft_streq(key, "gpus")) {
		p->gpus = 0;
		ok = weft_streq(value, "all") ||
		     number(value, 1, WEFT_MAX_DEVICES, &p->gpus);
		p->gpus_all = ok;
	} else if (weft_streq(key, "cpus")) {
		ok = word(value, cpus, 3, &i);
		p->cpus = (enum weft_place_cpus)i;
	} else if (weft_streq(key, "memory")) {
		ok = word(value, memory, 3, &i);
		p->memory = (enum weft_place_memory)i;
	} else if (weft_streq(key, "balance")) {
		ok = word(value, balance, 2, &i);
		p->balance_even = i == 1;
	} else if (weft_streq(key, "smt")) {
		p->smt = 0;
		ok = weft_streq(value, "all") || number(value, 1, 64, &p->smt);
	} else if (weft_streq(key, "mem_per_task")) {
		const char *why;
		ok = weft_parse_size(value, &p->mem_per_task, &why);
	} else if (weft_streq(key, "spare_cores")) {
		ok = number(value, 0, WEFT_MAX_CPUS, &p->spare_cores);
	} else {
		return weft_err_set(err, WEFT_EUSAGE, "no field '%s' of a step", key);
	}
	if (!ok)
		return weft_err_set(
			err, WEFT_EUSAGE, "%s: '%s' is not a value for it", key, value);
	return 0;
}

int bind_parse_step(const char *list, struct bind_step *s, struct weft_err *err)
{
	weft_autofree char *copy = strdup(list);
	char *save = NULL;

	*s = (struct bind_step){.place.ntasks = 1};
	if (!copy)
		return weft_err_nomem(err);
	for (char *f = strtok_r(copy, ",", &save); f; f = strtok_r(NULL, ",", &save)) {
		char *value = strchr(f, '=');

		if (!value)
			return weft_err_set(
				err, WEFT_EUSAGE, "'%s': write KEY=VALUE,...", f);
		*value++ = '\0';
		if (bind_set(s, f, value, err))
			return -1;
	}
	return 0;
}

int bind_parse_talk(const char *text, struct bind_talk *t, struct weft_err *err)
{
	size_t one = strcspn(text, ":"), other = one;
	const char *why;

	*t = (struct bind_talk){0};
	if (text[one])
		other = strcspn(text + one + 1, "=");
	if (!text[one] || !one || one >= sizeof(t->one) || !other ||
		other >= sizeof(t->other) || !text[one + 1 + other] ||
		!weft_parse_size(text + one + 1 + other + 1, &t->bytes, &why))
		return weft_err_set(err, WEFT_EUSAGE,
			"--talk: '%s' is not STEP:STEP=BYTES, like sim:infer=4G", text);
	memcpy(t->one, text, one);
	memcpy(t->other, text + one + 1, other);
	return 0;
}

static int find_step(const struct bind_request *r, const char *name)
{
	for (size_t i = 0; i < r->n_steps; i++)
		if (weft_streq(name, r->step[i].name))
			return (int)i;
	return -1;
}

static int add_talk(struct bind_request *r, int one, int other, uint64_t bytes,
	struct weft_err *err)
{
	struct weft_place_step *s = &r->step[one].place;

	if (s->n_talks == WEFT_PLACE_MAX_TALKS)
		return weft_err_set(err, WEFT_EUSAGE,
			"a step exchanges data with more than %d others",
			WEFT_PLACE_MAX_TALKS);
	s->talk[s->n_talks++] =
		(struct weft_place_talk){.step = (unsigned)other, .bytes = bytes};
	return 0;
}

int bind_find_talks(struct bind_request *r, struct weft_err *err)
{
	for (size_t i = 0; i < r->n_steps; i++) {
		const char *name = r->step[i].beside;
		int other = *name ? find_step(r, name) : (int)i;
		if (other < 0 || (*name && other == (int)i))
			return weft_err_set(err, WEFT_EUSAGE,
				"beside=%s: no other step has that name", name);
		if (*name && add_talk(r, (int)i, other, 0, err))
			return -1;
	}
	for (size_t i = 0; i < r->n_talks; i++) {
		const struct bind_talk *t = &r->talk[i];
		int one = find_step(r, t->one), other = find_step(r, t->other);
		if (one < 0 || other < 0 || one == other)
			return weft_err_set(err, WEFT_EUSAGE,
				"--talk %s:%s: two steps with these names are needed",
				t->one, t->other);
		/* Every task of the step with more of them has a partner. */
		bool turned = r->step[one].place.ntasks < r->step[other].place.ntasks;
		if (add_talk(r, turned ? other : one, turned ? one : other, t->bytes,
			    err))
			return -1;
	}
	return 0;
}
