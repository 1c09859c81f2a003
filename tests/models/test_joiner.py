"""TextJoiner: counts, masks, round trip."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from photogenic.models.joiner import TextJoiner


def small() -> TextJoiner:
    torch.manual_seed(0)
    joiner: TextJoiner = TextJoiner(input_dims=(8, 12, 5), max_lengths=(4, 6, 3), cross_attention_dim=16)
    joiner.eval()
    return joiner


def inputs(lengths: tuple[int, ...] = (4, 6, 3)) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    states = [
        torch.randn(2, length, width, generator=generator)
        for length, width in zip(lengths, (8, 12, 5), strict=True)
    ]
    masks = [torch.ones(2, length, dtype=torch.long) for length in lengths]
    masks[1][0, 2:] = 0
    return states, masks


def test_full_size_adds_to_the_papers_count() -> None:
    with torch.device("meta"):
        joiner = TextJoiner()
    # 2,789,421,392 of the U-Net + this = 2,800,601,424
    assert sum(weight.numel() for weight in joiner.parameters()) == 11_180_032


def test_each_part_is_norm_of_projection_plus_position() -> None:
    joiner, (states, masks) = small(), inputs()
    joined, mask = joiner(states, masks)
    assert joined.shape == (2, 13, 16) and mask.shape == (2, 13) and mask.dtype == torch.bool
    weights = joiner.state_dict()
    projected = states[1] @ weights["projections.1.weight"].T + weights["projections.1.bias"]
    projected = projected + weights["positions.1"]
    expected = (projected - projected.mean(-1, keepdim=True)) / torch.sqrt(
        projected.var(-1, unbiased=False, keepdim=True) + 1e-5
    )
    torch.testing.assert_close(joined[:, 4:10], expected)
    assert mask[0].tolist() == [True] * 6 + [False] * 4 + [True] * 3
    assert mask[1].all()


def test_shorter_sequences_take_the_first_positions() -> None:
    joiner, (states, masks) = small(), inputs()
    whole, _ = joiner(states, masks)
    cut, mask = joiner([s[:, :2] for s in states], [m[:, :2] for m in masks])
    assert mask.shape == (2, 6)
    torch.testing.assert_close(cut[:, 2:4], whole[:, 4:6])


def test_round_trip_keeps_weights_and_configuration(tmp_path: Path) -> None:
    joiner, (states, masks) = small(), inputs()
    joiner.save_pretrained(tmp_path)
    assert [file.suffix for file in sorted(tmp_path.iterdir())] == [".json", ".safetensors"]
    again = TextJoiner.from_pretrained(tmp_path)
    assert tuple(again.config.input_dims) == (8, 12, 5) and tuple(again.config.max_lengths) == (4, 6, 3)
    assert torch.equal(again(states, masks)[0], joiner(states, masks)[0])


def test_every_parameter_learns() -> None:
    joiner, (states, masks) = small(), inputs()
    (joiner(states, masks)[0] ** 3).sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in joiner.parameters())


@pytest.mark.parametrize(
    ("lengths", "drop"), [((5, 6, 3), 0), ((4, 6, 3), 1)], ids=["too long", "an encoder is missing"]
)
def test_what_the_configuration_does_not_know_is_refused(lengths: tuple[int, ...], drop: int) -> None:
    states, masks = inputs(lengths)
    with pytest.raises(ValueError, match=r"joins 3 encoders|4 positions"):
        small()(states[drop:], masks[drop:])
