"""What a training needs of a device's memory, and which switches would make it fit; without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from photogenic.train.config import LoopConfig

WEIGHT, GRADIENT, MOMENTS, MOMENTS_8_BIT, AVERAGE = 4, 4, 8, 2, 4  # bytes a trained number
FROZEN, FROZEN_DENOISER = 2, 4  # encoders lie in half precision; a denoiser below LoRA in float32
HALF_COPY = 2  # of a denoiser's number in bfloat16: autocast's copies are kept for the backward pass
OVERHEAD = 2 * 2**30  # context of the driver, workspaces, fragments
KEPT_BY_CHECKPOINTS = 0.2  # share of the activations that remain, with the block that is computed again


@dataclass(frozen=True)
class Trained:
    """What is on the device, counted in numbers."""

    learning: int  # the denoiser, and what learns beside it
    frozen: int  # encoders and decoder
    lora: int = 0  # low-rank numbers where only these learn
    activation_bytes: int = 0  # of one forward pass without activation checkpoints, in the loop's precision


@dataclass(frozen=True)
class Footprint:
    """Bytes on the device."""

    weights: int
    gradients: int
    moments: int
    averages: int
    activations: int

    @property
    def total(self) -> int:
        return OVERHEAD + sum((self.weights, self.gradients, self.moments, self.averages, self.activations))


def footprint(trained: Trained, loop: LoopConfig, num_averages: int = 1) -> Footprint:
    """Of a training; `num_averages` is 2 with averages post hoc."""
    count = trained.lora or trained.learning
    below = trained.learning if trained.lora else 0
    kept = KEPT_BY_CHECKPOINTS if loop.activation_checkpoints else 1.0
    copies = 0 if loop.precision == "float32" else HALF_COPY * trained.learning
    return Footprint(
        weights=WEIGHT * count + FROZEN_DENOISER * below + FROZEN * trained.frozen + copies,
        gradients=GRADIENT * count,
        moments=(MOMENTS_8_BIT if loop.optimizer.eight_bit else MOMENTS) * count,
        averages=0 if loop.offload_ema else AVERAGE * num_averages * count,
        activations=int(kept * trained.activation_bytes),
    )


@dataclass(frozen=True)
class Switches:
    """What to change in a recipe, and the bytes that are needed then."""

    keys: tuple[str, ...]
    footprint: Footprint


def switches_that_fit(
    trained: Trained, loop: LoopConfig, has_bytes: int, *, num_averages: int = 1, lora_numbers: int = 0
) -> Switches | None:
    """The first of the growing sets of switches with which it fits; None where none does.

    They are tried in the order of what they cost: averages on the CPU cost transfers, activation checkpoints
    a third more time, 8-bit moments a little exactness, LoRA freedom.

    Args:
        lora_numbers: how many low-rank numbers LoRA would train; 0 where it cannot be had.
    """
    for keys, changed, numbers in _growing(trained, loop, lora_numbers):
        needs = footprint(numbers, changed, num_averages)
        if needs.total <= has_bytes:
            return Switches(keys, needs)
    return None


def _growing(
    trained: Trained, loop: LoopConfig, lora_numbers: int
) -> Iterator[tuple[tuple[str, ...], LoopConfig, Trained]]:
    keys: tuple[str, ...] = ()
    changes: tuple[tuple[str, Mapping[str, Any]], ...] = (
        ("loop.offload_ema=true", {"offload_ema": True}),
        ("loop.activation_checkpoints=true", {"activation_checkpoints": True}),
        (
            "loop.optimizer.eight_bit=true",
            {"optimizer": loop.optimizer.model_copy(update={"eight_bit": True})},
        ),
    )
    for key, update in changes[1:2] if loop.sharded else changes:  # the others need whole tensors
        changed = loop.model_copy(update=dict(update))
        if changed != loop:
            keys, loop = (*keys, key), changed
            yield keys, loop, trained
    if lora_numbers and not trained.lora:
        yield (
            (*keys, "lora.rank=16"),
            loop,
            Trained(trained.learning, trained.frozen, lora_numbers, trained.activation_bytes),
        )


def as_table(needs: Footprint, gib: int = 2**30) -> str:
    """One line: what takes how many GiB."""
    parts = ("weights", "gradients", "moments", "averages", "activations")
    return ", ".join(f"{name} {getattr(needs, name) / gib:.1f}" for name in parts) + " GiB"
