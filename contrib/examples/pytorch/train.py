"""Fits a small network to a sine with as many workers as torchrun starts."""

import json
import sys

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
rank = dist.get_rank()
torch.manual_seed(rank)
device = "cuda" if torch.cuda.is_available() else "cpu"
if device == "cuda":
    torch.cuda.set_device(rank % torch.cuda.device_count())

x = torch.rand(512, 1, device=device)
y = torch.sin(3 * x)
net = torch.nn.Sequential(torch.nn.Linear(1, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
model = DistributedDataParallel(net.to(device))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(200):
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()

if rank == 0:
    torch.save(net.state_dict(), sys.argv[1])
    with open("metrics.jsonl", "a") as metrics:
        metrics.write(json.dumps({"loss": loss.item()}) + "\n")
    print(f"{dist.get_world_size()} workers on {device}, loss {loss.item():.5f}")
dist.destroy_process_group()
