"""benchmarks/full_size.py: operations by hand against torch's counter, and all of it on a tiny U-Net."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from photogenic.core.shards import read_json
from photogenic.models.families import Condition, predict
from photogenic.models.unet import NUM_TIME_IDS, build_unet

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import full_size
from unet.operations import training_operations, unet_operations
from unet.steps import rows_of

FULL = {  # of recipes/emu.yaml
    "latent_channels": 16,
    "block_out_channels": (448, 896, 1792),
    "layers_per_block": 3,
    "transformer_layers_per_block": (0, 2, 3),
    "attention_head_width": 64,
    "cross_attention_dim": 2048,
    "addition_time_embed_dim": 256,
    "pooled_dim": 768,
}
TINY = {
    "latent_channels": 4,
    "block_out_channels": (32, 64),
    "layers_per_block": 1,
    "transformer_layers_per_block": (0, 1),
    "attention_head_width": 16,
    "cross_attention_dim": 24,
    "addition_time_embed_dim": 8,
    "pooled_dim": 16,
}
KINDS = {  # of torch's operators, forward
    "convolution": "convolutions",
    "addmm": "linears",
    "mm": "linears",
    "bmm": "attention",
    "_scaled_dot_product_flash_attention_for_cpu": "attention",
}


def counted(unet: Any, side: int, num_tokens: int, *, backward: bool = False) -> Counter[str]:
    """By torch, of one sample on tensors without memory."""
    config = unet.config
    pooled = config.projection_class_embeddings_input_dim - NUM_TIME_IDS * config.addition_time_embed_dim
    counter = FlopCounterMode(display=False)
    with torch.device("meta"), torch.set_grad_enabled(backward):
        states = torch.zeros(1, num_tokens, config.cross_attention_dim)
        condition = Condition(states, None, torch.zeros(1, pooled))
        noisy = torch.zeros(1, config.in_channels, side, side)
        with counter:
            pred = predict(unet, noisy, torch.zeros(1), condition, torch.zeros(1, NUM_TIME_IDS))
            if backward:
                pred.sum().backward()
    if backward:
        return Counter(all=counter.get_total_flops())
    total: Counter[str] = Counter()
    for operator, count in counter.get_flop_counts()["Global"].items():
        total[KINDS[str(operator).removeprefix("aten.")]] += count
    return total


SMALL = [(TINY, 8, 12), (TINY | {"layers_per_block": 2, "transformer_layers_per_block": (2, 1)}, 16, 5)]


def on_meta(sizes: dict[str, Any], side: int) -> Any:
    with torch.device("meta"):
        return build_unet(sample_size=side, **sizes)


@pytest.mark.parametrize(
    ("sizes", "side", "num_tokens"), [*SMALL, (FULL, 64, 333)], ids=["tiny", "attention everywhere", "full"]
)
def test_operations_by_hand_are_those_that_torch_counts(
    sizes: dict[str, Any], side: int, num_tokens: int
) -> None:
    unet = on_meta(sizes, side)
    assert unet_operations(unet.config, side, num_tokens) == counted(unet, side, num_tokens)


@pytest.mark.parametrize(("sizes", "side", "num_tokens"), SMALL, ids=["tiny", "attention everywhere"])
def test_a_backward_pass_is_twice_the_forward_pass(sizes: dict[str, Any], side: int, num_tokens: int) -> None:
    """But for gradients of what was put in, which nobody wants: of latents, text and timestep."""
    unet = on_meta(sizes, side)
    both = counted(unet, side, num_tokens, backward=True)["all"]
    assert 0.93 < both / training_operations(unet.config, side, num_tokens) <= 1


def test_each_row_adds_to_the_one_before_and_the_first_has_nothing() -> None:
    rows = list(rows_of(8, 32))
    first, last = rows[0], rows[-1]
    assert (first.precision, first.channels_last, first.fused, first.compile) == (
        "float32",
        False,
        False,
        None,
    )
    assert (last.precision, last.channels_last, last.fused) == ("bfloat16", True, True)
    assert (rows[-2].compile, rows[-2].checkpoints, last.compile, last.checkpoints) == (
        "blocks",
        True,
        "whole",
        False,
    )
    assert len({row.name for row in rows}) == len(rows)


def test_all_rows_and_the_whole_step_run_on_a_tiny_u_net(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--tiny", "--steps", "1", "--compiler", "eager", "--peak-tflops", "0.05"]
    arguments += ["--json", str(tmp_path / "figures.json")]
    monkeypatch.setattr(sys, "argv", ["full_size.py", *arguments])
    full_size.main()
    figures = read_json(tmp_path / "figures.json")
    assert [row["name"] for row in figures["rows"]] == [row.name for row in rows_of(2, 4)]
    assert not [row["failed"] for row in figures["rows"] if row["failed"]]
    for row in figures["rows"]:
        achieved = row["pictures_per_s"] * figures["operations"]["by_hand"]
        assert row["utilisation"] == pytest.approx(achieved / 0.05e12)
    assert figures["whole_step"]["switches"] == []  # a tiny U-Net fits 80 GB as it is
    assert "the goal of 40% is" in capsys.readouterr().out


def test_no_row_is_begun_when_time_is_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["full_size.py", "--tiny", "--budget-s", "0"])
    full_size.main()
    assert "Not measured, for time is over" in capsys.readouterr().out
