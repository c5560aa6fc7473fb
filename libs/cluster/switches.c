/* switches.c - which hosts are near each other: the leaf switches of topology.conf */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cluster/cluster.h"

#define MAX_CONF ((size_t)64 << 20)
#define MAX_NAMES 1000000
#define MAX_LEVELS 64

struct line {
	char *name, *nodes, *below; /* NULL: it has none */
	bool seen;
};

struct switches {
	struct line *v;
	size_t n, cap;
	/* Host -> number of its leaf. */
	struct weft_map map;
	struct weft_arena arena;
	unsigned leaves;
};

/* "key=value" among the words of a line, malloced. */
static char *word_of(const char *line, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = line; *p; p += strcspn(p, " \t")) {
		p += strspn(p, " \t");
		if (strncasecmp(p, key, n) == 0 && p[n] == '=')
			return strndup(p + n + 1, strcspn(p + n + 1, " \t"));
	}
	return NULL;
}

static int read_lines(struct switches *s, char *text)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save)) {
		line[strcspn(line, "#\r")] = '\0';
		char *name = word_of(line, "SwitchName");

		if (!name)
			continue;
		if (weft_grow(s->v, s->n, s->cap)) {
			free(name);
			return -1;
		}
		s->v[s->n++] = (struct line){
			name, word_of(line, "Nodes"), word_of(line, "Switches"), false};
	}
	return 0;
}

static int add_leaf(struct switches *s, const char *list)
{
	char **host = NULL;
	size_t n = 0, found;
	int r = 0;

	if (weft_hostlist_expand(list, MAX_NAMES, &host, &n, NULL))
		return 0; /* a line that Slurm can't read, either */
	for (size_t i = 0; i < n && r >= 0; i++) {
		char *key = weft_arena_strdup(&s->arena, host[i]);

		r = key ? weft_map_add(&s->map, key, s->leaves, &found) : -1;
	}
	weft_hostlist_free(host, n);
	s->leaves++;
	return r < 0 ? -1 : 0;
}

/* Down the tree, so that leaves of one switch have numbers that follow each other. */
static int walk(struct switches *s, struct line *sw, unsigned level)
{
	char **name = NULL;
	size_t n = 0;
	int r = 0;

	if (sw->seen || level > MAX_LEVELS)
		return 0;
	sw->seen = true;
	if (sw->nodes)
		return add_leaf(s, sw->nodes);
	if (!sw->below || weft_hostlist_expand(sw->below, MAX_NAMES, &name, &n, NULL))
		return 0;
	for (size_t i = 0; i < n && r == 0; i++)
		for (size_t k = 0; k < s->n && r == 0; k++)
			if (weft_streq(s->v[k].name, name[i]))
				r = walk(s, &s->v[k], level + 1);
	weft_hostlist_free(name, n);
	return r;
}

/* Those that nothing is above of: the last lines, as a rule. */
static int walk_all(struct switches *s)
{
	int r = 0;

	for (size_t i = s->n; i-- && r == 0;)
		if (s->v[i].below)
			r = walk(s, &s->v[i], 0);
	for (size_t i = 0; i < s->n && r == 0; i++)
		r = walk(s, &s->v[i], 0);
	return r;
}

static void clear(struct switches *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->v[i].name);
		free(s->v[i].nodes);
		free(s->v[i].below);
	}
	free(s->v);
	weft_map_free(&s->map);
	weft_arena_free(&s->arena);
}

unsigned *weft_cluster_switches(char *const *host, size_t n)
{
	weft_autofree char *plugin = weft_slurm_conf_value("TopologyPlugin");
	weft_autofree char *file = weft_slurm_conf_file("topology.conf");
	weft_autofree char *text = NULL;
	struct switches s = {0};
	unsigned *of = NULL;

	if (!plugin || strcasecmp(plugin, "topology/tree") != 0 || !file ||
		weft_read_file(file, MAX_CONF, &text, NULL, NULL))
		return NULL;
	if (read_lines(&s, text) == 0 && walk_all(&s) == 0 && s.leaves > 1)
		of = calloc(n + 1, sizeof(*of));
	for (size_t i = 0; of && i < n; i++) {
		size_t leaf;

		of[i] = weft_map_get(&s.map, host[i], &leaf) ? (unsigned)leaf
							     : s.leaves;
	}
	clear(&s);
	return of;
}
