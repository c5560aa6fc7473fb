#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which of the simulations made the target's pattern, and a map of those that ran."""

import json
import os
import sys

import fields
import measure


def member(folder, line, target):
    pattern = os.path.join(folder, line["path"])
    field = fields.Field(list(fields.files(pattern, "field").values())[-1])
    off = measure.mismatch(measure.statistics(field.planes[1]), target)
    return {**line["params"], "mismatch": off, "pattern": os.path.realpath(pattern)}


def main():
    folder, target = sys.argv[1:]
    with open(target, encoding="utf-8") as f:
        target = json.load(f)
    with open(os.path.join(folder, "index.jsonl"), encoding="utf-8") as f:
        ran = [member(folder, json.loads(line), target) for line in f]
    best = min(ran, key=lambda m: m["mismatch"])
    off = {(m["feed"], m["kill"]): m["mismatch"] for m in ran}
    kills = sorted({kill for _, kill in off})
    print("mismatch in percent, of those that ran\nfeed  kill" +
          "".join(f"{kill:7.4g}" for kill in kills))
    for feed in sorted({feed for feed, _ in off}, reverse=True):
        print(f"{feed:10.4g}" + "".join(
            f"{100 * off[feed, kill]:7.1f}" if (feed, kill) in off else "      ."
            for kill in kills))
    print(f"the best of {len(ran)}: feed {best['feed']}, kill {best['kill']}, "
          f"mismatch {best['mismatch']:.2%}")
    with open("metrics.jsonl", "a", encoding="utf-8") as f:
        f.write(json.dumps({**best, "members": len(ran)}) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: answer.py PATTERNS TARGET.json")
    try:
        main()
    except (fields.Bad, OSError, ValueError) as e:
        sys.exit(f"answer.py: {e}")
