"""The processes that train together, as torchrun or ``accelerate launch`` started them.

In: their environment (``WORLD_SIZE``, ``RANK``, ``LOCAL_RANK``, ``MASTER_ADDR``, ``MASTER_PORT``). Out:
a ``World``. DDP and FSDP are torch's own; whoever runs one process alone meets neither.
"""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.tensor import DTensor, distribute_tensor

from pipelines.backends.local import device_of
from pipelines.errors import TrainError
from pipelines.recipe import Hardware


@dataclass(frozen=True, slots=True)
class World:
    """This process among ``size``; ``shard``: weights are spread over all of them (FSDP)."""

    rank: int
    size: int
    device: torch.device
    shard: bool = False

    @property
    def first(self) -> bool:
        """Whether this process speaks and writes for all."""
        return self.rank == 0

    def wrap(self, module: torch.nn.Module, layers: list[torch.nn.Module]) -> torch.nn.Module:
        """``module`` so that its gradients are the mean over all processes; ``layers`` are its shards."""
        if self.size == 1:
            return module
        if not self.shard:
            places = [self.device.index] if self.device.type == "cuda" else None
            return torch.nn.parallel.DistributedDataParallel(module, device_ids=places)
        from torch.distributed.fsdp import fully_shard

        for layer in layers:
            fully_shard(layer)
        fully_shard(module)
        return module

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process."""
        if self.size == 1:
            return flag
        found = torch.tensor([float(flag)], device=self.device)
        dist.all_reduce(found, dist.ReduceOp.MAX)
        return bool(found.item())

    def total(self, value: torch.Tensor) -> torch.Tensor:
        """The sum over all processes."""
        if self.size > 1:
            value = value.detach().clone()
            dist.all_reduce(value)
        return value

    def wait(self) -> None:
        """Until every process is here."""
        if self.size > 1:
            dist.barrier()


ALONE = World(0, 1, torch.device("cpu"))


@contextlib.contextmanager
def world(hardware: Hardware) -> Iterator[World]:
    """Join the other processes; ``TrainError`` where they are not as many as the recipe says.

    Launchers differ in what they do without a GPU: one is known to start a single process silently.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size != hardware.processes:
        raise TrainError(
            f"The recipe's hardware.processes is {hardware.processes} and {size} "
            f"{'process runs' if size == 1 else 'processes run'}: start as many with hardware.launch, "
            "for instance torchrun --nproc_per_node."
        )
    device = _device(hardware)
    if size == 1:
        yield World(0, 1, device)
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield World(dist.get_rank(), dist.get_world_size(), device, hardware.parallel == "fsdp")
        # DDP's buckets are in cycles; and who leaves first lets gloo wait for it for ever.
        gc.collect()
        dist.barrier()
    finally:
        dist.destroy_process_group()


def _device(hardware: Hardware) -> torch.device:
    if hardware.device == "auto" and torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    return device_of(hardware.device)


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor gathered from its shards; every process has to ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def like(tensor: torch.Tensor, parameter: Any) -> torch.Tensor:
    """``tensor`` sharded and placed as ``parameter`` is, where it has that shape."""
    tensor = tensor.to(parameter.device) if tensor.ndim else tensor
    if isinstance(parameter, DTensor) and tensor.shape == parameter.shape:
        return distribute_tensor(tensor, parameter.device_mesh, parameter.placements)
    return tensor
