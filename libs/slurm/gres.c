#include <stdlib.h>
#include <string.h>

#include "gres.h"

#define MAX_ARRAY_TASKS 1000000

struct gres {
	char type[64];
	unsigned count;
};

/* The next comma that isn't inside parentheses, or the end. */
static const char *item_end(const char *s)
{
	int depth = 0;

	for (; *s && (depth || *s != ','); s++)
		depth += (*s == '(') - (*s == ')' && depth > 0);
	return s;
}

/* "gpu", "gpu:2", "gpu:a100", "gpu:a100:2", each with "(...)" behind; a type that
 * is not set may be written "(null)". */
static bool parse_gpu(const char *s, const char *end, struct gres *g)
{
	char text[128], *part[3], *save = NULL;
	size_t n = (size_t)(end - s), parts = 0;
	char *open;
	int64_t v = 1;

	if (n >= sizeof(text))
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	*g = (struct gres){.count = 1};
	open = strstr(text, ":(null):");
	if (open)
		memmove(open, open + 7, strlen(open + 7) + 1);
	text[strcspn(text, "(")] = '\0';
	for (char *p = strtok_r(text, ":", &save); p && parts < 3;
		p = strtok_r(NULL, ":", &save))
		part[parts++] = p;
	if (!parts || !weft_streq(part[0], "gpu"))
		return false;
	if (parts == 1)
		return true;
	if (weft_parse_int(part[parts - 1], 0, 100000, &v))
		parts--;
	else if (parts == 3)
		return false;
	if (parts == 2)
		snprintf(g->type, sizeof(g->type), "%s", part[1]);
	g->count = (unsigned)v;
	return true;
}

static struct weft_gpus *find_type(struct weft_node *n, const char *type)
{
	for (size_t i = 0; i < n->n_gpu_types; i++)
		if (weft_streq(n->gpus[i].type, type))
			return &n->gpus[i];
	return NULL;
}

int slurm_gres_have(struct weft_node *n, const char *gres, struct weft_arena *arena)
{
	n->n_gpu_types = n->n_gpus = 0;
	for (const char *s = gres, *end; s && *s; s = end + (*end == ',')) {
		struct weft_gpus *t;
		struct gres g;

		end = item_end(s);
		if (!parse_gpu(s, end, &g) || !g.count)
			continue;
		t = find_type(n, g.type);
		if (!t) {
			if (n->n_gpu_types == WEFT_CLUSTER_MAX_GPU_TYPES)
				continue;
			t = &n->gpus[n->n_gpu_types];
			*t = (struct weft_gpus){weft_arena_strdup(arena, g.type), 0, 0};
			if (!t->type)
				return -1;
			n->n_gpu_types++;
		}
		t->count += g.count;
		n->n_gpus += g.count;
	}
	return 0;
}

int slurm_gres_used(struct weft_node *n, const char *gres)
{
	for (const char *s = gres, *end; s && *s; s = end + (*end == ',')) {
		struct weft_gpus *t;
		struct gres g;

		end = item_end(s);
		if (!parse_gpu(s, end, &g))
			continue;
		t = find_type(n, g.type);
		if (!t)
			continue;
		t->used += g.count;
		if (t->used > t->count)
			t->used = t->count;
	}
	return 0;
}

/* One "3", "3-9" or "3-9:2"; *s moves behind it. */
static bool task_range(const char **s, unsigned long v[3])
{
	char *end;

	if (**s < '0' || **s > '9')
		return false;
	v[0] = v[1] = strtoul(*s, &end, 10);
	v[2] = 1;
	if (*end == '-')
		v[1] = strtoul(end + 1, &end, 10);
	if (*end == ':')
		v[2] = strtoul(end + 1, &end, 10);
	*s = end;
	/* Slurm's numbers have 32 bits; with them no sum here overflows. */
	return v[2] > 0 && v[2] <= UINT32_MAX && v[1] <= UINT32_MAX && v[1] >= v[0] &&
	       v[1] - v[0] <= MAX_ARRAY_TASKS;
}

char *slurm_array_tasks(const char *expression)
{
	weft_autostr struct weft_str out = {0};
	const char *s = expression;
	unsigned long v[3], n = 0;

	while (task_range(&s, v)) {
		if (out.len)
			weft_str_addc(&out, ',');
		if (v[2] == 1) {
			weft_str_printf(
				&out, v[1] > v[0] ? "%lu-%lu" : "%lu", v[0], v[1]);
		} else {
			for (unsigned long i = v[0]; i <= v[1]; i += v[2])
				weft_str_printf(&out, i > v[0] ? ",%lu" : "%lu", i);
		}
		n += (v[1] - v[0]) / v[2] + 1;
		if (n > MAX_ARRAY_TASKS || out.failed)
			return NULL;
		if (*s != ',')
			break;
		s++;
	}
	return out.len ? weft_str_take(&out) : NULL;
}

uint64_t slurm_count_tasks(const char *ranges)
{
	unsigned long v[3];
	const char *s = ranges;
	uint64_t n = 0;

	while (task_range(&s, v)) {
		n += (v[1] - v[0]) / v[2] + 1;
		if (*s != ',')
			break;
		s++;
	}
	return n;
}

uint64_t slurm_tres_count(const char *tres, const char *name)
{
	size_t n = strlen(name);

	for (const char *s = tres; s && *s; s += *s == ',') {
		if (strncmp(s, name, n) == 0 && s[n] == '=')
			return strtoull(s + n + 1, NULL, 10);
		s += strcspn(s, ",");
	}
	return 0;
}
