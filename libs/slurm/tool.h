/* tool.h - Slurm's own programs, run in a scrubbed environment. */
#ifndef WEFT_SLURM_TOOL_H
#define WEFT_SLURM_TOOL_H

#include "base/base.h"

/* *status is wait()'s; in: its standard input, -1 none. */
int slurm_tool(const char *program, char *const *args, int in, double timeout,
	char **out, char **errout, int *status, struct weft_err *err);

#endif
