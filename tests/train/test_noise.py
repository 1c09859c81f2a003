"""The forward process against diffusers' own and against closed forms."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDPMScheduler, FlowMatchEulerDiscreteScheduler

from photogenic.core.errors import RecipeError
from photogenic.train.config import DiffusionConfig, DiffusionLossConfig, FlowConfig, PredictionType
from photogenic.train.noise import (
    NoiseSchedule,
    logit_normal,
    make_scheduler,
    offset_noise,
    process_of,
    shifted,
)


@pytest.fixture(params=["epsilon", "v_prediction"])
def schedule(request: pytest.FixtureRequest) -> NoiseSchedule:
    return NoiseSchedule.of(make_scheduler(request.param))


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    latents, noise = torch.randn(2, 5, 4, 8, 8, generator=generator)
    return latents, noise, torch.tensor([0, 10, 500, 900, 999])


def test_agrees_with_diffusers(schedule: NoiseSchedule) -> None:
    latents, noise, timesteps = batch()
    theirs = DDPMScheduler.from_config(make_scheduler(schedule.prediction_type).config)
    expected = theirs.add_noise(latents, noise, timesteps)
    torch.testing.assert_close(schedule.add_noise(latents, noise, timesteps), expected)
    velocity = theirs.get_velocity(latents, noise, timesteps)
    target = noise if schedule.prediction_type == "epsilon" else velocity
    torch.testing.assert_close(schedule.target(latents, noise, timesteps), target)


def test_target_and_noisy_latents_give_the_latents_back() -> None:
    schedule = NoiseSchedule.of(make_scheduler("v_prediction"))
    latents, noise, timesteps = batch()
    alpha = schedule.alphas_cumprod[timesteps].sqrt().view(-1, 1, 1, 1)
    sigma = (1 - alpha**2).sqrt()
    noisy = schedule.add_noise(latents, noise, timesteps)
    velocity = schedule.target(latents, noise, timesteps)
    torch.testing.assert_close(alpha * noisy - sigma * velocity, latents, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("prediction_type", "extra"), [("epsilon", 0.0), ("v_prediction", 1.0)])
def test_min_snr_weights(prediction_type: PredictionType, extra: float) -> None:
    schedule = NoiseSchedule.of(make_scheduler(prediction_type))
    timesteps = torch.tensor([0, 200, 700, 999])
    snr = schedule.alphas_cumprod[timesteps] / (1 - schedule.alphas_cumprod[timesteps])
    expected = torch.minimum(snr, torch.tensor(5.0)) / (snr + extra)
    torch.testing.assert_close(schedule.loss_weights(timesteps, 5.0), expected)
    assert snr[0] > 5.0 > snr[2]  # both sides of the clamp were seen
    assert torch.equal(schedule.loss_weights(timesteps, None), torch.ones(4))


def test_noise_offset_adds_its_square_to_the_variance_of_channel_means() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(4000, 4, 8, 8, generator=generator)
    offsets = torch.randn(4000, 4, 1, 1, generator=generator)
    means = offset_noise(noise, offsets, 0.1).mean(dim=(2, 3))
    # Variance of a mean of 64 unit normals is 1/64; the offset adds 0.1^2.
    assert float(means.var()) == pytest.approx(1 / 64 + 0.01, rel=0.05)
    assert torch.equal(offset_noise(noise, offsets, 0.0), noise)


def test_flow_agrees_with_diffusers_own_schedule() -> None:
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    process = process_of(scheduler, DiffusionLossConfig(snr_gamma=None))
    latents, noise, _ = batch()
    timesteps = scheduler.timesteps[torch.tensor([0, 10, 500, 900, 999])]
    torch.testing.assert_close(
        process.add_noise(latents, noise, timesteps),
        scheduler.scale_noise(latents, timesteps, noise),
    )
    # A straight line: from any point on it, the target leads back to the picture in one step.
    sigma = (timesteps / 1000).view(-1, 1, 1, 1)
    noisy = process.add_noise(latents, noise, timesteps)
    back = noisy - sigma * process.target(latents, noise, timesteps)
    torch.testing.assert_close(back, latents, atol=1e-5, rtol=1e-5)
    assert torch.equal(process.loss_weights(timesteps, None), torch.ones(5))


def test_flow_timesteps_have_the_distribution_of_the_paper() -> None:
    process = process_of(
        FlowMatchEulerDiscreteScheduler(shift=3.0),
        DiffusionLossConfig(snr_gamma=None, flow=FlowConfig(mean=0.5, std=0.8)),
    )
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack([process.draw_timestep(generator) for _ in range(4000)]) / 1000
    # The shift undone, the logit is normal (Esser et al. 2024, section 3.1 and equation 23).
    logits = torch.logit(drawn / (3.0 - 2.0 * drawn))
    assert float(logits.mean()) == pytest.approx(0.5, abs=0.05)
    assert float(logits.std()) == pytest.approx(0.8, abs=0.04)
    spread = process.spread_timesteps(8) / 1000
    shares = [(drawn < level).float().mean().item() for level in spread]
    assert shares == pytest.approx([(k + 0.5) / 8 for k in range(8)], abs=0.03)


def test_shift_is_the_identity_at_one_and_keeps_the_ends() -> None:
    sigma = torch.linspace(0, 1, 11)
    torch.testing.assert_close(shifted(sigma, 1.0), sigma)
    moved = shifted(sigma, 3.0)
    assert float(moved[0]) == 0.0 and float(moved[-1]) == pytest.approx(1.0)
    assert float(moved[5]) == pytest.approx(0.75)  # 3 * 0.5 / (1 + 2 * 0.5)
    assert float(logit_normal(torch.tensor(0.0), 0.0, 1.0)) == 0.5


def test_zero_terminal_snr_ends_in_noise_alone() -> None:
    scheduler = make_scheduler("v_prediction", zero_terminal_snr=True)
    process = process_of(scheduler, DiffusionLossConfig(snr_gamma=None))
    latents, noise, _ = batch()
    last = torch.full((5,), 999)
    torch.testing.assert_close(process.add_noise(latents, noise, last), noise, atol=1e-4, rtol=0)
    torch.testing.assert_close(process.target(latents, noise, last), -latents, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("prediction_type", "zero_terminal_snr", "snr_gamma", "words"),
    [
        ("epsilon", True, None, "learns nothing of the picture there"),
        ("v_prediction", True, 5.0, "vanish at the last timestep"),
        ("flow", False, 5.0, "those of discrete diffusion"),
        ("flow", True, None, "ends in noise alone anyway"),
    ],
)
def test_losses_that_cannot_be_had_are_refused(
    prediction_type: str, zero_terminal_snr: bool, snr_gamma: float | None, words: str
) -> None:
    values = {
        "prediction_type": prediction_type,
        "zero_terminal_snr": zero_terminal_snr,
        "loss": {"snr_gamma": snr_gamma},
        "loop": {"max_steps": 1},
    }
    with pytest.raises(ValueError, match=words):
        DiffusionConfig.model_validate(values)
    if prediction_type != "flow" or not zero_terminal_snr:
        scheduler = make_scheduler(prediction_type, zero_terminal_snr)  # type: ignore[arg-type]
        with pytest.raises(RecipeError, match=words):
            process_of(scheduler, DiffusionLossConfig(snr_gamma=snr_gamma))


def test_a_model_that_predicts_the_picture_is_refused_and_not_taught_velocities() -> None:
    scheduler = DDPMScheduler(prediction_type="sample")
    with pytest.raises(RecipeError, match="predicts `sample`, for which there is no loss"):
        process_of(scheduler, DiffusionLossConfig())
