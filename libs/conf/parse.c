#include <stdlib.h>
#include <string.h>

#include "keys.h"

#define MAX_LINE 4096

const char *const weft_conf_roles[WEFT_CONF_ROLES] = {
	"analysis", "simulation", "training", "inference", "steering"};

struct parser {
	const char *file;
	struct weft_conf *conf;
	enum conf_place place; /* of the section */
	void *into;            /* its struct */
	unsigned *lines;       /* and where its keys were set */
	unsigned seen;         /* keys of this section, a bit each */
	unsigned roles_seen;   /* sections, a bit each */
	bool limits_seen;
	unsigned line;
	bool skip; /* the section can't be read: its keys belong nowhere */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Cuts blanks off both ends, in place. */
static char *trim(char *s)
{
	size_t n;

	while (is_blank(*s))
		s++;
	n = strlen(s);
	while (n && is_blank(s[n - 1]))
		n--;
	s[n] = '\0';
	return s;
}

static int role_section(struct parser *p, const char *name, struct weft_err *err)
{
	for (size_t i = 0; i < WEFT_CONF_ROLES; i++) {
		if (!weft_streq(name, weft_conf_roles[i]))
			continue;
		if (p->roles_seen & 1u << i)
			return weft_err_set(
				err, WEFT_ECONF, "[role %s] is repeated", name);
		p->roles_seen |= 1u << i;
		p->into = &p->conf->role[i];
		p->lines = p->conf->role[i].line;
		return 0;
	}
	weft_err_set(err, WEFT_ECONF, "unknown role '%s'", name);
	const char *near = weft_nearest(name, weft_conf_roles, WEFT_CONF_ROLES);
	if (near)
		return weft_err_hint(err, "did you mean '%s'?", near);
	return weft_err_hint(err, "the roles are analysis, simulation, training, "
				  "inference and steering");
}

static int user_section(struct parser *p, const char *name, struct weft_err *err)
{
	struct weft_conf *c = p->conf;
	struct weft_conf_user *u;

	if (weft_conf_user(c, name))
		return weft_err_set(err, WEFT_ECONF, "[user %s] is repeated", name);
	u = realloc(c->user, (c->n_users + 1) * sizeof(*u));
	if (!u)
		return weft_err_nomem(err);
	c->user = u;
	u += c->n_users;
	*u = (struct weft_conf_user){.enabled = true};
	if (conf_dup(&u->name, name, err))
		return -1;
	c->n_users++;
	p->into = u;
	p->lines = u->limits.line;
	return 0;
}

static int partition_section(struct parser *p, const char *name, struct weft_err *err)
{
	struct weft_conf *c = p->conf;
	struct weft_conf_partition *q;

	if (weft_conf_partition(c, name))
		return weft_err_set(
			err, WEFT_ECONF, "[partition %s] is repeated", name);
	q = realloc(c->partition, (c->n_partitions + 1) * sizeof(*q));
	if (!q)
		return weft_err_nomem(err);
	c->partition = q;
	q += c->n_partitions;
	*q = (struct weft_conf_partition){.enabled = true};
	if (conf_dup(&q->name, name, err))
		return -1;
	c->n_partitions++;
	p->into = q;
	p->lines = q->line;
	return 0;
}

static int limits_section(struct parser *p, struct weft_err *err)
{
	if (p->limits_seen)
		return weft_err_set(err, WEFT_ECONF, "[limits] is repeated");
	p->limits_seen = true;
	p->into = &p->conf->limits;
	p->lines = p->conf->limits.line;
	return 0;
}

/* Names of users and partitions. */
static bool is_name(const char *name)
{
	return *name && *name != '-' && !strpbrk(name, " \t,*/\"'\\;$`[]=");
}

static int section(struct parser *p, char *s, struct weft_err *err)
{
	static const struct {
		const char *word;
		enum conf_place place;
		int (*open)(struct parser *p, const char *name, struct weft_err *err);
	} kinds[] = {{"role", CONF_ROLE, role_section},
		{"user", CONF_USER, user_section},
		{"partition", CONF_PARTITION, partition_section}};
	size_t n = strlen(s);
	char *name;

	if (s[n - 1] != ']')
		return weft_err_set(err, WEFT_ECONF, "a section line ends with ']'");
	s[n - 1] = '\0';
	s = trim(s + 1);
	p->seen = 0;
	if (weft_streq(s, "limits")) {
		p->place = CONF_LIMITS;
		return limits_section(p, err);
	}
	n = strcspn(s, " \t");
	name = trim(s + n);
	for (size_t i = 0; i < WEFT_COUNT(kinds); i++) {
		if (strlen(kinds[i].word) != n || memcmp(s, kinds[i].word, n))
			continue;
		p->place = kinds[i].place;
		if (!is_name(name))
			return weft_err_set(err, WEFT_ECONF, "bad name in [%s %s]",
				kinds[i].word, *name ? name : "NAME");
		return kinds[i].open(p, name, err);
	}
	weft_err_set(err, WEFT_ECONF, "unknown section '%s'", s);
	return weft_err_hint(err, "the sections are [limits], [partition NAME], "
				  "[role NAME] and [user NAME]");
}

static int key_value(struct parser *p, char *s, struct weft_err *err)
{
	char *eq = strchr(s, '=');
	char *name, *value;
	int key;

	if (!eq) {
		weft_err_set(err, WEFT_ECONF, "neither 'key = value' nor '[section]'");
		return weft_err_hint(err, "a comment begins with '#'");
	}
	*eq = '\0';
	name = trim(s);
	value = trim(eq + 1);
	if (!*name)
		return weft_err_set(err, WEFT_ECONF, "no key before '='");
	/* Half of all programs would cut the value here, half would not. */
	if (*value == '#' || strstr(value, " #") || strstr(value, "\t#")) {
		weft_err_set(err, WEFT_ECONF, "'#' after a value");
		return weft_err_hint(err, "put the comment on a line of its own");
	}
	if (p->place == CONF_ROLE && weft_starts_with(name, "env."))
		return conf_env_set(p->into, name + 4, value, p->line, err);
	key = conf_key_find(p->place, name, err);
	if (key < 0)
		return -1;
	if (p->seen & 1u << key)
		return weft_err_set(err, WEFT_ECONF, "%s is repeated", name);
	p->seen |= 1u << key;
	p->lines[key] = p->line;
	return conf_key_set(p->place, key, p->into, value, err);
}

static int check_bytes(const char *line, size_t n, struct weft_err *err)
{
	if (n > MAX_LINE)
		return weft_err_set(
			err, WEFT_ECONF, "line of more than %d bytes", MAX_LINE);
	if (n && line[n - 1] == '\r') {
		weft_err_set(err, WEFT_ECONF, "line ends with CR LF");
		return weft_err_hint(err, "save the file with Unix line ends");
	}
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)line[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return weft_err_set(
				err, WEFT_ECONF, "control character 0x%02x", c);
	}
	if (!weft_utf8_valid(line, n))
		return weft_err_set(err, WEFT_ECONF, "not UTF-8");
	return 0;
}

