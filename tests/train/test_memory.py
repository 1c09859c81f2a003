"""The switches that save memory: they work, and change nothing that they should not."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_loop import Killed, Regression, config, fit, kill_at

from photogenic.core.errors import MissingExtraError, PhotogenicError
from photogenic.models.families import denoiser_of, encode_texts, predict
from photogenic.models.sampling import draw
from photogenic.train import memory
from photogenic.train.config import OptimizerConfig
from photogenic.train.memory import (
    adamw_8bit,
    attention_in,
    checkpoint_activations,
    computing_in,
    drawing_in,
)

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))
import tiny

HAS_BITSANDBYTES = find_spec("bitsandbytes") is not None


def gradients(pipeline: Any, precision: str = "float32") -> tuple[list[torch.Tensor], int]:
    """Of one backward pass, and the bytes that the forward pass kept for it."""
    denoiser = denoiser_of(pipeline).train()
    noisy = torch.randn(2, denoiser.config.in_channels, 8, 8, generator=torch.Generator().manual_seed(1))
    condition = encode_texts(pipeline, ["a cat", "a dog"])
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if not isinstance(tensor, torch.nn.Parameter):
            kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    watched = torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)
    with watched, computing_in(precision, denoiser):
        pred = predict(denoiser, noisy, torch.tensor([100, 800]), condition, torch.full((2, 6), 32.0))
    with attention_in(precision, denoiser):
        pred.float().square().mean().backward()
    return [p.grad for p in denoiser.parameters() if p.grad is not None], sum(kept.values())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("make", [tiny.emu, tiny.sd3], ids=["emu", "sd3"])
def test_activation_checkpoints_give_the_same_gradients_from_less(make: Any, precision: str) -> None:
    plain, saving = make(), make()
    expected, kept = gradients(plain, precision)
    checkpoint_activations(denoiser_of(saving))
    same, kept_less = gradients(saving, precision)
    assert kept_less < 0.7 * kept
    assert all(torch.equal(a, b) for a, b in zip(expected, same, strict=True))


def test_a_module_that_cannot_is_refused() -> None:
    with pytest.raises(PhotogenicError, match="cannot compute its activations again"):
        checkpoint_activations(torch.nn.Linear(2, 2))


def test_averages_kept_elsewhere_or_taken_less_often(tmp_path: Path) -> None:
    plain = fit(tmp_path / "plain")
    same = fit(tmp_path / "cpu", offload_ema=True, ema_every=1)
    assert all(torch.equal(a, b) for a, b in zip(plain, same, strict=True))
    seldom = fit(tmp_path / "seldom", ema_every=2)
    for a, b in zip(plain, seldom, strict=True):
        assert not torch.equal(a, b)
        torch.testing.assert_close(a, b, rtol=0.2, atol=0.02)


def test_bfloat16_arithmetic_keeps_float32_weights(tmp_path: Path) -> None:
    seen = []

    class Watched(Regression):
        def losses(self, indices: Any, global_step: int, repeats: Any = None) -> dict[str, torch.Tensor]:
            seen.append(self.module(self.x[:1]).dtype)
            return super().losses(indices, global_step)

    half = fit(tmp_path / "half", Watched(), precision="bfloat16")
    assert set(seen) == {torch.bfloat16} and all(weight.dtype == torch.float32 for weight in half)
    for a, b in zip(fit(tmp_path / "full"), half, strict=True):
        torch.testing.assert_close(a, b, rtol=0.2, atol=0.05)


def test_a_gpu_draws_in_the_precision_of_the_loop_and_a_cpu_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = tiny.emu()
    denoiser = denoiser_of(pipeline)
    seen: list[torch.dtype] = []
    denoiser.conv_out.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))

    def drawn(precision: str) -> np.ndarray:
        seen.clear()
        with drawing_in(precision, denoiser):
            return next(iter(draw(pipeline, ["a cat"], [1], num_inference_steps=3))).astype(np.int64)

    full = drawn("float32")
    assert np.array_equal(drawn("bfloat16"), full) and set(seen) == {torch.float32}
    monkeypatch.setattr(memory, "FASTER_IN_HALF", {"cpu"})  # as a GPU does
    half = drawn("bfloat16")
    assert set(seen) == {torch.bfloat16} and 0 < np.abs(half - full).mean() < 3
    assert np.array_equal(drawn("float32"), full)
    assert all(weight.dtype == torch.float32 for weight in denoiser.parameters())
    assert all("forward" not in vars(part) for part in denoiser.modules())


def test_8_bit_moments_without_bitsandbytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'photogenic\[eight-bit\]'"):
        adamw_8bit([{"params": [torch.nn.Parameter(torch.zeros(2, 2))]}], 0.1, (0.9, 0.99))


@pytest.mark.skipif(not HAS_BITSANDBYTES, reason="bitsandbytes is not installed")
def test_an_interrupted_run_with_8_bit_moments_ends_bit_identical(tmp_path: Path) -> None:
    optimizer = OptimizerConfig(learning_rate=0.01, warmup_steps=3, eight_bit=True)
    wide = {"optimizer": optimizer}

    def regression(**arguments: Any) -> Regression:
        made = Regression(**arguments)
        made.module[0] = torch.nn.Linear(4, 2048)  # bitsandbytes leaves tensors below 4,096 numbers alone
        made.module[2] = torch.nn.Linear(2048, 2)
        generator = torch.Generator().manual_seed(2)
        with torch.no_grad():
            for parameter in made.module.parameters():
                parameter.normal_(std=0.05, generator=generator)
        return made

    whole = fit(tmp_path / "whole", regression(), **wide)
    with pytest.raises(Killed):
        fit(tmp_path / "cut", regression(on_step=kill_at(25)), **wide)
    resumed = fit(tmp_path / "cut", regression(), **wide)
    assert all(torch.equal(a, b) for a, b in zip(whole, resumed, strict=True))
    assert config(**wide).optimizer.eight_bit
