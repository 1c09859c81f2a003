"""The forward process against diffusers' own and against closed forms."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDPMScheduler

from photogenic.train.noise import NoiseSchedule, PredictionType, make_scheduler, offset_noise


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
