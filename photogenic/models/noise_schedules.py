"""Schedulers of diffusers, made by name for the noise schedule that a model was trained with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import diffusers
from diffusers import DPMSolverMultistepScheduler, FlowMatchEulerDiscreteScheduler, SchedulerMixin

from photogenic.core.errors import PhotogenicError
from photogenic.models.samplers import (
    CLASS_NAME,
    DEFAULT_SAMPLER,
    FAMILY_SAMPLERS,
    OWN_SAMPLER,
    SAMPLERS,
    Sampler,
)


def noise_schedule_for(sampler: str | None, own: SchedulerMixin) -> SchedulerMixin:
    """A fresh scheduler of that name, on the noise schedule of the model's `own`.

    None is DPM-Solver++ or, where that does not work (flow matching), the model's own.

    Raises:
        PhotogenicError: there is no such sampler, or it does not work on such a noise schedule.
    """
    if sampler is None:
        works = DPMSolverMultistepScheduler in {type(own), *own.compatibles}
        sampler = DEFAULT_SAMPLER if works else OWN_SAMPLER
    flows = isinstance(own, FlowMatchEulerDiscreteScheduler)  # no other here walks a straight line
    if sampler == OWN_SAMPLER or (flows and sampler in {DEFAULT_SAMPLER, *FAMILY_SAMPLERS.values()}):
        return type(own).from_config(settings_of(own.config))
    chosen = SAMPLERS.get(sampler) or Sampler(sampler, sampler)
    scheduler_class = getattr(diffusers, chosen.class_name, None)
    if scheduler_class is None or not CLASS_NAME.fullmatch(chosen.class_name):
        raise PhotogenicError(f"There is no sampler {sampler!r}.", f"There are: {', '.join(SAMPLERS)}.")
    fits = {type(own), *own.compatibles}
    if scheduler_class not in fits:
        raise PhotogenicError(
            f"The sampler {sampler!r} does not work on this model's noise schedule ({type(own).__name__}).",
            f"Take `{OWN_SAMPLER}`, the model's own.",
        )
    return scheduler_class.from_config(settings_of(own.config) | dict(chosen.settings))


def settings_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration in which a setting is a setting.

    diffusers keeps in `_use_default_values` which settings were left to their defaults, lets another class
    replace those by its own, and forgets the list when it saves: a pipeline would draw differently before and
    after.
    """
    return {name: value for name, value in config.items() if name != "_use_default_values"}


def dpm_solver(config: Mapping[str, Any]) -> DPMSolverMultistepScheduler:
    """DPM-Solver++ on the noise schedule that `config` describes."""
    return DPMSolverMultistepScheduler.from_config(
        settings_of(config) | dict(SAMPLERS[DEFAULT_SAMPLER].settings)
    )
