#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Learns the reaction of gray-scott over one time step from a sweep of runs.

The network sees one cell at a time, (u, v, feed, kill), and gives (p0, p1), how much
reacts during the step:

    u(dt) = 1 - (1 - u) exp(-feed dt)      - u v^2 p0
    v(dt) =     v exp(-(feed + kill) dt)   + u v^2 p1

Runs alone or under torchrun, on GPUs (nccl) where there are any, else on CPUs (gloo).
"""

import argparse
import math
import os
import sys
import time

import numpy
import torch
import torch.distributed as dist

import fields

DIFFUSE_U, DIFFUSE_V = 0.16, 0.08  # as in the solver

# An error counts against what reacts in its cell, or against this part of the usual
# amount where less does: fronts grow out of cells in which little happens yet.
SMALL = 0.1


class Ranks:
    """The processes of the training, or the one process there is."""

    def __init__(self):
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        self.device = torch.device("cpu")
        if torch.cuda.is_available():
            local = int(os.environ.get("LOCAL_RANK", "0"))
            # A launcher may show each worker its own GPU only.
            self.device = torch.device("cuda", local % torch.cuda.device_count())
            torch.cuda.set_device(self.device)
        if self.size > 1:
            dist.init_process_group("nccl" if self.device.type == "cuda" else "gloo")

    def reduce(self, values, op):
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        if self.size > 1:
            dist.all_reduce(tensor, op=op)
        return tensor.tolist()

    def say(self, text):
        if self.rank == 0:
            print(text, flush=True)

    def leave(self):
        if self.size > 1:
            dist.destroy_process_group()


def linear_part(u, v, feed, kill, dt, exp):
    """What feed and removal alone would do."""
    return 1 - (1 - u) * exp(-feed * dt), v * exp(-(feed + kill) * dt)


def draw(path, count, rng):
    """Cells of a samples file: (u, v, feed, kill, u v^2, r0, r1) each.

    Half of them from where V is, as most of a young field is empty.
    """
    field = fields.Field(path)
    if field.planes.shape[0] != 4:
        raise fields.Bad(f"{path}: not a samples file")
    u, v, u1, v1 = (plane.reshape(-1) for plane in field.planes)
    busy = numpy.flatnonzero(v > 0.01)
    cells = rng.integers(0, u.size, count)
    if busy.size:
        cells[: count // 2] = busy[rng.integers(0, busy.size, count // 2)]
    u, v, u1, v1 = u[cells], v[cells], u1[cells], v1[cells]
    lin_u, lin_v = linear_part(u, v, field.feed, field.kill, field.dt, numpy.exp)
    cell = numpy.stack([u, v, numpy.full_like(u, field.feed),
                        numpy.full_like(u, field.kill), u * v * v,
                        lin_u - u1, v1 - lin_v], axis=1)
    return cell, field.dt


def load(folders, per_file, seed):
    """All samples, in parts to learn from and to validate with, and their dt."""
    learn, check, steps = [], [], set()
    number = 0
    for folder in folders:
        for path in fields.files(folder, "samples").values():
            cells, dt = draw(path, per_file, numpy.random.default_rng([seed, number]))
            # Whole snapshots are held out: cells of one are much alike.
            (check if number % 7 == 3 else learn).append(cells)
            steps.add(dt)
            number += 1
    if not learn or not check:
        raise fields.Bad("fewer than 4 samples files; run gray-scott with a smaller "
                         "--every, and with --samples")
    if len(steps) > 1:
        raise fields.Bad(f"runs of several time steps ({sorted(steps)}): "
                         "a network is for one; give all runs the same --dt")
    return numpy.concatenate(learn), numpy.concatenate(check), steps.pop()


def build(width, depth):
    """width hidden units, depth hidden layers; gray-scott knows these two shapes."""
    layers, last = [], 4
    for _ in range(depth):
        layers += [torch.nn.Linear(last, width), torch.nn.Hardswish()]
        last = width
    return torch.nn.Sequential(*layers, torch.nn.Linear(last, 2))


class Scaled(torch.nn.Module):
    """The network between inputs and outputs of mean 0 and spread 1."""

    def __init__(self, net, cells, dt):
        super().__init__()
        self.net = net
        self.dt = dt
        reacting = cells[cells[:, 4] > 1e-4]
        if not len(reacting):
            raise fields.Bad("nothing reacts in these runs; try another feed and kill")
        for name, values in (("input", cells[:, :4]),
                             ("output", reacting[:, 5:7] / reacting[:, 4:5])):
            spread = values.std(0)
            # An axis that was not swept says nothing: leave it as it is.
            spread[spread < 1e-9] = 1.0
            self.register_buffer(name + "_middle", torch.tensor(values.mean(0)).float())
            self.register_buffer(name + "_spread", torch.tensor(spread).float())

    def forward(self, x):
        out = self.net((x - self.input_middle) / self.input_spread)
        return out * self.output_spread + self.output_middle

    def export(self):
        """The text that gray-scott --network reads, with the scaling folded in."""
        layers = [(m.weight.detach().double().cpu(), m.bias.detach().double().cpu())
                  for m in self.net if isinstance(m, torch.nn.Linear)]
        (weight, bias), spread = layers[0], self.input_spread.double().cpu()
        weight = weight / spread
        layers[0] = weight, bias - weight @ self.input_middle.double().cpu()
        (weight, bias), spread = layers[-1], self.output_spread.double().cpu()
        layers[-1] = (weight * spread[:, None],
                      bias * spread + self.output_middle.double().cpu())
        lines = ["gray-scott-net 1", f"dt {self.dt:.17g}", f"layers {len(layers)}"]
        for i, (weight, bias) in enumerate(layers):
            kind = "linear" if i + 1 == len(layers) else "hardswish"
            lines.append(f"layer {weight.shape[1]} {weight.shape[0]} {kind}")
            for row, b in zip(weight.tolist(), bias.tolist()):
                lines.append(" ".join(f"{w:.9g}" for w in row + [b]))
        return ("\n".join(lines + ["end"]) + "\n").encode()


def relative_error(model, cells, scale):
    """Squares of the relative error of what reacts, a cell each."""
    guess = model(cells[:, :4]) * cells[:, 4:5]
    due = cells[:, 5:7]
    return (((guess - due) / (SMALL * scale + due.abs())) ** 2).mean(1)


def train(ranks, args, model, learn, check):
    """Trains in place; returns (loss, val_loss), relative, of the best epoch."""
    scale = torch.from_numpy(numpy.sqrt((learn[:, 5:7] ** 2).mean(0))).float()
    scale = scale.to(ranks.device)
    mine = torch.from_numpy(learn[ranks.rank :: ranks.size]).float().to(ranks.device)
    check = torch.from_numpy(check[ranks.rank :: ranks.size]).float().to(ranks.device)
    # Every rank must take the same number of batches.
    count = len(learn) // ranks.size
    batch = min(args.batch, count)
    batches = count // batch
    wrapped = model
    if ranks.size > 1:
        wrapped = torch.nn.parallel.DistributedDataParallel(model)
    optimizer = torch.optim.Adam(wrapped.parameters(), lr=args.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, args.rate, total_steps=args.epochs * batches, final_div_factor=1e3)
    order = torch.Generator().manual_seed(args.seed * 1000 + ranks.rank)
    best, kept = (None, float("inf")), None

    for epoch in range(args.epochs):
        begin, total = time.monotonic(), 0.0
        shuffled = torch.randperm(len(mine), generator=order).to(ranks.device)
        for i in range(batches):
            cells = mine[shuffled[i * batch : (i + 1) * batch]]
            loss = relative_error(wrapped, cells, scale).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        with torch.no_grad():
            val = relative_error(model, check, scale).double()
        sums = ranks.reduce([total / batches, 1, val.sum().item(), len(val)],
                            dist.ReduceOp.SUM)
        loss, val = (sums[0] / sums[1]) ** 0.5, (sums[2] / sums[3]) ** 0.5
        if val < best[1]:
            best = (loss, val)
            kept = {k: v.clone() for k, v in model.state_dict().items()}
        if ranks.rank == 0:
            fields.append_metrics(args.metrics, epoch=epoch, loss=loss, val_loss=val,
                                  epoch_s=round(time.monotonic() - begin, 3))
        ranks.say(f"epoch {epoch + 1}/{args.epochs}  loss {loss:.5f}  "
                  f"val_loss {val:.5f}  {time.monotonic() - begin:.2f} s")
    if kept is None:
        raise fields.Bad("the loss is not finite: try a smaller --rate")
    model.load_state_dict(kept)
    return best


def diffuse(plane, rate):
    """The solver's five-point step on a periodic square."""
    around = sum(torch.roll(plane, shift, axis) for axis in (0, 1) for shift in (1, -1))
    return plane + rate * (around - 4 * plane)


