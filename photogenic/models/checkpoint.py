"""Pipelines to and from folders: safetensors only, errors as sentences, saved whole or not at all."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Iterator
from pathlib import Path

import torch
from diffusers import DiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from safetensors import safe_open
from transformers.utils import logging as transformers_logging

from photogenic.core.errors import MissingModelError
from photogenic.core.shards import read_json
from photogenic.models.folder import (
    MODEL_INDEX,
    atomic_folder,
    check_weights,
    forget_origin,
    refuse_components_in_pickles,
    refuse_pickles,
)
from photogenic.models.pipeline import EmuPipeline

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")  # owner/name


def load_pipeline(
    path_or_hub_id: str | Path, *, device: str | torch.device = "cpu", dtype: torch.dtype | None = None
) -> DiffusionPipeline:
    """Load any diffusers pipeline, ready to draw; an Emu folder becomes an `EmuPipeline`.

    Args:
        path_or_hub_id: a folder, or else "owner/name" on a hub of models.
        dtype: by default float32 on a CPU (which is slow or unable in half precision), elsewhere what was
            stored. In float16 Emu's autoencoder stays in float32, for many overflow there.

    Raises:
        MissingModelError: there is no such model, or its files are incomplete, broken or pickles.
    """
    folder = Path(path_or_hub_id)
    pipeline_class = _inspected_class(folder) if folder.is_dir() else DiffusionPipeline
    if not folder.is_dir() and not HUB_ID.fullmatch(str(path_or_hub_id)):
        raise MissingModelError(f"There is no model folder {folder}.", "Check the path.")
    try:
        with quiet_loading():
            pipeline = pipeline_class.from_pretrained(
                str(path_or_hub_id),
                use_safetensors=True,
                dtype=_dtypes(pipeline_class, dtype or _default_dtype(folder, torch.device(device))),
                **_absent_encoders(folder),
            )
    except (OSError, ValueError, ImportError, AttributeError, KeyError, RuntimeError) as error:
        raise MissingModelError(
            f"{path_or_hub_id} cannot be loaded: {error}",
            "It must be a complete diffusers pipeline folder with its weights as safetensors.",
        ) from error
    if pipeline_class is EmuPipeline:
        _check_complete(pipeline, folder)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            _own_memory(part)
    return pipeline.to(device)


def save_pipeline(pipeline: DiffusionPipeline, folder: Path, dtype: torch.dtype | None = None) -> None:
    """Write `folder` whole or not at all, as safetensors; the pipeline itself stays as it is.

    Args:
        dtype: what the floating-point weights are stored as; by default as they are.

    Raises:
        StorageError: the disk is full.
    """
    stored = pipeline if dtype is None else _cast(pipeline, dtype)
    with atomic_folder(folder) as temporary, quiet_loading():
        stored.save_pretrained(temporary, safe_serialization=True)
        forget_origin(temporary)


def _inspected_class(folder: Path) -> type[DiffusionPipeline]:
    """Which class loads `folder`, once nothing speaks against loading it."""
    index = folder / MODEL_INDEX
    if not index.exists():
        raise MissingModelError(
            f"{folder} is no model folder: it has no {MODEL_INDEX}.",
            "Give the folder that `save_pretrained` of a diffusers pipeline wrote, such as RUN/tune/model.",
        )
    pipeline_class = (
        EmuPipeline if read_json(index).get("_class_name") == "EmuPipeline" else DiffusionPipeline
    )
    if pipeline_class is EmuPipeline:
        refuse_pickles(folder)
    refuse_components_in_pickles(folder)
    check_weights(folder)
    return pipeline_class


def _absent_encoders(folder: Path) -> dict[str, None]:
    """Text encoders that were left out when a model was saved; diffusers wants to be told (SD3's T5)."""
    if not folder.is_dir():
        return {}
    index = read_json(folder / MODEL_INDEX)
    encoders = ("text_encoder_3", "tokenizer_3")
    return {name: None for name in encoders if index.get(name) == [None, None]}


def _check_complete(pipeline: EmuPipeline, folder: Path) -> None:
    """diffusers fills weights that a file lacks with random numbers and goes on; here that is an error."""
    for name in ("vae", "joiner", "unet"):
        stored: set[str] = set()
        for path in (folder / name).glob("*.safetensors"):
            with safe_open(path, framework="pt") as weights:
                stored.update(weights.keys())
        missing = sorted(getattr(pipeline, name).state_dict().keys() - stored)
        if missing:
            raise MissingModelError(
                f"{folder / name} lacks {len(missing)} of its weights, {missing[0]} the first of them.",
                "Copy or save the model again.",
            )


def _dtypes(pipeline_class: type[DiffusionPipeline], dtype: torch.dtype) -> dict[str, torch.dtype]:
    """What to load each component as. The pipelines of diffusers see to their decoders themselves."""
    keeps_decoder = pipeline_class is EmuPipeline and dtype == torch.float16
    return {"default": dtype, **({"vae": torch.float32} if keeps_decoder else {})}


def _default_dtype(folder: Path, device: torch.device) -> torch.dtype:
    return torch.float32 if device.type == "cpu" else _stored_dtype(folder)


def _own_memory(module: torch.nn.Module) -> None:
    """Copy the weights out of the mapped file.

    There they lie at any multiple of eight bytes, and kernels that meet unaligned weights sum in another
    order: a model would draw other last bits than before it was saved.
    """
    for weight in [*module.parameters(), *module.buffers()]:
        weight.data = weight.data.clone()


def _stored_dtype(folder: Path) -> torch.dtype:
    """The type of the denoiser's first weight."""
    for path in sorted([*folder.glob("unet/*.safetensors"), *folder.glob("transformer/*.safetensors")]):
        with safe_open(path, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118 - no mapping, its keys are a method's answer
                stored: torch.dtype = weights.get_tensor(name).dtype
                return stored
    return torch.float32


def _cast(pipeline: DiffusionPipeline, dtype: torch.dtype) -> DiffusionPipeline:
    """The same pipeline of copies in `dtype`, on the CPU."""
    components = {
        # Module's own `to`: diffusers' warns about what must stay float32, which loading takes care of.
        name: torch.nn.Module.to(copy.deepcopy(part), "cpu", dtype)
        if isinstance(part, torch.nn.Module)
        else part
        for name, part in pipeline.components.items()
    }
    return type(pipeline)(**components)


@contextlib.contextmanager
def quiet_loading() -> Iterator[None]:
    """Without the libraries' own progress bars, which say little and break ours."""
    libraries = [diffusers_logging, transformers_logging]
    talkative = [library for library in libraries if library.is_progress_bar_enabled()]
    for library in talkative:
        library.disable_progress_bar()
    try:
        yield
    finally:
        for library in talkative:
            library.enable_progress_bar()
