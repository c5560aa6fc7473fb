#!/bin/sh
#SBATCH --partition=gpu --nodes=1 --gpus-per-node=2 --ntasks=1 --cpus-per-task=8 --time=10
srun --weft-step=train torchrun --nproc_per_node=2 train.py model.pt
