"""EmuPipeline: guidance, text, latents, sizes; as a diffusers user would call it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, DDPMScheduler, EulerDiscreteScheduler
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg

from models import tiny
from photogenic.core.errors import MissingModelError
from photogenic.models.pipeline import EmuPipeline, denormalise_latents, guided, size_time_ids


@pytest.fixture(scope="module")
def pipeline() -> Any:
    made = tiny.emu()
    made.set_progress_bar_config(disable=True)
    return made


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def drawn(pipeline: Any, *prompts: str, seed: int = 1, **options: Any) -> np.ndarray:
    settings = {"num_inference_steps": 4, "output_type": "np"} | options
    generators = [torch.Generator().manual_seed(seed) for _ in prompts]
    images: np.ndarray = pipeline(list(prompts), generator=generators, **settings).images
    return images


def test_guidance_is_the_unconditional_one_plus_the_scaled_difference() -> None:
    pred = noise(4, 3, 2, 2)
    torch.testing.assert_close(guided(pred, 3.0), pred[:2] + 3.0 * (pred[2:] - pred[:2]))
    torch.testing.assert_close(guided(pred, 1.0), pred[2:])


def test_rescaled_guidance_agrees_with_diffusers() -> None:
    pred = noise(4, 3, 5, 5)
    expected = rescale_noise_cfg(guided(pred, 7.0), pred[2:], guidance_rescale=0.7)
    torch.testing.assert_close(guided(pred, 7.0, 0.7), expected)
    whole = guided(pred, 7.0, 1.0)
    torch.testing.assert_close(whole.std((1, 2, 3)), pred[2:].std((1, 2, 3)))


def test_latents_are_denormalised_by_what_the_autoencoder_says() -> None:
    latents = noise(2, 4, 3, 3)
    emu_vae = tiny.emu().vae
    expected = latents * torch.tensor([1.5, 0.5, 1.0, 2.0]).view(1, 4, 1, 1)
    expected = expected + torch.tensor([0.1, -0.2, 0.3, 0.0]).view(1, 4, 1, 1)
    torch.testing.assert_close(denormalise_latents(emu_vae, latents), expected)
    plain = AutoencoderKL(block_out_channels=(8,), norm_num_groups=4, scaling_factor=0.5, shift_factor=0.25)
    torch.testing.assert_close(denormalise_latents(plain, latents), latents * 2 + 0.25)


def test_time_ids_are_in_sdxl_order() -> None:
    assert size_time_ids((480, 640), (3, 5), (64, 64)).tolist() == [480, 640, 3, 5, 64, 64]


def test_encode_prompt_joins_both_encoders_and_masks_padding(pipeline: Any) -> None:
    embeds = pipeline.encode_prompt(["", "a red fox"])
    assert embeds.encoder_hidden_states.shape == (2, 48, 32)
    assert embeds.pooled_prompt_embeds.shape == (2, 16)
    # begin and end alone; nine letters between them; for each of the two encoders
    assert embeds.encoder_attention_mask.sum(1).tolist() == [2 * 2, 2 * 11]


def test_padding_and_neighbours_do_not_change_what_a_prompt_says(pipeline: Any) -> None:
    alone = pipeline.encode_prompt("fox")
    among = pipeline.encode_prompt(["a much longer prompt", "fox"])
    counts = alone.encoder_attention_mask[0]
    torch.testing.assert_close(
        alone.encoder_hidden_states[0, counts], among.encoder_hidden_states[1, counts], rtol=1e-4, atol=1e-5
    )
    torch.testing.assert_close(
        alone.pooled_prompt_embeds[0], among.pooled_prompt_embeds[1], rtol=1e-4, atol=1e-5
    )


def test_the_unet_does_not_hear_masked_tokens(pipeline: Any) -> None:
    embeds = pipeline.encode_prompt("fox")
    garbage = embeds.encoder_hidden_states.clone()
    garbage[~embeds.encoder_attention_mask] = 100.0
    settings = {
        "prompt_attention_mask": embeds.encoder_attention_mask,
        "pooled_prompt_embeds": embeds.pooled_prompt_embeds,
        "latents": noise(1, 4, 8, 8),
        "num_inference_steps": 2,
        "guidance_scale": 1.0,
        "output_type": "latent",
    }
    clean = pipeline(prompt_embeds=embeds.encoder_hidden_states, **settings).images
    torch.testing.assert_close(pipeline(prompt_embeds=garbage, **settings).images, clean)


def test_prompt_seed_and_guidance_all_matter(pipeline: Any) -> None:
    base = drawn(pipeline, "a cat")
    assert base.shape == (1, 32, 32, 3) and base.min() >= 0 and base.max() <= 1
    np.testing.assert_array_equal(base, drawn(pipeline, "a cat"))
    for other in (
        drawn(pipeline, "a dog"),
        drawn(pipeline, "a cat", seed=2),
        drawn(pipeline, "a cat", guidance_scale=1.0),
        drawn(pipeline, "a cat", guidance_rescale=0.7),
        drawn(pipeline, "a cat", negative_prompt="a dog"),
    ):
        assert np.abs(other - base).mean() > 1e-3


def test_guiding_away_from_the_same_text_is_no_guidance(pipeline: Any) -> None:
    unguided = drawn(pipeline, "a cat", guidance_scale=1.0)
    np.testing.assert_allclose(drawn(pipeline, "a cat", negative_prompt="a cat"), unguided, atol=2e-3)


def test_an_embedded_prompt_draws_what_its_text_draws(pipeline: Any) -> None:
    prompts = ["a cat", "a red fox"]
    with torch.no_grad():
        embeds = pipeline.encode_prompt(prompts)
    generators = [torch.Generator().manual_seed(1) for _ in prompts]
    images = pipeline(
        prompt_embeds=embeds.encoder_hidden_states,
        prompt_attention_mask=embeds.encoder_attention_mask,
        pooled_prompt_embeds=embeds.pooled_prompt_embeds,
        generator=generators,
        num_inference_steps=4,
        output_type="np",
    ).images
    np.testing.assert_array_equal(images, drawn(pipeline, *prompts))


def test_several_images_of_a_prompt_stand_together(pipeline: Any) -> None:
    seeds = [3, 4, 3, 4]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    four = pipeline(
        ["a cat", "a dog"],
        num_images_per_prompt=2,
        generator=generators,
        num_inference_steps=3,
        output_type="latent",
    ).images
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    same = pipeline(
        ["a cat", "a cat", "a dog", "a dog"],
        generator=generators,
        num_inference_steps=3,
        output_type="latent",
    ).images
    torch.testing.assert_close(four, same, atol=1e-3, rtol=1e-3)


def test_other_sizes_and_output_types(pipeline: Any) -> None:
    picture = pipeline("a cat", height=16, width=48, num_inference_steps=2).images[0]
    assert picture.size == (48, 16)
    with pytest.raises(ValueError, match="multiples of 4"):
        pipeline("a cat", height=30, num_inference_steps=2)
    with pytest.raises(ValueError, match="give a prompt, or its embeds"):
        pipeline()
    with pytest.raises(ValueError, match="give a prompt, or its embeds"):
        pipeline("a cat", prompt_embeds=noise(1, 48, 32))


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("schedule_class", [DDPMScheduler, EulerDiscreteScheduler])
def test_a_perfect_denoiser_ends_at_the_picture(prediction_type: str, schedule_class: Any) -> None:
    """A U-Net that always knows the clean latents must end there, whatever it is asked to predict."""
    pipeline: Any = tiny.emu(prediction_type)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = schedule_class.from_config(pipeline.scheduler.config)
    clean = noise(1, 4, 8, 8, seed=5)
    _answer_with(pipeline, clean)
    latents = pipeline(
        "a cat",
        num_inference_steps=10,
        guidance_scale=3.0,
        generator=torch.Generator().manual_seed(0),
        output_type="latent",
    ).images
    torch.testing.assert_close(latents, clean, atol=0.05, rtol=0.05)


def _answer_with(pipeline: Any, clean: torch.Tensor) -> None:
    """Replace the U-Net's answer by the one that belongs to `clean`."""
    schedule = pipeline.scheduler

    def answer(_module: object, inputs: tuple[torch.Tensor, torch.Tensor], output: Any) -> Any:
        noisy, timestep = inputs
        signal = schedule.alphas_cumprod[int(timestep)].sqrt()
        spread = (1 - signal**2).sqrt()
        # Euler hands the U-Net x / sqrt(1 + sigma^2): the variance-preserving x that the others keep.
        eps = (noisy - signal * clean) / spread
        targets = {
            "epsilon": eps,
            "sample": clean.expand_as(eps),
            "v_prediction": signal * eps - spread * clean,
        }
        output.sample = targets[schedule.config.prediction_type]
        return output

    pipeline.unet.register_forward_hook(answer)


def test_saved_by_diffusers_own_method_and_loaded_through_our_class(tmp_path: Path) -> None:
    pipeline = tiny.emu()
    pipeline.save_pretrained(tmp_path)
    index = json.loads((tmp_path / "model_index.json").read_text())
    assert index["_class_name"] == "EmuPipeline"
    assert index["vae"] == ["photogenic.models.autoencoder", "FourierAutoencoderKL"]
    again = EmuPipeline.from_pretrained(tmp_path)
    again.set_progress_bar_config(disable=True)
    pipeline.set_progress_bar_config(disable=True)
    np.testing.assert_allclose(drawn(again, "a cat"), drawn(pipeline, "a cat"), atol=0.02)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "unet/weights.pt", "model.ckpt"])
def test_a_folder_with_a_pickle_is_refused(tmp_path: Path, name: str) -> None:
    pipeline = tiny.emu()
    pipeline.save_pretrained(tmp_path)
    torch.save({"weight": torch.zeros(1)}, tmp_path / name)
    with pytest.raises(MissingModelError, match="pickle"):
        EmuPipeline.from_pretrained(tmp_path)
