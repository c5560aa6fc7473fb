/* within.c - where a path really is */
#include "stage/stage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Cuts off the last part of head[0..n); 0: there is none, or what it means can't be
 * told without what is missing. */
static bool cut_last(char *head, size_t *n, const char **part)
{
	while (*n && head[*n - 1] == '/')
		head[--*n] = '\0';
	size_t end = *n;

	while (*n && head[*n - 1] != '/')
		--*n;
	*part = head + *n;
	return end > *n && strcmp(*part, "..") != 0;
}

/* With links followed, as the kernel does; of what isn't there yet the part that is. */
static char *resolve(const char *path, struct weft_err *err)
{
	weft_autofree char *head = strdup(path), *rest = strdup("");
	size_t n = head ? strlen(head) : 0;
	const char *top = *path == '/' ? "/" : ".", *part;
	struct stat st;

	while (head && rest) {
		weft_autofree char *real = realpath(n ? head : top, NULL);

		if (real)
			return !*rest ? weft_steal(&real)
				      : weft_printf("%s%s", real[1] ? real : "", rest);
		if (errno != ENOENT && errno != ENOTDIR) {
			weft_err_sys(err, WEFT_ESTAGE, "%s", path);
			return NULL;
		}
		/* What is written to it would be where it points. */
		if (lstat(head, &st) == 0 && S_ISLNK(st.st_mode)) {
			weft_err_set(err, WEFT_ESTAGE,
				"%s is a link to what isn't there", head);
			return NULL;
		}
		if (!cut_last(head, &n, &part)) {
			errno = ENOENT;
			weft_err_sys(err, WEFT_ESTAGE, "%s", path);
			return NULL;
		}
		if (strcmp(part, ".") != 0) {
			char *longer = weft_printf("/%s%s", part, rest);

			free(rest);
			rest = longer;
		}
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
