/* slurm_conf.c - single settings of the site's slurm.conf, without libslurm: where it
 * is, and what a line of it says */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/base.h"

#define MAX_CONF ((size_t)16 << 20)
#define MAX_INCLUDES 8

/* As Slurm's own programs: the variable, the usual place, what slurmd was sent. */
static char *conf_path(void)
{
	static const char *const usual[] = {
		"/etc/slurm/slurm.conf", "/run/slurm/conf/slurm.conf"};
	const char *set = getenv("SLURM_CONF");

	if (set && *set)
		return strdup(set);
	for (size_t i = 0; i < WEFT_COUNT(usual); i++)
		if (access(usual[i], R_OK) == 0)
			return strdup(usual[i]);
	return NULL;
}

char *weft_slurm_conf_file(const char *name)
{
	char *path = conf_path(), *slash = path ? strrchr(path, '/') : NULL, *file;

	if (!slash) {
		free(path);
		return NULL;
	}
	*slash = '\0';
	file = weft_path_join(path, name);
	free(path);
	return file;
}

/* "key = value" at the line's beginning; NULL: another key. */
static const char *value_of(const char *line, const char *key)
{
	size_t n = strlen(key);

	line += strspn(line, " \t");
	if (strncasecmp(line, key, n) != 0)
		return NULL;
	line += n;
	line += strspn(line, " \t");
	if (*line != '=')
		return NULL;
	line++;
	return line + strspn(line, " \t");
}

static const char *included(const char *line)
{
	line += strspn(line, " \t");
	if (strncasecmp(line, "include", 7) != 0 || (line[7] != ' ' && line[7] != '\t'))
		return NULL;
	return line + 7 + strspn(line + 7, " \t");
}

/* The last one counts. */
static void look_in(const char *path, const char *key, unsigned depth, char **value)
{
	weft_autofree char *text = NULL;
	char *save = NULL;

	if (weft_read_file(path, MAX_CONF, &text, NULL, NULL))
		return;
	for (char *line = strtok_r(text, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save)) {
		const char *v, *more;

		line[strcspn(line, "#\r")] = '\0';
		if ((v = value_of(line, key))) {
			free(*value);
			*value = strndup(v, strcspn(v, " \t"));
		} else if ((more = included(line)) && depth < MAX_INCLUDES) {
			weft_autofree char *name = strndup(more, strcspn(more, " \t"));
			weft_autofree char *file = !name ? NULL
						   : *name == '/'
							   ? strdup(name)
							   : weft_slurm_conf_file(name);

			if (file)
				look_in(file, key, depth + 1, value);
		}
	}
}

char *weft_slurm_conf_value(const char *key)
{
	weft_autofree char *path = conf_path();
	char *value = NULL;

	if (path)
		look_in(path, key, 0, &value);
	return value;
}
