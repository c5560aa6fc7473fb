#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the steered search took and found, beside the full grid: two runs of weft."""

import argparse
import glob
import json
import os
import sys


def lines(path):
    """JSON lines; one that is torn (its writer was killed) counts for nothing."""
    with open(path, encoding="utf-8") as f:
        for line in f:
            try:
                yield json.loads(line)
            except ValueError:
                pass


class Run:
    """See weft-journal(5) for what a run has on disk."""

    def __init__(self, folder):
        ran = {}
        for path in glob.glob(folder + "/records/**/*.jsonl", recursive=True):
            for r in lines(path):
                if r["step"] == "simulate" and "started" in r:
                    ran[r["member"], r["attempt"]] = r
        ran = ran.values()
        steering = folder + "/steps/simulate/steer/calls.jsonl"
        calls = list(lines(steering)) if os.path.exists(steering) else []
        answer, = lines(folder + "/steps/answer/metrics.jsonl")
        nodes = {host for r in ran for host in r["hosts"].split(",")}
        self.members = len(ran)
        self.core_s = sum(r.get("user_seconds", 0) + r.get("system_seconds", 0)
                          for r in ran)
        self.steer_s = sum(call["cpu_s"] for call in calls)
        self.node_s = len(nodes) * (max(r["ended"] for r in ran) -
                                    min(r["started"] for r in ran))
        self.mismatch = answer["mismatch"]
        self.point = f"{answer['feed']:g}, {answer['kill']:g}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("steered", metavar="STEERED", help="run directory")
    parser.add_argument("grid", metavar="GRID", help="run directory of the full grid")
    parser.add_argument("--bar", type=float, default=3, metavar="X",
                        help="times fewer that it is to be")
    parser.add_argument("--only", choices=["members"],
                        help="the bar is for members alone, not for node-seconds")
    args = parser.parse_args()
    steered, grid = Run(args.steered), Run(args.grid)

    def row(what, a, b, form, ratio=None):
        print(f"{what:34}{a:>{form}}{b:>{form}}" +
              (f"{ratio:8.1f} times fewer" if ratio else ""))

    members = grid.members / steered.members
    node_s = grid.node_s / steered.node_s
    row("", "full grid", "steered", "16")
    row("members run", grid.members, steered.members, "16", members)
    row("node-seconds", grid.node_s, steered.node_s, "16.1f", node_s)
    row("core-seconds, all", grid.core_s, steered.core_s + steered.steer_s, "16.1f",
        grid.core_s / (steered.core_s + steered.steer_s))
    row("  of these, the networks'", 0, steered.steer_s, "16.1f")
    row("feed, kill of the best", grid.point, steered.point, "16")
    row("its mismatch", grid.mismatch, steered.mismatch, "16.2%")
    missed = [what for what, bad in (
        (f"{args.bar:g} times fewer members", members < args.bar),
        (f"{args.bar:g} times fewer node-seconds", not args.only and node_s < args.bar),
        ("the same mismatch, within a tenth", steered.mismatch > 1.1 * grid.mismatch),
    ) if bad]
    if missed:
        sys.exit("MISSED: " + ", ".join(missed))


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, KeyError) as e:
        sys.exit(f"compare.py: {e!r}")
