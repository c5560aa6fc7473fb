/* work.h - what making one plan holds; shared by the files that make it. */
#ifndef WEFT_SELECT_WORK_H
#define WEFT_SELECT_WORK_H

#include "select/forecast.h"

struct work {
	const struct weft_workflow *wf;
	const struct weft_conf *conf;
	const struct weft_cluster *cluster;
	bool local;
	const struct weft_select_past *past; /* by step; NULL */
	const uint64_t *const *given;        /* by step; NULL */
	const struct weft_select_place *place;
	size_t n_places;
	enum weft_group_mode group;
	int64_t longest; /* job of several; 0: no limit but the partition's */
	struct pools pools;
	struct forecasts forecasts;
	struct weft_plan *plan;
	struct weft_errs *errs;
	struct weft_arena scratch;
	struct weft_map cache; /* request -> step that asked the same */
};

/* An error at a key of a step's resources; takes over *err. */
void blame(const struct weft_workflow *wf, const struct weft_step *step,
	size_t alternative, enum ask_key key, struct weft_err *err);
/* The pools, and what Slurm says of them. */
int open_pools(
	struct work *w, const struct weft_select_options *opt, struct weft_err *err);
void close_pools(struct work *w);
/* Do resources differ between members; or between attempts? */
bool resources_vary(const struct weft_step *step);
bool resources_grow(const struct weft_step *step);
/* The resources of an alternative with the role's and the site's defaults. */
int evaluate(const struct weft_workflow *wf, const struct weft_conf *conf,
	const struct weft_step *step, size_t alternative,
	const struct weft_member *member, struct weft_resources *r,
	struct weft_err *err);
int evaluate_attempt(const struct weft_workflow *wf, const struct weft_conf *conf,
	const struct weft_step *step, size_t alternative,
	const struct weft_member *member, unsigned attempt, struct weft_resources *r,
	struct weft_err *err);
/* What the members of a step ask for; errors into w->errs. */
int collect_asks(struct work *w, const struct weft_step *step, size_t alternative,
	bool vary, struct asks *asks);
/* What choosing among candidates goes by: run times, and the way of the data.  The
 * plan's steps that this one needs are placed already. */
struct goal step_goal(
	struct work *w, const struct weft_step *step, const struct asks *asks);
/* Partition and size of every step; errors into w->errs. */
void place_steps(struct work *w, struct asks *asks);
/* licenses: "matlab:2,ansys" against what the cluster has. */
int check_licenses(struct work *w, const struct weft_step *step, size_t alternative,
	const char *list, struct weft_err *err);
/* Fills the plan's step from the choice. */
void write_step(struct weft_plan_step *out, const struct ask *a, const struct choice *c,
	size_t members);
void add_hours(struct weft_plan_step *out, const struct choice *c, bool whole_nodes);

/* data.c: bytes that one member of a step reads, as earlier runs say. */
struct traffic {
	double moved; /* over the shared file system */
	double stays; /* where it is made */
};
/* stays: the part of what so many members have made for that input that needs no way.
 * False: nothing is known of it. */
bool step_traffic(const struct work *w, const struct weft_step *s,
	double (*stays)(void *ctx, const struct weft_input *in, double members),
	void *ctx, struct traffic *t);
/* Of what an input's step has made and nodes have, the part that is on a node of the
 * partition, a node; negative: no node has any of it. */
double places_part(struct work *w, const struct weft_input *in, const char *partition);
double traffic_seconds(const struct work *w, double bytes);

/* Bytes that files of a member take of a node's memory, as far as that is known: inputs
 * `to: memory`, and with `scratch: memory` what it makes, or `tmp` where that is more.
 */
uint64_t step_in_memory(const struct work *w, const struct weft_step *s, uint64_t tmp);

/* budget.c: errors into w->errs. */
void check_budget(struct work *w);
/* Four digits of an hour: a third of a second. */
double round_hours(double v);
/* group.c: groups, what they wait for; errors into w->errs. */
int make_groups(struct work *w, struct weft_err *err);

/* estimate.c: when groups and steps start and end. */
int make_estimate(struct work *w, struct weft_err *err);

#endif
