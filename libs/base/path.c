/* path.c - names of files: joining, normalising, refusing; no I/O */
#include "base/base.h"

#include <stdlib.h>
#include <string.h>

char *weft_path_join(const char *dir, const char *name)
{
	size_t n = strlen(dir);

	return weft_printf("%s%s%s", dir, n && dir[n - 1] == '/' ? "" : "/", name);
}

static void add_component(struct weft_str *out, const char *s, size_t n)
{
	if (n == 0 || (n == 1 && s[0] == '.'))
		return;
	if (n == 2 && s[0] == '.' && s[1] == '.') {
		while (out->len && out->s[out->len - 1] != '/')
			out->len--;
		if (out->len)
			out->len--;
		if (out->s)
			out->s[out->len] = '\0';
		return;
	}
	weft_str_addc(out, '/');
	weft_str_addn(out, s, n);
}

static void add_path(struct weft_str *out, const char *path)
{
	while (*path) {
		size_t n = strcspn(path, "/");

		add_component(out, path, n);
		path += n;
		path += *path == '/';
	}
}

char *weft_path_absolute(const char *base, const char *path)
{
	weft_autostr struct weft_str out = {0};

	if (path[0] == '~' && (path[1] == '/' || !path[1])) {
		const char *home = getenv("HOME");

		add_path(&out, home ? home : "/");
		add_path(&out, path + 1);
	} else {
		if (path[0] != '/')
			add_path(&out, base);
		add_path(&out, path);
	}
	if (!out.len && !out.failed)
		weft_str_addc(&out, '/');
	return weft_str_take(&out);
}

bool weft_path_is_inside(const char *relative)
{
	if (!*relative || *relative == '/')
		return false;
	for (const char *p = relative; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.')
			return false;
		p += n;
		p += *p == '/';
	}
	return true;
}
