/*
 * watch - tells slurmstepd that Slurm has killed what runs in the step on this node.
 *
 * slurmstepd's plug-ins aren't told, and whether a child of slurmstepd's own is hit is
 * a matter of how the site tracks processes (proctrack/cgroup with cgroup v1 leaves it
 * alone).  So a process that does nothing stands among the step's, and dies with them.
 *
 * Runs as: slurmstepd, and the user in the task's child.  It isn't thread-safe.
 */
#ifndef WEFT_SPANK_WATCH_H
#define WEFT_SPANK_WATCH_H

/* In slurmstepd, before the tasks are forked.  -1: it can't be had. */
int watch_prepare(void);
/* In one task's child, as the user; it returns at once. */
void watch_start(void);
/* In slurmstepd, when the tasks have ended: hangs up when the step was killed, also
 * before this was called; -1: nobody watches. */
int watch_fd(void);
/* In slurmstepd: it has nothing more to watch, and ends. */
void watch_end(void);

#endif
