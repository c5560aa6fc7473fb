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
		ok = p->gpus_all = weft_streq(value, "all");
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
