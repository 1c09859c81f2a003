"""Names of the samplers. Without torch: a recipe is checked before anything heavy is loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DEFAULT_SAMPLER = "dpm++"
OWN_SAMPLER = "own"  # the one that the model brings
# What a family is drawn with where nobody says otherwise, by the class of its pipeline; any other with
# DEFAULT_SAMPLER where that works, or else with its own. Emu with fresh noise at each step: it mends what a
# model that is not fully trained gets wrong on the way (docs/decisions/0036).
FAMILY_SAMPLERS = {"EmuPipeline": "dpm++-sde", "StableDiffusion3Pipeline": OWN_SAMPLER}
CLASS_NAME = re.compile(r"[A-Z]\w+Scheduler")  # any of diffusers, under its own name


@dataclass(frozen=True)
class Sampler:
    """A class of diffusers with the settings that make it this sampler."""

    class_name: str
    usual_name: str  # what most programs call it, and write into a picture's metadata
    settings: Mapping[str, Any] = field(default_factory=dict)


SAMPLERS = {
    "dpm++": Sampler("DPMSolverMultistepScheduler", "DPM++ 2M"),
    "dpm++-karras": Sampler("DPMSolverMultistepScheduler", "DPM++ 2M Karras", {"use_karras_sigmas": True}),
    "dpm++-sde": Sampler(
        "DPMSolverMultistepScheduler", "DPM++ 2M SDE", {"algorithm_type": "sde-dpmsolver++"}
    ),
    "dpm++-single": Sampler("DPMSolverSinglestepScheduler", "DPM++ 2S"),
    "unipc": Sampler("UniPCMultistepScheduler", "UniPC"),
    "deis": Sampler("DEISMultistepScheduler", "DEIS"),
    "ddim": Sampler("DDIMScheduler", "DDIM"),
    "ddpm": Sampler("DDPMScheduler", "DDPM"),
    "pndm": Sampler("PNDMScheduler", "PLMS"),
    "euler": Sampler("EulerDiscreteScheduler", "Euler"),
    "euler-ancestral": Sampler("EulerAncestralDiscreteScheduler", "Euler a"),
    "heun": Sampler("HeunDiscreteScheduler", "Heun"),
    "lms": Sampler("LMSDiscreteScheduler", "LMS"),
}


def is_sampler(name: str) -> bool:
    """Whether `name` can name a sampler: one of `SAMPLERS`, `own`, or a scheduler class of diffusers."""
    return name in SAMPLERS or name == OWN_SAMPLER or CLASS_NAME.fullmatch(name) is not None


def usual_name(name: str) -> str:
    """What other programs call it."""
    return SAMPLERS[name].usual_name if name in SAMPLERS else name
