/* api.h - libslurm, loaded when it is first needed. */
#ifndef WEFT_SLURM_API_H
#define WEFT_SLURM_API_H

#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>

#include "slurm/slurm.h"

/* What is called by name; those behind OPTIONAL may be NULL. */
#define SLURM_API(NEEDED)                                                              \
	NEEDED(slurm_api_version)                                                      \
	NEEDED(slurm_init)                                                             \
	NEEDED(slurm_strerror)                                                         \
	NEEDED(slurm_get_errno)                                                        \
	NEEDED(slurm_load_ctl_conf)                                                    \
	NEEDED(slurm_free_ctl_conf)                                                    \
	NEEDED(slurm_load_partitions)                                                  \
	NEEDED(slurm_free_partition_info_msg)                                          \
	NEEDED(slurm_load_node)                                                        \
	NEEDED(slurm_free_node_info_msg)                                               \
	NEEDED(slurm_get_select_nodeinfo)                                              \
	NEEDED(slurm_load_reservations)                                                \
	NEEDED(slurm_free_reservation_info_msg)                                        \
	NEEDED(slurm_load_licenses)                                                    \
	NEEDED(slurm_free_license_info_msg)                                            \
	NEEDED(slurm_load_job_user)                                                    \
	NEEDED(slurm_load_jobs)                                                        \
	NEEDED(slurm_job_cpus_allocated_on_node)                                       \
	NEEDED(slurm_free_job_info_msg)                                                \
	NEEDED(slurm_init_job_desc_msg)                                                \
	NEEDED(slurm_job_will_run2)                                                    \
	NEEDED(slurm_kill_job2)

struct slurm_api {
#define MEMBER(name) __typeof__(&name) name;
	SLURM_API(MEMBER)
#undef MEMBER
	/* Exported, but in no public header; NULL where this Slurm has them not. */
	char *(*reason_string)(int reason);
	void (*free_will_run)(will_run_response_msg_t *msg);
};

/* NULL with the error set: no libslurm, of another version, no slurm.conf. */
const struct slurm_api *slurm_api(struct weft_err *err);

/*
 * libslurm writes its complaints to stderr.  Between these two they are collected
 * instead, and an error gets their first line; NULL err: they are dropped.
 */
struct slurm_hush {
	int saved, log;
};
void slurm_hush_begin(struct slurm_hush *h);
void slurm_hush_end(struct slurm_hush *h, struct weft_err *err);

/* "slurm.conf: what: what Slurm says of its errno" as WEFT_ESLURM; returns -1. */
int slurm_error(const struct slurm_api *api, struct weft_err *err, const char *what);

#endif
