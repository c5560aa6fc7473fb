#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the hybrid run with the full one: error, time, and a picture."""

import argparse
import json
import os
import sys

import numpy

import fields
import picture


def outcome(folder):
    path = os.path.join(folder, "run.json")
    try:
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    except OSError as e:
        raise fields.Bad(f"{path}: {e.strerror}; is the run complete?") from e


def relative(a, b):
    """The relative L2 distance of b from a."""
    return float(numpy.linalg.norm(a - b) / numpy.linalg.norm(a))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("full", metavar="FULL", help="folder of the full run")
    parser.add_argument("hybrid", metavar="HYBRID", help="folder of the hybrid run")
    parser.add_argument("--metrics", metavar="FILE", help="append JSON lines here")
    parser.add_argument("--picture", metavar="FILE", help="write a PNG of both fields")
    parser.add_argument("--max-error", type=float, metavar="X",
                        help="exit 1 when the error of v at the end is above this")
    return parser.parse_args()


def main():
    args = arguments()
    full, hybrid = outcome(args.full), outcome(args.hybrid)
    for key in ("feed", "kill", "size", "steps", "dt"):
        if full[key] != hybrid[key]:
            raise fields.Bad(f"the runs differ in {key} ({full[key]} and "
                             f"{hybrid[key]}): start both with the same")
    ours, theirs = fields.files(args.full, "field"), fields.files(args.hybrid, "field")
    error = None
    print("    step      time   error of u   error of v")
    for step in sorted(ours.keys() & theirs.keys()):
        if step > full["steps"]:
            continue  # left in the folder by an earlier, longer run
        a, b = fields.Field(ours[step]), fields.Field(theirs[step])
        error_u, error = (relative(x, y) for x, y in zip(a.planes, b.planes))
        fields.append_metrics(args.metrics, step=step, time=a.time,
                              error_u=error_u, error_v=error)
        print(f"{step:8d}  {a.time:8g}  {error_u:10.4%}  {error:11.4%}")
    if error is None:
        raise fields.Bad("the runs have no step in common")

    # CPU seconds: both runs may have shared cores with others.
    cpu = [run["reaction_cpu_s"] + run["transport_cpu_s"] for run in (full, hybrid)]
    values = {
        "error": error,
        "full_cpu_s": cpu[0], "hybrid_cpu_s": cpu[1],
        "full_wall_s": full["wall_s"], "hybrid_wall_s": hybrid["wall_s"],
        "full_reaction_cpu_s": full["reaction_cpu_s"],
        "hybrid_reaction_cpu_s": hybrid["reaction_cpu_s"],
        "speedup": round(cpu[0] / cpu[1], 2),
        "reaction_speedup": round(full["reaction_cpu_s"] /
                                  max(hybrid["reaction_cpu_s"], 1e-9), 2),
    }
    fields.append_metrics(args.metrics, **values)
    print(f"CPU time {cpu[0]:.2f} s full, {cpu[1]:.2f} s hybrid: "
          f"{values['speedup']:.1f} times faster, the reaction "
          f"{values['reaction_speedup']:.1f} times")
    if args.picture:
        top = float(a.planes[1].max())
        off = numpy.abs(a.planes[1] - b.planes[1])
        note = f"f={full['feed']:.3g} k={full['kill']:.3g} t={a.time:g}"
        fields.replace(args.picture, picture.draw([
            ("full", note, a.planes[1], top),
            ("hybrid", f"{cpu[0] / cpu[1]:.1f}x faster", b.planes[1], top),
            ("|full - hybrid|", f"{error:.2%} of v", off, top / 10)]))
    if args.max_error is not None and not error <= args.max_error:
        sys.exit(f"compare.py: error {error:.4f} is above {args.max_error}: train longer "
                 "(--epochs) or on runs closer to this feed and kill")


if __name__ == "__main__":
    try:
        main()
    except (fields.Bad, OSError) as e:
        sys.exit(f"compare.py: {e}")
