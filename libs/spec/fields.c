#include <string.h>

#include "spec/fields.h"

const struct spec_field spec_fields[N_FIELDS] = {
#define F(ctx, name, what, forms, text, ...)                                           \
	[ctx##_##name] = {.key = #name,                                                \
		.in = IN_##ctx,                                                        \
		.kind = (what),                                                        \
		.shapes = (forms),                                                     \
		.doc = (text),                                                         \
		__VA_ARGS__},
#include "field_list.h"
#undef F
};

static const char *const titles[N_CONTEXTS] = {
	[IN_TOP] = "Top level",
	[IN_STEP] = "A step",
	[IN_RESOURCES] = "resources",
	[IN_PLACE] = "place",
	[IN_SWEEP] = "sweep",
	[IN_AXIS] = "An axis",
	[IN_INPUT] = "An entry of inputs",
	[IN_OUTPUT] = "An entry of outputs",
	[IN_DEPEND] = "An entry of depends",
	[IN_FILE] = "An entry of files",
	[IN_SECRET] = "An entry of secrets",
	[IN_BUDGET] = "budget",
	[IN_CHANNEL] = "An entry of channels",
	[IN_LOOP] = "loop",
	[IN_TRACK] = "track",
	[IN_WITH] = "An entry of with",
	[IN_SERVICE] = "service",
	[IN_READY] = "ready",
	[IN_PUBLISH] = "An entry of publishes",
	[IN_STEER] = "steer",
	[IN_SEAT] = "resources of steer",
	[IN_RETRY] = "An entry of retries",
	[IN_CHECKPOINT] = "checkpoint",
	[IN_CONTAINER] = "container",
};

size_t spec_first(enum spec_context in, size_t *n)
{
	size_t first = 0, last;
	while (first < N_FIELDS && spec_fields[first].in != in)
		first++;
	for (last = first; last < N_FIELDS && spec_fields[last].in == in;)
		last++;
	*n = last - first;
	return first;
}

const char *spec_context_title(enum spec_context in)
{
	return titles[in];
}

int spec_enum(const char *values, const char *word)
{
	size_t len = strlen(word);
	if (!len)
		return -1;
	for (int i = 0;; i++) {
		size_t n = strcspn(values, " ");
		if (n == len && !memcmp(values, word, n))
			return i;
		if (!values[n])
			return -1;
		values += n + 1;
	}
}

const char *spec_names_text(enum spec_names names)
{
	switch (names) {
	case AT_NEVER:
		break;
	case AT_LOAD:
		return "`vars` and `workflow.dir`";
	case AT_TOP:
		return "`vars`, `member`, `attempt`, `run`, `step` and `workflow`";
	case AT_SIZE:
		return "`vars`, `params`, `member`, `loop` and `attempt`";
	case AT_STEER:
		return "`vars`, `run` and `workflow`";
	case AT_UNTIL:
		return "`vars`, `steps`, `loop`, `run` and `workflow`";
	case AT_WHEN:
		return "`vars`, `params`, `env`, `steps`, `member`, `loop`, `attempt`, "
		       "`run` and `workflow`";
	case AT_START:
		return "`vars`, `params`, `env`, `steps`, `member`, `loop`, `attempt`, "
		       "`run`, `step` and `workflow`";
	case AT_RUN:
		return "`vars`, `params`, `env`, `inputs`, `outputs`, `steps`, "
		       "`member`, "
		       "`loop`, `attempt`, `run`, `step` and `workflow`";
	}
	return "no names";
}

/* ---- names of the enums, in the order of the table's values ---- */

const char *weft_role_name(enum weft_role role)
{
	static const char *const names[WEFT_N_ROLES] = {
		"analysis", "simulation", "training", "inference", "steering"};
	return (unsigned)role < WEFT_N_ROLES ? names[role] : "analysis";
}

const char *weft_launch_name(enum weft_launch launch)
{
	static const char *const names[] = {
		"default", "single", "srun", "mpi", "torchrun"};
	return (unsigned)launch < WEFT_COUNT(names) ? names[launch] : "default";
}

const char *weft_scratch_name(enum weft_scratch scratch)
{
	static const char *const names[] = {"shared", "node", "memory"};
	return (unsigned)scratch < WEFT_COUNT(names) ? names[scratch] : "shared";
}
