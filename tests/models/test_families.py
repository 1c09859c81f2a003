"""Each family's adapter against the pipeline that it adapts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler, FlowMatchEulerDiscreteScheduler, StableDiffusion3Pipeline

from models import tiny
from photogenic.models.checkpoint import load_pipeline, save_pipeline
from photogenic.models.families import (
    FAMILIES,
    denoiser_of,
    encode_empty,
    encode_pixels,
    encode_texts,
    is_flow,
    predict,
    training_scheduler,
)
from photogenic.models.sampling import default_size_px, draw

MAKERS = {
    "EmuPipeline": tiny.emu,
    "StableDiffusionPipeline": tiny.sd,
    "StableDiffusionXLPipeline": tiny.sdxl,
    "StableDiffusion3Pipeline": tiny.sd3,
}


def test_every_family_has_a_tiny_twin() -> None:
    assert FAMILIES.keys() <= MAKERS.keys()


@pytest.mark.parametrize("make", MAKERS.values(), ids=list(MAKERS))
def test_texts_and_latents_reach_the_denoiser(make: Callable[..., Any]) -> None:
    pipeline = make()
    denoiser = denoiser_of(pipeline)
    condition = encode_texts(pipeline, ["a cat", "two dogs"])
    assert encode_empty(pipeline).states.shape[1:] == condition.states.shape[1:]
    noisy = torch.randn(2, denoiser.config.in_channels, 8, 8)
    ids = torch.full((2, 6), 32.0)
    with torch.no_grad():
        both = predict(denoiser, noisy, torch.tensor([10, 900]), condition, ids)
        first = predict(denoiser, noisy[:1], torch.tensor([10]), condition.rows(torch.tensor([0])), ids[:1])
        other = predict(denoiser, noisy[:1], torch.tensor([10]), condition.rows(torch.tensor([1])), ids[:1])
    assert both.shape == noisy.shape
    torch.testing.assert_close(both[:1], first, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(first, other)


def test_flow_and_diffusion_keep_their_noise_schedule() -> None:
    assert is_flow(tiny.sd3()) and not is_flow(tiny.sd())
    assert training_scheduler(tiny.sd3(shift=2.5)).config.shift == 2.5
    assert isinstance(training_scheduler(tiny.sd("v_prediction")), DDPMScheduler)


@pytest.mark.parametrize("t5", [True, False])
def test_sd3_draws_what_diffusers_draws(t5: bool, tmp_path: Path) -> None:
    save_pipeline(tiny.sd3(t5=t5), tmp_path / "model")
    absent = {} if t5 else {"text_encoder_3": None, "tokenizer_3": None}
    plain = StableDiffusion3Pipeline.from_pretrained(tmp_path / "model", **absent)
    plain.set_progress_bar_config(disable=True)
    pipeline = load_pipeline(tmp_path / "model")
    assert default_size_px(pipeline) == 16
    options = {"num_inference_steps": 3, "guidance_scale": 4.0}
    [drawn] = draw(pipeline, ["a cat"], [7], batch_size=1, **options)
    generator = torch.Generator().manual_seed(7)
    expected = plain("a cat", height=16, width=16, generator=generator, output_type="np", **options).images[0]
    np.testing.assert_allclose(drawn.astype(float), expected * 255, atol=1.5)
    [other] = draw(pipeline, ["a big dog"], [7], batch_size=1, **options)
    assert not np.array_equal(drawn, other)


def test_an_emu_trained_by_flow_matching_is_drawn_along_straight_lines(tmp_path: Path) -> None:
    """A U-Net that always knows the way to the clean latents: `draw` and the pipeline must get there."""
    pipeline = tiny.emu()
    pipeline.scheduler = FlowMatchEulerDiscreteScheduler()
    save_pipeline(pipeline, tmp_path / "model")
    pipeline = load_pipeline(tmp_path / "model")
    assert is_flow(pipeline)
    clean = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(5))

    def answer(_module: object, inputs: tuple[torch.Tensor, torch.Tensor], output: Any) -> Any:
        noisy, timestep = inputs
        output.sample = (noisy - clean) / (timestep.float().view(-1, 1, 1, 1) / 1000)
        return output

    pipeline.unet.register_forward_hook(answer)
    [drawn] = draw(pipeline, ["a cat"], [1], num_inference_steps=4, batch_size=1)
    with torch.no_grad():
        expected = pipeline._decode(clean, "np")[0] * 255
    np.testing.assert_allclose(drawn.astype(float), expected, atol=2.0)
    pipeline.set_progress_bar_config(disable=True)
    called = pipeline("a cat", num_inference_steps=4, output_type="np").images[0]
    np.testing.assert_allclose(called * 255, expected, atol=2.0)


@pytest.mark.parametrize("make", [tiny.emu, tiny.sdxl], ids=["emu", "sdxl"])
def test_an_autoencoder_that_overflows_in_half_precision_encodes_in_full(make: Callable[..., Any]) -> None:
    """SDXL's is stored in float16 and says `force_upcast`; its latents would be infinite."""
    pipeline = make()
    pipeline.vae.half()
    pixels = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = encode_pixels(pipeline, pixels)
    assert pipeline.vae.dtype == torch.float16
    pipeline.vae.float()
    assert torch.equal(found, encode_pixels(pipeline, pixels))
