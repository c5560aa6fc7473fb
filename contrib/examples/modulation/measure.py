#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Statistics of a pattern of gray-scott, and how far they are from those of the target."""

import json
import os
import sys

import numpy

import fields

NAMES = ("mean", "spread", "wavenumber")
DEAD = 1e-3  # a spread below this is no pattern


def statistics(v):
    """What of a pattern doesn't depend on where its spots and stripes happen to lie."""
    spread = float(v.std())
    power = abs(numpy.fft.fft2(v - v.mean())) ** 2
    waves = numpy.hypot(*numpy.meshgrid(*(numpy.fft.fftfreq(n) for n in v.shape),
                                        indexing="ij"))
    number = float((waves * power).sum() / power.sum()) if spread > DEAD else 0.0
    return {"mean": float(v.mean()), "spread": spread, "wavenumber": number}


def mismatch(found, target):
    """0: the same; 0.02: off by 2%, the root mean square over the statistics."""
    off = [found[name] / target[name] - 1 for name in NAMES]
    return float(numpy.sqrt(numpy.mean(numpy.square(off))))


def main():
    folder, *target = sys.argv[1:]
    field = fields.Field(list(fields.files(folder, "field").values())[-1])
    said = statistics(field.planes[1])
    if target:
        with open(target[0], encoding="utf-8") as f:
            said["mismatch"] = mismatch(said, json.load(f))
    print(json.dumps(said))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: measure.py FIELDS [TARGET.json]   prints a JSON line")
    try:
        main()
    except (fields.Bad, OSError, IndexError) as e:
        sys.exit(f"measure.py: {os.path.basename(sys.argv[1])}: {e}")
