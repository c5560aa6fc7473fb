/* node.c - the half of a member's staging that happens on each of its nodes */
#include "engine/unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_on_node(struct unit *u, const struct weft_engine *e,
	const struct weft_step *step, size_t member, const char *node_root,
	const char *memory_root, struct weft_err *err)
{
	if (unit_open(u, e, step, member, err))
		return -1;
	/* Named by the engine, so that all nodes agree. */
	u->node_root = node_root ? strdup(node_root) : NULL;
	u->memory_root = memory_root ? strdup(memory_root) : NULL;
	return unit_node_roots(u, err);
}

/* Ours alone: what is in it may be secret, and nobody may put a link into it. */
static int make_root(const char *root, struct weft_err *err)
{
	struct stat st;

	if (!root)
		return 0;
	weft_autofree char *top = strdup(root);
	if (!top)
		return weft_err_nomem(err);
	/* ROOT is TOP/NAME.N.WHERE/STEP: the user's own folder is two up. */
	*strrchr(top, '/') = '\0';
	*strrchr(top, '/') = '\0';
	if (weft_mkdirs(top, 0700, err))
		return -1;
	if (lstat(top, &st) || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
		(st.st_mode & 077)) {
		weft_err_set(err, WEFT_ESTAGE, "%s isn't a folder of yours alone", top);
		return weft_err_hint(err, "remove it, or ask its owner to");
	}
	return weft_remove_tree(root, err) || weft_mkdirs(root, 0700, err) ? -1 : 0;
}

int weft_engine_stage_in(const struct weft_engine *e, const struct weft_step *step,
	size_t member, const char *node_root, const char *memory_root, unsigned nodes,
	uint64_t *moved, struct weft_str *want, struct weft_str *hashes,
	struct weft_err *err)
{
	struct unit u;
	int r = -1;

	*moved = 0;
	if (open_on_node(&u, e, step, member, node_root, memory_root, err))
		goto out;
	u.cast_nodes = nodes;
	if (make_root(u.node_root, err) || make_root(u.memory_root, err) ||
		inputs_resolve(&u, err) || space_check(&u, err) ||
		inputs_stage(&u, true, err))
		goto out;
	if (step->scratch != WEFT_SCRATCH_SHARED &&
		(weft_mkdirs(u.work, 0700, err) || files_place(&u, err)))
		goto out;
	*moved = u.moved;
	*want = u.want;
	u.want = (struct weft_str){0};
	*hashes = u.hashes;
	u.hashes = (struct weft_str){0};
	r = 0;
out:
	unit_close(&u);
	return r;
}

int weft_engine_stage_out(const struct weft_engine *e, const struct weft_step *step,
	size_t member, const char *node_root, const char *memory_root, unsigned part,
	struct weft_str *hashes, struct weft_err *err)
{
	struct unit u;
	int r = -1;

	if (open_on_node(&u, e, step, member, node_root, memory_root, err) == 0 &&
		inputs_resolve(&u, err) == 0) {
		weft_autofree char *into = weft_printf("%s/parts/%u", u.dir, part);

		r = into ? outputs_publish(&u, into, err) : weft_err_nomem(err);
		*hashes = u.hashes;
		u.hashes = (struct weft_str){0};
	}
	unit_close(&u);
	return r;
}

void weft_engine_stage_ahead(const struct weft_engine *e, const struct weft_step *step,
	size_t member, unsigned nodes)
{
	ahead_bring(e, step, member, nodes);
}

int weft_engine_stage_clean(
	const char *node_root, const char *memory_root, struct weft_err *err)
{
	const char *root[] = {node_root, memory_root};

	for (size_t i = 0; i < 2; i++) {
		if (!root[i])
			continue;
		if (weft_remove_tree(root[i], err))
			return -1;
		/* The run's folder goes with its last member. */
		weft_autofree char *up = strdup(root[i]);
		if (up && strrchr(up, '/')) {
			*strrchr(up, '/') = '\0';
			rmdir(up);
		}
	}
	return 0;
}

int weft_engine_environment(const struct weft_engine *e, const struct weft_step *step,
	size_t member, struct weft_env *env, struct weft_err *err)
{
	struct unit u;
	int r = -1;

	if (unit_open(&u, e, step, member, err) == 0 && unit_node_roots(&u, err) == 0 &&
		inputs_resolve(&u, err) == 0)
		r = unit_env(&u, env, err);
	unit_close(&u);
	return r;
}
