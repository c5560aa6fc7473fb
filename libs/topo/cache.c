/*
 * cache - the machine's model as discovered once a boot, for code that must not
 * discover: slurmstepd, as root.
 *
 * Security: the reader takes only a file whose every parent folder is root's and
 * writable by root alone, opened without following links, read through that one
 * descriptor; its size is bounded, its text checked by the model's reader.  Who can
 * write there is root already.  Host and boot are checked so that an image that
 * was copied, or a machine whose cards were changed, doesn't give a wrong map; what may
 * change while a machine is up is checked by its mark.
 */
#include "topo/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CACHE_MAX (4u << 20)
#define HEADER "weft-topology-cache 2\n"
#define FILE_NAME "topology"

static int this_boot(char host[64], char boot[40], struct weft_err *err)
{
	weft_autofree char *id = NULL;
	size_t n;

	if (gethostname(host, 64))
		return weft_err_sys(err, WEFT_EPLACE, "the host name");
	host[63] = '\0';
	if (weft_read_file("/proc/sys/kernel/random/boot_id", 64, &id, &n, err))
		return -1;
	id[strcspn(id, "\n")] = '\0';
	if (!*id || strlen(id) >= 40)
		return weft_err_set(
			err, WEFT_EPLACE, "the kernel's boot id is odd: %s", id);
	strcpy(boot, id);
	return 0;
}

/* The next line of *p if it begins with key: its value, cut out of the text. */
static char *line(char **p, const char *key)
{
	char *s = *p, *end = strchr(s, '\n');
	size_t n = strlen(key);

	if (!end || strncmp(s, key, n))
		return NULL;
	*end = '\0';
	*p = end + 1;
	return s + n;
}

static int check(char *text, size_t n, const char *path, struct weft_machine **m,
	struct weft_err *err)
{
	char here[64], boot[40], digest[WEFT_DIGEST_HEX], mark[WEFT_DIGEST_HEX];
	char *p = text, *end = text + n;

	if (this_boot(here, boot, err) || weft_machine_mark("", mark, err))
		return -1;
	if (strlen(text) != n || strncmp(p, HEADER, strlen(HEADER)))
		return weft_err_set(err, WEFT_EPLACE, "%s: not a topology cache", path);
	p += strlen(HEADER);
	const char *host = line(&p, "host ");
	const char *id = host ? line(&p, "boot ") : NULL;
	const char *made = id ? line(&p, "mark ") : NULL;
	const char *borrowed = made ? line(&p, "borrowed ") : NULL;
	const char *sum = borrowed ? line(&p, "digest ") : NULL;
	if (!sum || (strcmp(borrowed, "0") && strcmp(borrowed, "1")))
		return weft_err_set(err, WEFT_EPLACE, "%s: not a topology cache", path);
	if (strcmp(host, here))
		return weft_err_set(err, WEFT_EPLACE, "%s was made on %s, this is %s",
			path, host, here);
	if (strcmp(id, boot))
		return weft_err_set(
			err, WEFT_EPLACE, "%s was made before this boot", path);
	if (strcmp(made, mark))
		return weft_err_set(err, WEFT_EPLACE,
			"%s was made before a GPU's driver or partitions, or the CPUs "
			"or memory nodes in use, were changed",
			path);
	weft_digest(p, (size_t)(end - p), digest);
	if (strcmp(sum, digest))
		return weft_err_set(err, WEFT_EPLACE, "%s is damaged", path);
	if (weft_machine_parse(p, (size_t)(end - p), m, err))
		return weft_err_prefix(err, "%s", path);
	(*m)->borrowed = *borrowed == '1';
	return 0;
}

int weft_machine_load_cache(
	const char *dir, struct weft_machine **m, struct weft_err *err)
{
	weft_autofree char *path = weft_path_join(dir, FILE_NAME), *text = NULL;
	weft_autoerr struct weft_err open_err = {0};
	size_t n;

	*m = NULL;
	if (!path)
		return weft_err_nomem(err);
	weft_autoclose int fd = weft_open_trusted(path, &open_err);
	if (fd < 0 && (open_err.sys == ENOENT || open_err.sys == ENOTDIR))
		return 1;
	if (fd < 0) {
		if (err)
			weft_err_move(err, &open_err);
		return -1;
	}
	if (weft_read_fd(fd, path, CACHE_MAX, &text, &n, err))
		return -1;
	if (check(text, n, path, m, err))
		return weft_err_hint(
			err, "make it anew, as root on this host: weft topo cache");
	return 0;
}

int weft_machine_save_cache(const char *dir, const struct weft_machine *m,
	bool borrowed, struct weft_err *err)
{
	weft_autofree char *path = weft_path_join(dir, FILE_NAME);
	weft_autostr struct weft_str model = {0}, text = {0};
	char host[64], boot[40], digest[WEFT_DIGEST_HEX], mark[WEFT_DIGEST_HEX];

	if (!path || weft_machine_print(m, &model))
		return weft_err_nomem(err);
	if (this_boot(host, boot, err) || weft_machine_mark("", mark, err) ||
		weft_mkdirs(dir, 0755, err))
		return -1;
	weft_digest(model.s, model.len, digest);
	weft_str_printf(&text,
		HEADER "host %s\nboot %s\nmark %s\nborrowed %d\ndigest %s\n", host,
		boot, mark, borrowed, digest);
	weft_str_addn(&text, model.s, model.len);
	if (text.failed)
		return weft_err_nomem(err);
	return weft_write_file(path, text.s, text.len, 0644, err);
}