@torch.no_grad()
def rollout(model, folder, device):
    """Follows the second half of a run with the network; error of v at its end."""
    paths = list(fields.files(folder, "field").values())
    first, last = fields.Field(paths[len(paths) // 2]), fields.Field(paths[-1])
    u, v = (torch.tensor(plane, device=device) for plane in first.planes)
    half = 0.5 * first.dt
    pieces = int(numpy.ceil(4 * max(DIFFUSE_U, DIFFUSE_V) * half / 0.8))
    tau = half / pieces
    rates = torch.tensor([first.feed, first.kill], device=device)
    rates = rates.float().expand(u.numel(), 2)

    def transport(u, v):
        for _ in range(pieces):
            u, v = diffuse(u, tau * DIFFUSE_U), diffuse(v, tau * DIFFUSE_V)
        return u, v

    for _ in range(last.step - first.step):
        u, v = transport(u, v)
        cell = torch.cat([torch.stack([u.flatten(), v.flatten()], 1).float(), rates], 1)
        part = model(cell).double().reshape(*u.shape, 2) * (u * v * v)[..., None]
        lin_u, lin_v = linear_part(u, v, first.feed, first.kill, first.dt, math.exp)
        u, v = transport(lin_u - part[..., 0], lin_v + part[..., 1])
    true = torch.tensor(last.planes[1], device=device)
    error = ((v - true).norm() / true.norm()).item()
    return error if error == error else float("inf")


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0],
        epilog="Several processes: torchrun --nproc_per_node 2 train.py ...")
    parser.add_argument("--data", required=True, metavar="DIR",
                        help="folder with a sub folder a run (gray-scott --samples)")
    parser.add_argument("--out", required=True, metavar="FILE",
                        help="the trained network, for gray-scott --network")
    parser.add_argument("--metrics", metavar="FILE", help="append JSON lines here")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--width", type=int, default=16, help="units a hidden layer")
    parser.add_argument("--depth", type=int, default=2, help="hidden layers")
    parser.add_argument("--batch", type=int, default=2048, help="cells, a process")
    parser.add_argument("--cells", type=int, default=4096, help="cells a samples file")
    parser.add_argument("--rate", type=float, default=2e-2, help="of learning, at most")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for name, low, high in (("epochs", 1, 10**6), ("width", 1, 64), ("depth", 1, 5),
                            ("batch", 1, 10**9), ("cells", 2, 10**9),
                            ("seed", 0, 2**31)):
        if not low <= getattr(args, name) <= high:
            parser.error(f"--{name} must be from {low} to {high}")
    return args


