/* common_topology.c - the machine model: a file's, the cache's, or discovered */
#include "common_topology.h"

#include <unistd.h>

#include "command.h"
#include "topo/discover.h"

#define MODEL_MAX (4u << 20)

int cmd_topology_file(const char *path, struct weft_machine **m, struct weft_err *err)
{
	weft_autofree char *text = NULL;
	size_t n;

	*m = NULL;
	if (weft_read_file(path, 64u << 20, &text, &n, err))
		return -1;
	if (!weft_starts_with(text, "weft-topology "))
		return weft_topo_discover(path, m, err);
	if (n > MODEL_MAX)
		return weft_err_set(
			err, WEFT_EPLACE, "%s: too large for a model", path);
	if (weft_machine_parse(text, n, m, err))
		return weft_err_prefix(err, "%s", path);
	return 0;
}

static int reserve(
	const struct weft_conf *conf, struct weft_machine **m, struct weft_err *err)
{
	if (!conf || !conf->reserve ||
		weft_machine_reserve(*m, conf->reserve, err) == 0)
		return 0;
	weft_machine_free(*m);
	*m = NULL;
	err->code = WEFT_ECONF;
	return weft_err_prefix(err, "%s: reserve", conf->file ? conf->file : "conf");
}

int cmd_topology_here(struct weft_machine **m, bool *cached, struct weft_err *err)
{
	weft_autoerr struct weft_err bad = {0};
	struct weft_conf *conf = NULL;
	int rc;

	if (cached)
		*cached = false;
	rc = weft_conf_load(NULL, false, &conf, &bad);
	if (rc == 0)
		rc = weft_machine_load_cache(conf->cache, m, &bad);
	if (rc == 0 && cached)
		*cached = true;
	if (rc < 0)
		weft_log(WEFT_WARN, "%s; looking at the machine instead",
			bad.text ? bad.text : "the topology cache cannot be read");
	if (rc)
		rc = weft_topo_discover(NULL, m, err);
	if (!rc)
		rc = reserve(conf, m, err);
	weft_conf_free(conf);
	return rc;
}

bool cmd_topology_is_mine(const struct weft_machine *m)
{
	char host[64] = "";

	return gethostname(host, sizeof(host) - 1) == 0 && weft_streq(m->host, host);
}