static int one_line(struct parser *p, const char *line, size_t n, unsigned number,
	struct weft_err *err)
{
	struct weft_pos pos = {.line = number, .col = 1};
	char copy[MAX_LINE + 1];
	char *s;
	int r;

	r = check_bytes(line, n, err);
	if (r == 0) {
		memcpy(copy, line, n);
		copy[n] = '\0';
		s = trim(copy);
		pos.col = (unsigned)(s - copy) + 1;
		if (*s == '\0' || *s == '#')
			return 0;
		p->line = number;
		if (*s == '[') {
			r = section(p, s, err);
			p->skip = r != 0;
		} else {
			r = p->skip ? 0 : key_value(p, s, err);
		}
	}
	return r == 0 ? 0 : weft_err_at(err, p->file, pos, NULL);
}

static int defaults(struct weft_conf *c, struct weft_err *err)
{
	c->enabled = true;
	c->bind = true;
	c->group_waste = 10;
	c->group_jobs = 16;
	c->group_time = INT64_C(4) * 3600;
	c->bandwidth = UINT64_C(1) << 30;
	if (conf_dup(&c->scratch, "/tmp", err) ||
		conf_dup(&c->memory, "/dev/shm", err) ||
		conf_dup(&c->cache, "/run/weft", err) ||
		conf_dup(&c->run_dir, "weft-runs", err))
		return -1;
	return 0;
}

/* A role's own partition is one that the role may use. */
static int check_role(
	const struct weft_conf *c, const struct weft_conf_role *r, struct weft_err *err)
{
	weft_autofree char *copy = strdup(r->partition ? r->partition : "");
	char *save = NULL;

	if (!copy)
		return weft_err_nomem(err);
	for (char *name = strtok_r(copy, ",", &save); name && r->partitions.n;
		name = strtok_r(NULL, ",", &save)) {
		struct weft_pos pos = {
			.line = r->line[conf_key_find(CONF_ROLE, "partition", NULL)],
			.col = 1};

		if (weft_conf_names_has(&r->partitions, name))
			continue;
		weft_err_set(err, WEFT_ECONF,
			"partition %s is not one of the role's `partitions`", name);
		return weft_err_at(err, c->file, pos, NULL);
	}
	return 0;
}

/* all NULL: the first mistake ends it; else all are collected there, and *conf is made
 * of the other lines. */
static int parse(const char *file, const char *text, size_t n, struct weft_errs *all,
	struct weft_conf **conf, struct weft_err *err)
{
	struct parser p = {.file = file};
	unsigned number = 0;

	*conf = NULL;
	p.conf = calloc(1, sizeof(*p.conf));
	if (!p.conf)
		return weft_err_nomem(err);
	if (defaults(p.conf, err) ||
		(file && (conf_dup(&p.conf->file, file, err) ||
				 conf_dup(&p.conf->policy_file, file, err))))
		goto fail;
	p.into = p.conf;
	p.lines = p.conf->line;
	if (n > WEFT_CONF_MAX_BYTES) {
		weft_err_set(
			err, WEFT_ECONF, "more than %d bytes", WEFT_CONF_MAX_BYTES);
		weft_err_at(err, file, (struct weft_pos){0, 0}, NULL);
		goto fail;
	}
	while (n) {
		const char *nl = memchr(text, '\n', n);
		size_t len = nl ? (size_t)(nl - text) : n;

		if (one_line(&p, text, len, ++number, err)) {
			if (!all)
				goto fail;
			weft_errs_add(all, err);
		}
		len += nl != NULL;
		text += len;
		n -= len;
	}
	for (size_t i = 0; i < WEFT_CONF_ROLES; i++) {
		if (check_role(p.conf, &p.conf->role[i], err)) {
			if (!all)
				goto fail;
			weft_errs_add(all, err);
		}
	}
	*conf = p.conf;
	return 0;
fail:
	weft_conf_free(p.conf);
	return -1;
}

int weft_conf_parse(const char *file, const char *text, size_t n,
	struct weft_conf **conf, struct weft_err *err)
{
	return parse(file, text, n, NULL, conf, err);
}

int weft_conf_check(
	const char *file, const char *text, size_t n, struct weft_errs *errs)
{
	struct weft_conf *conf;
	struct weft_err err = {0};

	if (parse(file, text, n, errs, &conf, &err))
		weft_errs_add(errs, &err);
	weft_conf_free(conf);
	return errs->total ? -1 : 0;
}
