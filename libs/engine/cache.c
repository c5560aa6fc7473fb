/* cache.c - the node cache of this user, as weft.conf has it */
#include "engine/engine.h"
#include "stage/stage.h"

#include <stdlib.h>
#include <unistd.h>

int weft_engine_node_cache(const struct weft_conf *conf,
	struct weft_stage_cache **cache, struct weft_err *err)
{
	struct weft_stage_limits limits = {
		conf->node_cache_bytes, conf->node_cache_files};
	weft_autofree char *dir = NULL;

	*cache = NULL;
	if (conf->node_cache == WEFT_NODE_CACHE_NO)
		return 1;
	dir = weft_printf("%s/weft-%u/cache", conf->scratch, (unsigned)geteuid());
	if (!dir)
		return weft_err_nomem(err);
	return weft_stage_cache_open(dir, &limits, cache, err);
}
