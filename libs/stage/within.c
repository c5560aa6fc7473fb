/* within.c - where a path really is */
#include "stage/stage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* With links followed; of what isn't there yet the part that is.  No ".." is left in
 * the rest: the path was absolute and normal. */
static char *resolve(const char *path, struct weft_err *err)
{
	weft_autofree char *head = weft_path_absolute("/", path);
	size_t n = head ? strlen(head) : 0;
	struct stat st;

	if (!head) {
		weft_err_nomem(err);
		return NULL;
	}
	weft_autofree char *rest = strdup(head);
	while (rest) {
		char *real = realpath(n ? head : "/", NULL), *out;

		if (real) {
			out = weft_printf("%s%s", real[1] ? real : "", rest + n);
			free(real);
			if (out && !*out) {
				free(out);
				out = strdup("/");
			}
			if (!out)
				weft_err_nomem(err);
			return out;
		}
		if ((errno != ENOENT && errno != ENOTDIR) || !n) {
			weft_err_sys(err, WEFT_ESTAGE, "%s", path);
			return NULL;
		}
		/* What is written to it would be where it points. */
		if (lstat(head, &st) == 0 && S_ISLNK(st.st_mode)) {
			weft_err_set(err, WEFT_ESTAGE,
				"%s is a link to what isn't there", head);
			return NULL;
		}
		while (n && head[n - 1] != '/')
			n--;
		n -= n > 0;
		head[n] = '\0';
	}
	weft_err_nomem(err);
	return NULL;
}

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (n == 1)
		return true; /* "/" */
	return strncmp(path, dir, n) == 0 && (!path[n] || path[n] == '/');
}

int weft_stage_within(
	const char *path, char *const *dir, size_t n, char **real, struct weft_err *err)
{
	weft_autofree char *at = resolve(path, err);
	int inside = 0;

	*real = NULL;
	if (!at)
		return -1;
	for (size_t i = 0; i < n && !inside; i++) {
		weft_autofree char *root = realpath(dir[i], NULL);

		inside = root && is_below(at, root);
	}
	*real = weft_steal(&at);
	return inside;
}
