"""A model that draws compiled: the same pictures, few programs, and afterwards as it was."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from programs import Counting
from pydantic import ValidationError

sys.path.insert(0, str(Path(__file__).parent))
import tiny

from photogenic.generate.config import GenerateConfig
from photogenic.generate.on_demand import generate_from_command
from photogenic.generate.pictures import read_parameters
from photogenic.models.checkpoint import save_pipeline
from photogenic.models.compiled import compiled, runs_compiled
from photogenic.models.families import denoiser_of
from photogenic.models.sampling import draw

WHATS = ("blocks", "whole")
PROMPTS = ["a cat", "a dog", "a bird"]


@pytest.fixture(autouse=True)
def forget_programs() -> None:
    torch._dynamo.reset()


def pictures(pipeline: Any, **options: Any) -> np.ndarray:
    levers = {"num_inference_steps": 4, "batch_size": 2, "guidance_interval": (0.0, 0.5)} | options
    return np.stack(list(draw(pipeline, PROMPTS, [1, 2, 3], **levers))).astype(np.int64)


@pytest.mark.parametrize("what", WHATS)
@pytest.mark.parametrize("make", [tiny.emu, tiny.sd3], ids=["emu", "sd3"])
def test_pictures_are_the_same_and_later_batches_make_no_program(make: Any, what: str) -> None:
    pipeline, backend = make(), Counting()
    expected = pictures(pipeline)
    with compiled(denoiser_of(pipeline), what, drawing=True, backend=backend):
        assert not runs_compiled(denoiser_of(pipeline))  # gradients could be taken here: nobody draws
        found = pictures(pipeline)
        programs = backend.programs
        assert 0 < programs < backend.calls
        assert np.array_equal(pictures(pipeline), found)
        assert backend.programs == programs
    assert np.abs(found - expected).max() <= 1
    calls = backend.calls
    assert np.array_equal(pictures(pipeline), expected)
    assert backend.calls == calls
    assert all("forward" not in vars(part) for part in denoiser_of(pipeline).modules())


def test_what_learns_meanwhile_is_not_compiled() -> None:
    pipeline, backend = tiny.emu(), Counting()
    with compiled(denoiser_of(pipeline), "blocks", drawing=True, backend=backend):
        unet = denoiser_of(pipeline)
        states, mask, pooled = pipeline.encode_prompt(["a cat"])._parts
        added = {"text_embeds": pooled, "time_ids": torch.zeros(1, 6)}
        unet(torch.zeros(1, 4, 8, 8), 1, states, encoder_attention_mask=mask, added_cond_kwargs=added)
    assert backend.programs == 0


def test_deep_blocks_are_left_out_of_compiled_blocks_too() -> None:
    pipeline, backend = tiny.emu(), Counting()
    expected = pictures(pipeline, cache_interval=2)
    with compiled(denoiser_of(pipeline), "blocks", drawing=True, backend=backend):
        whole = backend.calls
        found = pictures(pipeline, cache_interval=2)
        seldom, before = backend.calls - whole, backend.calls
        pictures(pipeline)
        assert seldom < backend.calls - before
    assert np.abs(found - expected).max() <= 1
    with pytest.raises(ValidationError, match="take `compile: blocks`"):
        GenerateConfig(prompts=("a cat",), compile="whole", cache_interval=2)


def test_the_lever_alone_changes_what_a_finished_stage_counts() -> None:
    plain = GenerateConfig(prompts=("a cat",))
    assert "compile" not in plain.counted()
    assert GenerateConfig(prompts=("a cat",), compile="blocks").counted() == plain.counted() | {
        "compile": "blocks"
    }


@pytest.mark.compiler
@pytest.mark.parametrize("what", WHATS)
def test_the_command_draws_compiled_by_torch_s_own_compiler(what: str, tmp_path: Path) -> None:
    save_pipeline(tiny.emu(), tmp_path / "base")
    drawn = {}
    for compile_ in (None, what):
        folder = tmp_path / str(compile_)
        levers = {"num_inference_steps": 3, "batch_size": 2, "compile": compile_}
        generate_from_command(str(tmp_path / "base"), PROMPTS, 1, 0, folder, device="cpu", **levers)
        paths = sorted((folder / "base").glob("a-*.png"))
        assert [(read_parameters(path) or {}).get("compile") for path in paths] == [compile_] * 3
        drawn[compile_] = np.stack([np.asarray(Image.open(path)).astype(np.int64) for path in paths])
    assert np.abs(drawn[what] - drawn[None]).max() <= 2
