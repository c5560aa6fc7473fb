/*
 * request - the size of a job, carried from sbatch, salloc or srun to slurmctld.
 *
 * Made by `weft ticket --for sbatch` in the user's process, carried in WEFT_REQUEST in
 * the job's SPANK environment, read by the controller's half of weft.  One line:
 *
 *   weft-request-1 step=train role=training partition=gpu nodes=2 ntasks=8 time=60
 *
 * that is a version and `key=value` words, each at most once, in the order of the
 * table in request.c, those that ask for nothing left out.  Every byte of it is the
 * user's to forge: it is checked whole, and asks for nothing that the user could not
 * have typed.
 *
 * Ownership: plain data, no pointers.  Units: MiB, minutes, as Slurm has them.
 * Errors: WEFT_EPLACE.  Threads: any.  Runs as: decode runs as SlurmUser under
 * slurmctld's locks: no allocation beyond the error, no I/O, time linear in the text.
 */
#ifndef WEFT_REQUEST_H
#define WEFT_REQUEST_H

#include "base/base.h"

#define WEFT_REQUEST_ENV "WEFT_REQUEST"
#define WEFT_REQUEST_MAX 4096

struct weft_request {
	char step[64], role[16]; /* always there */
	/* "", 0: not asked for. */
	char partition[256], account[128], qos[128], reservation[256];
	uint32_t nodes, ntasks, ntasks_per_node, cpus_per_task;
	bool nodes_given;             /* by the file, not worked out */
	uint32_t gpus, gpus_per_node; /* in all, or on each node; never both */
	char gpu_type[64];
	uint32_t mem, tmp; /* MiB a node */
	uint32_t time;     /* minutes */
	char constraint[256], exclude[1024], nodelist[1024], licenses[256], gres[256];
	bool exclusive;
	uint32_t array, max_parallel; /* tasks of a job array, at a time */
};

/* 0; -1: a value can't be carried. */
int weft_request_encode(
	const struct weft_request *r, struct weft_str *out, struct weft_err *err);
/* *r is all zero on error. */
int weft_request_decode(const char *text, struct weft_request *r, struct weft_err *err);

#endif
