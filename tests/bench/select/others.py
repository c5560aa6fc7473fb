#!/usr/bin/env python3
"""others.py - another user's jobs that come and go: the same ones for the same seed.

usage: others.py SEED LEAD SECONDS SCALE CLOCK

Submits from LEAD seconds before the contender starts, which it tells by the line "go", and
for SECONDS after.  CLOCK: when slurmctld started, in seconds since 1970.
"""
import random
import subprocess
import sys
import time


def jobs(seed, seconds, scale):
    """(second, options, run time): a third of the CPUs on average, two thirds of the GPUs."""
    r = random.Random(seed)
    t = 0.0
    while t < seconds:
        t += scale * r.expovariate(1 / 3)
        size = r.choice([1, 2, 4, 6])
        yield t, ["--partition=cpu", f"--ntasks={size}"], scale * r.uniform(4, 16)
    t = 0.0
    while t < seconds:
        t += scale * r.expovariate(1 / 6)
        size = r.choice([1, 1, 1, 2])
        yield t, ["--partition=gpu", "--nodes=1", f"--gpus={size}"], scale * r.uniform(6, 20)


def main():
    seed, lead, seconds, scale, clock = sys.argv[1], *map(float, sys.argv[2:6])
    # slurmctld looks for jobs to start each second or two: all contenders of a round meet
    # its clock at the same point, which is another one in each round.
    turn = 2.0
    time.sleep((clock + random.Random(f"turn {seed}").uniform(0, turn) - time.time()) % turn)
    begin = time.monotonic()
    for at, options, length in sorted([*jobs(seed, lead + seconds, scale), (lead, [], 0.0)]):
        time.sleep(max(0.0, begin + at - time.monotonic()))
        if not options:
            print("go", flush=True)
            continue
        command = ["sbatch", "--quiet", "--mem=50M", "--time=1", "--output=/dev/null", *options]
        script = f"#!/bin/sh\nexec sleep {length:.1f}\n"
        subprocess.run(command, input=script, text=True, stdout=subprocess.DEVNULL, check=False)


main()
