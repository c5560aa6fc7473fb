/* doctor.h - the findings of `weft doctor`, and who makes them. */
#ifndef WEFT_COMMAND_DOCTOR_H
#define WEFT_COMMAND_DOCTOR_H

#include "command.h"

enum doctor_verdict { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor_finding {
	enum doctor_verdict verdict;
	const char *check; /* "plug-in", "nodes of gpu" */
	char *text, *hint; /* hint: what to do; NULL: nothing */
};

struct doctor {
	bool json; /* print nothing on the way */
	bool color;
	struct weft_conf *conf;
	struct weft_cluster *cluster;
	const char *partition; /* a job has just run in it; NULL: in none */
	struct doctor_finding *found;
	size_t n, cap;
	bool failed, no_slurm, no_memory;
};

/* Adds and prints; hint may be NULL. */
void doctor_say(struct doctor *d, enum doctor_verdict verdict, const char *check,
	const char *hint, const char *fmt, ...) WEFT_PRINTF(5, 6);
/* The same of an error, with its own hint or else this one. */
void doctor_say_err(struct doctor *d, enum doctor_verdict verdict, const char *check,
	const char *hint, struct weft_err *err);
/* Runs a program of Slurm's outside of any job that we are in: output and messages
 * together in *text. The exit status, or -1 with the error. */
int doctor_run(char *const *argv, double timeout, char **text, struct weft_err *err);

/* On this host: weft.conf, Slurm, the plug-in and plugstack.conf. */
void doctor_check_conf(struct doctor *d);
void doctor_check_slurm(struct doctor *d);
void doctor_check_plugin(struct doctor *d);
/* On a node of every partition, by srun; then, where that worked, the --mpi types. */
void doctor_check_nodes(struct doctor *d);
void doctor_check_mpi(struct doctor *d);

#endif
