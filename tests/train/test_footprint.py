"""Bytes a training needs, by hand, and the switches in the order of what they cost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from photogenic.models.families import denoiser_of, predict
from photogenic.models.lora import add_lora
from photogenic.train.activations import _inputs, _Kept, kept_bytes, text_tokens
from photogenic.train.config import LoopConfig
from photogenic.train.footprint import OVERHEAD, Trained, as_table, footprint, switches_that_fit
from photogenic.train.memory import computing_in

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))
import tiny

GIB = 2**30
EMU = Trained(learning=2_789_421_392, frozen=4_900_000_000, activation_bytes=7 * GIB)
LOOP = LoopConfig(max_steps=1)


def test_the_paper_s_u_net_by_hand() -> None:
    needs = footprint(EMU, LOOP)
    assert (needs.gradients + needs.moments + needs.weights - 2 * EMU.frozen) / GIB == pytest.approx(
        41.6, abs=0.1
    )
    assert needs.averages / GIB == pytest.approx(10.4, abs=0.05)
    assert footprint(EMU, LOOP, num_averages=2).averages == 2 * needs.averages
    assert needs.total == OVERHEAD + 20 * EMU.learning + 2 * EMU.frozen + 7 * GIB
    assert as_table(needs).startswith("weights 19.5, gradients 10.4, moments 20.8, averages 10.4")


@pytest.mark.parametrize(
    ("has", "last"),
    [
        (65, "loop.offload_ema=true"),
        (58, "loop.activation_checkpoints=true"),
        (45, "loop.optimizer.eight_bit=true"),
        (26, "lora.rank=16"),
    ],
)
def test_switches_are_named_until_it_fits(has: int, last: str) -> None:
    found = switches_that_fit(EMU, LOOP, has * GIB, lora_numbers=20_000_000)
    assert found is not None and found.keys[-1] == last
    assert found.footprint.total <= has * GIB
    fewer = switches_that_fit(EMU, LOOP, found.footprint.total - 1, lora_numbers=20_000_000)
    assert fewer is None or len(fewer.keys) > len(found.keys)


def test_what_a_split_training_refuses_is_not_named() -> None:
    found = switches_that_fit(EMU, LOOP.model_copy(update={"sharded": True}), 70 * GIB)
    assert found is not None and found.keys == ("loop.activation_checkpoints=true",)


@pytest.mark.parametrize("make", [tiny.emu, tiny.sd], ids=["emu", "sd"])
def test_arithmetic_in_half_precision_keeps_copies_of_the_weights(make: Any) -> None:
    denoiser = denoiser_of(make()).train()
    numbers = sum(parameter.numel() for parameter in denoiser.parameters())
    half = LOOP.model_copy(update={"precision": "bfloat16"})
    trained = Trained(learning=numbers, frozen=0)
    assert footprint(trained, half).total - footprint(trained, LOOP).total == 2 * numbers
    kept = _Kept({parameter.untyped_storage()._cdata for parameter in denoiser.parameters()})
    with (
        torch.autograd.graph.saved_tensors_hooks(kept.pack, lambda tensor: tensor),
        computing_in("bfloat16", denoiser),
    ):
        predict(denoiser, *_inputs(denoiser, 1, 30, torch.float32))
    shapes = {tuple(p.shape) for p in denoiser.parameters() if p.ndim >= 2}
    copies = [t for t in kept.alive if t.dtype == torch.bfloat16 and _weight_shape(t, shapes)]
    assert sum(t.numel() for t in copies) > 0.8 * numbers


def _weight_shape(tensor: torch.Tensor, shapes: set[tuple[int, ...]]) -> bool:
    return tuple(tensor.shape) in shapes or tuple(tensor.T.shape if tensor.ndim == 2 else ()) in shapes


def test_nothing_helps_on_a_very_small_device_and_what_is_on_is_not_named() -> None:
    assert switches_that_fit(EMU, LOOP, 8 * GIB, lora_numbers=20_000_000) is None
    loop = LOOP.model_copy(update={"offload_ema": True})
    found = switches_that_fit(EMU, loop, 58 * GIB)
    assert found is not None and found.keys == ("loop.activation_checkpoints=true",)


@pytest.mark.parametrize("make", [tiny.emu, tiny.sd, tiny.sd3], ids=["emu", "sd", "sd3"])
@pytest.mark.parametrize("checkpoints", [False, True])
def test_counted_activations_are_those_of_a_real_forward_pass(make: Any, checkpoints: bool) -> None:
    denoiser = denoiser_of(make()).train()
    config = {**denoiser.config, "_class_name": type(denoiser).__name__}
    counted = kept_bytes(config, batch_size=2, num_tokens=30, checkpoints=checkpoints)
    if checkpoints:
        denoiser.enable_gradient_checkpointing()
    kept = _Kept({parameter.untyped_storage()._cdata for parameter in denoiser.parameters()})
    with torch.autograd.graph.saved_tensors_hooks(kept.pack, lambda tensor: tensor):
        predict(denoiser, *_inputs(denoiser, 2, 30, torch.float32))
    assert counted == kept.total > 0
    assert torch.get_default_dtype() == torch.float32


def test_half_precision_keeps_about_half() -> None:
    denoiser = denoiser_of(tiny.sd())
    config = {**denoiser.config, "_class_name": type(denoiser).__name__}
    full, half = (
        kept_bytes(config, batch_size=2, num_tokens=77, precision=name) for name in ("float32", "bfloat16")
    )
    assert 0.4 < half / full < 0.65
    assert kept_bytes(config, batch_size=4, num_tokens=77) > 1.8 * full
    assert kept_bytes(config, batch_size=2, num_tokens=333) > full


def test_lora_numbers_of_attention_by_hand() -> None:
    pipeline = tiny.sd()
    learner = add_lora(pipeline, rank=2, alpha=2.0, targets=["to_q"], seed=0)
    count = sum(p.numel() for p in learner.parameters() if p.requires_grad)
    linears = [m for n, m in learner.named_modules() if n.endswith("to_q.base_layer")]
    assert count == sum(2 * (m.in_features + m.out_features) for m in linears) > 0


def test_words_are_counted_as_the_pipeline_in_the_folder_has_them(tmp_path: Path) -> None:
    pipeline = tiny.emu()
    pipeline.joiner.save_pretrained(tmp_path / "emu" / "joiner")
    assert text_tokens(tmp_path / "emu") == sum(len(part) for part in pipeline.joiner.positions)
    (tmp_path / "sd3" / "transformer").mkdir(parents=True)
    assert text_tokens(tmp_path / "sd3") == 77 + 256 and text_tokens(tmp_path / "sdxl") == 77