def main():
    args = arguments()
    begin = time.monotonic()
    torch.manual_seed(args.seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    folders = fields.members(args.data)
    learn, check, dt = load(folders, args.cells, args.seed)
    ranks = Ranks()
    ranks.say(f"{len(folders)} runs, {len(learn)} cells to learn from, {len(check)} to "
              f"validate with, dt {dt:g}; {ranks.size} x {ranks.device.type}")
    model = Scaled(build(args.width, args.depth), learn, dt).to(ranks.device)
    loss, val = train(ranks, args, model, learn, check)
    errors = [rollout(model, folder, ranks.device)
              for folder in folders[ranks.rank :: ranks.size]]
    error, = ranks.reduce([max(errors, default=0.0)], dist.ReduceOp.MAX)
    if ranks.rank == 0:
        fields.replace(args.out, model.export())
        fields.append_metrics(args.metrics, loss=loss, val_loss=val,
                              rollout_error=error, workers=ranks.size,
                              device=ranks.device.type, cells=len(learn),
                              train_s=round(time.monotonic() - begin, 3))
    ranks.say(f"best val_loss {val:.5f}, rollout error of v {error:.4%}, "
              f"{time.monotonic() - begin:.1f} s: {args.out}")
    ranks.leave()


if __name__ == "__main__":
    try:
        main()
    except (fields.Bad, OSError) as e:
        sys.exit(f"train.py: {e}")
