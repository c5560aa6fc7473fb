/*
 * note - what a task was given, as one line in its environment: for `weft bind
 * --verify`, and for steps that arrive later and are placed around it.
 *
 *   WEFT_PLACED=1 by=77.0 host=n1 borrowed=0 memory=local cpus=0-7 numa=0
 * gpus=0000:07:00.0 show=CUDA_VISIBLE_DEVICES=1 around= avoid=
 *
 * Whoever reads it reads a user's text: it takes exactly this form.
 */
#include <string.h>
#include <unistd.h>

#include "bind/env.h"

static const char *const memory_name[] = {"local", "interleave", "none"};

void weft_bind_host(char *buf, size_t size)
{
	if (gethostname(buf, size) || strcspn(buf, " \n") != strnlen(buf, size))
		snprintf(buf, size, "?");
	buf[size - 1] = '\0';
}

static void add_set(struct weft_str *s, const char *key, const struct weft_cpuset *set)
{
	char list[sizeof(((struct weft_bind_var *)0)->value)];

	if (set && weft_cpuset_print(set, list, sizeof(list)))
		weft_str_printf(s, " %s=%s", key, list);
	else if (set)
		s->failed = true;
	else
		weft_str_printf(s, " %s=", key);
}

void weft_bind_add_note(const struct weft_machine *m, const struct weft_placed_task *t,
	const char *by, const struct weft_others *around, struct weft_binding *out)
{
	weft_autostr struct weft_str s = {0};
	const char *variable =
		t->n_gpus ? weft_bind_gpu_variable(m->gpu[t->gpu[0]].vendor) : NULL;
	struct weft_cpuset nodes = {0};
	char host[sizeof(((struct weft_note *)0)->host)];

	memcpy(nodes.w, out->nodemask, sizeof(out->nodemask));
	weft_bind_host(host, sizeof(host));
	weft_str_printf(&s, "1 by=%s host=%s borrowed=%d memory=%s", by, host,
		out->borrowed, memory_name[out->memory]);
	add_set(&s, "cpus", &out->cpus);
	add_set(&s, "numa", &nodes);
	weft_str_add(&s, " gpus=");
	for (size_t i = 0; i < t->n_gpus; i++)
		weft_str_printf(&s, "%s%s", i ? "," : "", m->gpu[t->gpu[i]].pci);
	weft_str_add(&s, " show=");
	for (size_t i = 0; variable && i < out->n_vars; i++)
		if (weft_streq(out->var[i].name, variable))
			weft_str_printf(&s, "%s=%s", variable, out->var[i].value);
	add_set(&s, "around", around ? &around->cpus : NULL);
	weft_str_add(&s, " avoid=");
	for (size_t i = 0; around && i < around->n_gpus; i++)
		weft_str_printf(&s, "%s%s", i ? "," : "", around->gpu[i]);
	if (!s.failed)
		weft_bind_add_var(out, WEFT_PLACED_ENV, s.s, false);
}

/* " KEY=VALUE" into buf; *p behind it. */
static bool field(const char **p, const char *key, char *buf, size_t size)
{
	size_t n = strlen(key);

	if (strncmp(*p, key, n) != 0)
		return false;
	*p += n;
	n = strcspn(*p, " ");
	if (n >= size)
		return false;
	memcpy(buf, *p, n);
	buf[n] = '\0';
	*p += n;
	return true;
}

static bool set(const char **p, const char *key, struct weft_cpuset *out)
{
	char buf[sizeof(((struct weft_bind_var *)0)->value)];

	return field(p, key, buf, sizeof(buf)) && weft_cpuset_parse(buf, out);
}

bool weft_bind_read_note(const char *text, struct weft_note *note)
{
	struct weft_cpuset nodes;
	char word[16], show[sizeof(note->variable) + sizeof(note->visible)];
	const char *p = text;
	size_t n;

	memset(note, 0, sizeof(*note));
	if (*p++ != '1' || !field(&p, " by=", note->by, sizeof(note->by)) ||
		!field(&p, " host=", note->host, sizeof(note->host)) ||
		!field(&p, " borrowed=", word, sizeof(word)) ||
		(!weft_streq(word, "0") && !weft_streq(word, "1")))
		return false;
	note->borrowed = *word == '1';
	if (!field(&p, " memory=", word, sizeof(word)))
		return false;
	for (n = 0; n < WEFT_COUNT(memory_name); n++)
		if (weft_streq(word, memory_name[n]))
			break;
	if (n == WEFT_COUNT(memory_name) || !set(&p, " cpus=", &note->cpus) ||
		!set(&p, " numa=", &nodes) ||
		!field(&p, " gpus=", note->gpus, sizeof(note->gpus)) ||
		!field(&p, " show=", show, sizeof(show)) ||
		!set(&p, " around=", &note->around) ||
		!field(&p, " avoid=", note->around_gpus, sizeof(note->around_gpus)) ||
		*p)
		return false;
	note->memory = (enum weft_place_memory)n;
	memcpy(note->nodemask, nodes.w, sizeof(note->nodemask));
	n = strcspn(show, "=");
	if (n >= sizeof(note->variable) ||
		(show[n] && strlen(show + n + 1) >= sizeof(note->visible)))
		return false;
	memcpy(note->variable, show, n);
	if (show[n])
		strcpy(note->visible, show + n + 1);
	return true;
}
