"""How a model draws: what the configuration says, and the family's own way where it says nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from photogenic.core.shards import read_json
from photogenic.generate.config import GenerateConfig
from photogenic.models.samplers import DEFAULT_SAMPLER, FAMILY_SAMPLERS, OWN_SAMPLER


@dataclass(frozen=True)
class FamilyWay:
    """What a family is usually drawn with."""

    guidance_scale: float
    num_inference_steps: int
    sampler: str = DEFAULT_SAMPLER


# By the class that model_index.json names.
FAMILY_WAYS = {
    "EmuPipeline": FamilyWay(4.0, 20, FAMILY_SAMPLERS["EmuPipeline"]),
    "StableDiffusionPipeline": FamilyWay(7.5, 25),
    "StableDiffusionXLPipeline": FamilyWay(5.0, 30),
    "StableDiffusion3Pipeline": FamilyWay(7.0, 28, FAMILY_SAMPLERS["StableDiffusion3Pipeline"]),
}
OTHER_WAY = FamilyWay(4.5, 28, OWN_SAMPLER)  # of a family that no adapter knows


@dataclass(frozen=True)
class DrawSettings:
    """Everything that `models.sampling.draw` is told beside prompts and seeds."""

    negative_prompt: str
    guidance_scale: float
    guidance_rescale: float
    guidance_interval: tuple[float, float]
    num_inference_steps: int
    cache_interval: int
    sampler: str
    size_px: int | None
    batch_size: int | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def settings_for(config: GenerateConfig, weights: Path) -> DrawSettings:
    """The configuration, with what it leaves open as the model's family is usually drawn."""
    way = family_way(weights)
    return DrawSettings(
        negative_prompt=config.negative_prompt,
        guidance_scale=way.guidance_scale if config.guidance_scale is None else config.guidance_scale,
        guidance_rescale=config.guidance_rescale,
        guidance_interval=config.guidance_interval,
        num_inference_steps=config.num_inference_steps or way.num_inference_steps,
        cache_interval=config.cache_interval,
        sampler=config.sampler or way.sampler,
        size_px=config.size_px,
        batch_size=config.batch_size,
    )


def family_way(weights: Path) -> FamilyWay:
    """How the family of the model in this folder is usually drawn."""
    index = weights / "model_index.json"
    named = read_json(index).get("_class_name") if index.exists() else None
    return FAMILY_WAYS.get(named[-1] if isinstance(named, list) else str(named), OTHER_WAY)
