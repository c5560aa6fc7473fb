#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Steers the search: weft calls it each time that some members have ended.

It trains a few small networks on what those have found, from (feed, kill) to the
statistics of the pattern, and lets each of them say at which point of the grid the
target's statistics are.  Where little is known the networks disagree: that is the
uncertainty.  What they ask for is added or comes first, what none of them believes in is
cancelled, and when none expects better than the best that was seen, the search stops.
"""

import argparse
import collections
import json
import math
import os

import torch

import measure

NETWORKS, WIDTH, EPOCHS, RATE = 24, 32, 400, 0.02
SURE = 0.95   # part of the networks that expect nothing better
HOPELESS = 3  # times the best mismatch: no network expects less of the member
FEW = 6       # results; with fewer, the sweep goes on as it began


class Networks(torch.nn.Module):
    """Many perceptrons at once, each on top of a random one of its own that stays.

    Far from the data these differ, and so do the sums: networks that were only started
    from different weights agree too much there.
    """

    def __init__(self, inputs, outputs):
        super().__init__()
        sizes = [inputs, WIDTH, WIDTH, outputs]

        def layers():
            return [torch.randn(NETWORKS, a + 1, b) / math.sqrt(a)
                    for a, b in zip(sizes, sizes[1:])]

        self.fixed = layers()
        self.learned = torch.nn.ParameterList(map(torch.nn.Parameter, layers()))

    def forward(self, x):
        x = x.expand(NETWORKS, *x.shape)
        return self.run(self.learned, x) + self.run(self.fixed, x)

    @staticmethod
    def run(layers, x):
        for i, layer in enumerate(layers):
            x = torch.baddbmm(layer[:, -1:], torch.tanh(x) if i else x, layer[:, :-1])
        return x


def believe(points, off, grid):
    """What each network expects at each point of the grid: networks x points x statistics.

    off: of the points that have run, how far each statistic is from the target's.
    """
    net = Networks(points.shape[1], off.shape[1])
    # What is near the target must be known well, the rest roughly; and each network
    # takes the points with a weight of its own.
    weight = torch.empty(NETWORKS, len(points)).exponential_() + 0.1
    weight = (weight / (0.05 + off.square().mean(1)).sqrt())[..., None]
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=EPOCHS)
    for _ in range(EPOCHS):
        loss = (weight * (net(points) - off).square()).mean() / weight.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        return net(grid)


def beside(a, b, grid):
    sides = [sorted(set(axis)) for axis in zip(*grid)]
    return all(abs(side.index(x) - side.index(y)) <= 1 for side, x, y in zip(sides, a, b))


def decide(grid, seen, pending, target, batch):
    """Actions, as weft takes them, and what they follow from.

    grid: points, (feed, kill) each.  seen: {point: statistics, or None where there are
    none}.  pending: {point: id of the member that is yet to run, or runs}.
    """
    good = {p: s for p, s in seen.items() if s}
    left = [p for p in grid if p not in seen]
    if len(good) < FEW or not left:
        return [], {}
    best, at = min((measure.mismatch(s, target), p) for p, s in good.items())
    low, high = (torch.tensor([f(axis) for axis in zip(*grid)]) for f in (min, max))

    def scale(points):
        return 4 * (torch.tensor(points) - low) / (high - low) - 2

    off = torch.tensor([[s[name] / target[name] - 1 for name in measure.NAMES]
                        for s in good.values()])
    expected = believe(scale(list(good)), off, scale(left)).square().mean(2).sqrt()

    # The point that each network believes in, where that beats the best one.
    least, where = expected.min(1)
    votes = collections.Counter(left[i] for e, i in zip(least, where) if e < best)
    # None is believed about what is right beside the best: that is run anyway.
    neighbours = [p for p in left if beside(p, at, grid)]
    sure = 1 - sum(votes.values()) / NETWORKS
    said = {"best": best, "sure": sure}
    if sure >= SURE and not neighbours:
        return [{"stop": f"{sure:.0%} of the networks expect no better than {best:.2%}"}], said

    votes.update(neighbours)
    actions = []
    for point, count in votes.most_common():
        if point in pending:
            actions.append({"priority": [pending[point], count]})
        elif batch > 0:
            actions.append({"add": {"feed": point[0], "kill": point[1]}})
            batch -= 1
    hope = dict(zip(left, expected.min(0).values))
    for point, member in pending.items():
        if point not in votes and hope.get(point, 0) > HOPELESS * best:
            actions.append({"cancel": member})
    return actions, said


def axis(text):
    first, last, step = map(float, text.split(","))
    digits = len(text.rpartition(".")[2])
    count = round((last - first) / step) + 1
    return [round(first + i * step, digits) for i in range(count)]


def lines(name):
    with open(os.environ[name], encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--target", required=True, metavar="FILE")
    parser.add_argument("--feed", required=True, type=axis, metavar="FIRST,LAST,STEP")
    parser.add_argument("--kill", required=True, type=axis, metavar="FIRST,LAST,STEP")
    parser.add_argument("--batch", type=int, default=6, help="points to add at most")
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    with open(args.target, encoding="utf-8") as f:
        target = json.load(f)

    def point(member):
        return member["params"]["feed"], member["params"]["kill"]

    seen = {point(m): m["metrics"] if m["state"] == "done" else None
            for m in lines("WEFT_RESULTS")}
    pending = {point(m): m["member"] for m in lines("WEFT_PENDING")}
    grid = [(f, k) for f in args.feed for k in args.kill]
    actions, said = decide(grid, seen, pending, target, args.batch)
    for action in actions:
        print(json.dumps(action))
    # For those who look: weft reads standard output alone.
    used = os.times()
    with open("calls.jsonl", "a", encoding="utf-8") as f:
        f.write(json.dumps({"results": len(seen), "actions": len(actions), **said,
                            "cpu_s": round(used.user + used.system, 2)}) + "\n")


if __name__ == "__main__":
    main()
