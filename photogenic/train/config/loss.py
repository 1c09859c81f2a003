"""The denoising loss, and the pairs of settings that cannot be had together."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from photogenic.core.section import LATER, Section

PredictionType = Literal["epsilon", "v_prediction", "flow"]


def forbidden_loss(prediction_type: str, zero_terminal_snr: bool, snr_gamma: float | None) -> str | None:
    """Why a loss cannot be had on a noise schedule; None where it can."""
    if zero_terminal_snr and prediction_type == "epsilon":
        return (
            "with zero-terminal SNR the last timestep is noise alone, and a model that predicts the noise "
            "(`epsilon`) learns nothing of the picture there; use `v_prediction`"
        )
    if zero_terminal_snr and snr_gamma is not None:
        return (
            "min-SNR weights vanish at the last timestep of a zero-terminal-SNR schedule; "
            "set `loss.snr_gamma` to null"
        )
    if prediction_type == "flow" and snr_gamma is not None:
        return (
            "min-SNR weights are those of discrete diffusion, and flow matching weights by the draw of its "
            "timesteps; set `loss.snr_gamma` to null"
        )
    return None


class FlowConfig(Section):
    """How flow matching draws its timesteps: logit-normal, then shifted (Esser et al. 2024)."""

    mean: float = Field(0.0, description="Of the normal before the logistic function; above 0: more noise.")
    std: float = Field(1.0, gt=0, description="Of the normal before the logistic function.")
    shift: float | None = Field(
        None, gt=0, description="Moves the noise levels up; null: what the model's own noise schedule says."
    )


class DiffusionLossConfig(Section):
    """The denoising loss."""

    noise_offset: float = Field(
        0.0, ge=0, description="Emu: 0.02 in the last pre-training stage, 0.1 in tuning."
    )
    snr_gamma: float | None = Field(
        5.0, gt=0, description="Min-SNR clamp (Hang et al. 2023); null: no weights."
    )
    caption_dropout: float = Field(
        0.1, ge=0, lt=1, description="Share of captions replaced by the empty one."
    )
    flow: FlowConfig = Field(
        default_factory=lambda: FlowConfig(),
        description="Timesteps of flow matching.",
        json_schema_extra=LATER,
    )
