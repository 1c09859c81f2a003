"""Weights, gradients, moments and averages split over all processes (FSDP2), and their checkpoints.

Each process keeps one part of every tensor, and gathers a block's weights only while it computes with them.
What the optimizer and the averages hold is made of these parts, and so is split as they are.
"""

from __future__ import annotations

import logging
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from safetensors import SafetensorError
from torch import nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from photogenic.core.errors import StorageError
from photogenic.core.shards import read_json, write_json

Tensor = torch.Tensor

Model = TypeVar("Model", bound=nn.Module)

HEAD = "checkpoint.json"  # beside the parts, written last: its existence means complete


def is_sharded(module: nn.Module) -> bool:
    """Whether some part of it is split over processes."""
    return any(isinstance(part, FSDPModule) for part in module.modules())


def shard(module: nn.Module) -> None:
    """Split `module` over all processes; one that is split already stays as it is.

    Blocks that diffusers and transformers name as units are gathered one by one, the rest with the model
    that they belong to. Gradients are summed and not averaged: each process scales its loss by its share.
    """
    if is_sharded(module):
        return
    device = next(module.parameters()).device
    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    for parameter in module.parameters():
        parameter.data = parameter.data.contiguous()  # FSDP2 splits no other memory format
    for model in _models(module):
        names = set(getattr(model, "_no_split_modules", None) or ())
        blocks = [part for part in model.modules() if type(part).__name__ in names and part is not model]
        for part in (*reversed(blocks), model):  # from the inside
            fully_shard(part, mesh=mesh, reshard_after_forward=True)
    for part in module.modules():
        if isinstance(part, FSDPModule):
            part.set_gradient_divide_factor(1.0)
            part.set_force_sum_reduction_for_comms(True)
            # Their memory is made here: made while drawing, in inference mode, it could not be trained.
            part.unshard()
            part.reshard()


def _models(module: nn.Module) -> list[nn.Module]:
    """What has a forward pass of its own: all of a collection's members, or the module itself."""
    return list(module.values()) if isinstance(module, nn.ModuleDict) else [module]


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor; of one that is split, all processes must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def gathered(model: Model) -> Model:
    """A whole copy on the CPU of a model of diffusers or transformers; all processes must ask."""
    if not is_sharded(model):
        return model
    weights = {name: whole(value).cpu() for name, value in model.state_dict().items()}
    original: Any = type(model).__bases__[-1]  # FSDP2 puts a class of its own before the model's
    name = "from_config" if hasattr(original, "from_config") else "_from_config"  # diffusers', transformers'
    copy: Model = getattr(original, name)(model.config)
    copy.load_state_dict(weights)
    return copy


@torch.no_grad()
def put(parameter: Tensor, values: Tensor) -> None:
    """Copy a tensor into a parameter; of a whole one each process takes its part where that is split."""
    if isinstance(parameter, DTensor) and not isinstance(values, DTensor):
        values = distribute_tensor(
            values.to(parameter.device, parameter.dtype),
            parameter.device_mesh,
            parameter.placements,
            src_data_rank=None,  # all have the values: nothing is sent
        )
    parameter.copy_(values)


def save_sharded(folder: Path, tensors: Mapping[str, Tensor], head: Mapping[str, object]) -> None:
    """Write `folder` whole or not at all: of each process one safetensors file, and `head`.

    Raises:
        StorageError: a process could not write its part; what was there before is untouched.
    """
    temporary = folder.with_name(f".{folder.name}.new")
    is_main = dist.get_rank() == 0
    if is_main:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
    dist.barrier()
    try:
        with _quiet():
            save(
                dict(tensors),
                storage_writer=HuggingFaceStorageWriter(str(temporary), save_distributed=True),
            )
    except CheckpointException as error:
        dist.barrier()
        if is_main:
            shutil.rmtree(temporary, ignore_errors=True)
        raise StorageError(f"{folder} could not be written: {error}", "Is the disk full?") from error
    if is_main:
        for path in temporary.iterdir():
            _fsync(path)
        write_json(temporary / HEAD, dict(head))
        shutil.rmtree(folder, ignore_errors=True)
        temporary.replace(folder)
        _fsync(folder.parent)
    dist.barrier()


def sharded_head(folder: Path) -> dict[str, object] | None:
    """What was stored beside the parts; None where they are not complete."""
    path = folder / HEAD
    if not path.exists():
        return None
    head: dict[str, object] = read_json(path)
    return head


def sharded_sizes(folder: Path) -> dict[str, torch.Size]:
    """Names and whole sizes of what is stored; empty where a file is damaged."""
    try:
        stored = HuggingFaceStorageReader(str(folder)).read_metadata().state_dict_metadata
    except (SafetensorError, OSError):
        return {}
    return {name: entry.size for name, entry in stored.items() if isinstance(entry, TensorStorageMetadata)}


def load_sharded(folder: Path, tensors: Mapping[str, Tensor]) -> bool:
    """Fill `tensors` from `folder`, whatever number of processes wrote it; False where it is damaged."""
    try:
        with _quiet():
            load(dict(tensors), storage_reader=HuggingFaceStorageReader(str(folder)))
    except (CheckpointException, SafetensorError, OSError):
        return False
    return True


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)  # of a file, or of a folder after a rename in it
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the library's remarks about its own choices."""
    logger = logging.getLogger("torch.distributed.checkpoint")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
