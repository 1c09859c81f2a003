"""LoRA changes nothing at first, learns alone, and is read back by plain diffusers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DiffusionPipeline

from models import tiny
from photogenic.core.errors import RecipeError
from photogenic.models.checkpoint import save_pipeline
from photogenic.models.families import denoiser_of, encode_texts, predict
from photogenic.models.lora import add_lora, merge_lora, save_lora
from photogenic.models.pipeline import EmuPipeline

ALL = pytest.mark.parametrize(
    "make", [tiny.emu, tiny.sd, tiny.sdxl, tiny.sd3], ids=["emu", "sd", "sdxl", "sd3"]
)


def answer(pipeline: Any) -> torch.Tensor:
    """What the denoiser says to the same noise and text."""
    denoiser = denoiser_of(pipeline)
    noisy = torch.randn(1, denoiser.config.in_channels, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        condition = encode_texts(pipeline, ["a cat"])
        return predict(denoiser, noisy, torch.tensor([500]), condition, torch.full((1, 6), 32.0))


@ALL
def test_the_saved_file_says_the_same_in_plain_diffusers(make: Callable[..., Any], tmp_path: Path) -> None:
    pipeline = make()
    save_pipeline(pipeline, tmp_path / "base")
    before = answer(pipeline)
    denoiser = add_lora(pipeline, rank=3, alpha=5.0, targets=None, seed=1)
    torch.testing.assert_close(answer(pipeline), before)  # the second matrices begin at zero
    learning = {name: p for name, p in denoiser.named_parameters() if p.requires_grad}
    assert learning and all(".lora_" in name for name in learning)
    with torch.no_grad():
        for name, parameter in learning.items():
            if ".lora_B" in name:
                parameter.normal_(std=0.2, generator=torch.Generator().manual_seed(len(name)))
    tuned = answer(pipeline)
    assert not torch.allclose(tuned, before, atol=1e-3)
    file = save_lora(pipeline, tmp_path / "lora")
    assert [path.name for path in (tmp_path / "lora").iterdir()] == [file.name]

    plain_class = EmuPipeline if make is tiny.emu else DiffusionPipeline
    plain = plain_class.from_pretrained(tmp_path / "base")
    plain.load_lora_weights(tmp_path / "lora")
    torch.testing.assert_close(answer(plain), tuned, rtol=1e-4, atol=1e-5)

    names = dict(denoiser_of(plain_class.from_pretrained(tmp_path / "base")).named_parameters()).keys()
    merge_lora(pipeline)
    torch.testing.assert_close(answer(pipeline), tuned, rtol=1e-3, atol=1e-4)
    assert dict(denoiser.named_parameters()).keys() == names


def test_the_first_matrices_come_from_the_seed_alone() -> None:
    def first(seed: int) -> torch.Tensor:
        torch.rand(3)  # whatever was drawn before does not matter
        denoiser = add_lora(tiny.sd(), rank=2, alpha=2.0, targets=["to_q"], seed=seed)
        learning = {name: p for name, p in denoiser.named_parameters() if p.requires_grad}
        assert all(".to_q." in name for name in learning)
        return next(p.detach() for name, p in learning.items() if ".lora_A" in name)

    assert torch.equal(first(1), first(1))
    assert not torch.equal(first(1), first(2))


def test_equal_runs_write_equal_files(tmp_path: Path) -> None:
    names = [str(number) for number in range(6)]  # two keys come in the same order every other time
    for name in names:
        pipeline = tiny.sd()
        add_lora(pipeline, rank=2, alpha=2.0, targets=None, seed=0)
        save_lora(pipeline, tmp_path / name)
    first, *rest = (next((tmp_path / name).iterdir()).read_bytes() for name in names)
    assert all(one == first for one in rest), "their headers or tensors differ"


def test_names_that_do_not_exist_are_refused() -> None:
    with pytest.raises(RecipeError, match="ends in to_nothing"):
        add_lora(tiny.sd(), rank=2, alpha=2.0, targets=["to_nothing"], seed=0)
