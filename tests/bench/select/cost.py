#!/usr/bin/env python3
"""cost.py - what a contender's jobs held: core-seconds, GPU-seconds and their number.

usage: cost.py USER BEGIN LOG < `scontrol -d -o show job`

Of USER's jobs that were submitted from BEGIN (seconds since 1970) on.  Slurm knows starts
and ends in whole seconds; slurmctld's LOG has them in milliseconds, and where it doesn't
tell them the whole seconds count.
"""
import re
import sys
from datetime import datetime

START = re.compile(r"(?:Started|Allocate|_slurm_rpc_allocate_resources) " + (ID := r"JobId=(\d+)(?:[_+]\w+\((\d+)\))?"))
END = re.compile(rf"_job_complete: {ID} done")


def precise(log):
    """By job id: [start, end]."""
    times = {}
    for line in log:
        for k, pattern in enumerate((START, END)):
            if m := pattern.search(line):
                when = datetime.fromisoformat(line[1 : line.index("]")]).timestamp()
                times.setdefault(int(m[2] or m[1]), [None, None])[k] = when
    return times


def gpus(words):
    return sum(int(g.rsplit(":", 1)[1]) for g in words.get("JOB_GRES", "").split(",") if g.startswith("gpu:"))


def main():
    user, begin = sys.argv[1], int(float(sys.argv[2]))
    with open(sys.argv[3], encoding="utf-8", errors="replace") as log:
        logged = precise(log)
    cores = gpu = n = 0
    for line in sys.stdin:
        words = dict(w.split("=", 1) for w in line.split() if "=" in w)
        if not words.get("UserId", "").startswith(user + "(") or words["StartTime"] == "Unknown":
            continue
        submitted, *span = (datetime.fromisoformat(words[k]).timestamp() for k in ("SubmitTime", "StartTime", "EndTime"))
        if submitted < begin:
            continue
        for k, exact in enumerate(logged.get(int(words["JobId"]), [None, None])):
            if exact is not None and abs(exact - span[k]) < 2:
                span[k] = exact
        cores += int(words["NumCPUs"]) * (span[1] - span[0])
        gpu += gpus(words) * (span[1] - span[0])
        n += 1
    print(f"{cores:.2f} {gpu:.2f} {n}")


main()
