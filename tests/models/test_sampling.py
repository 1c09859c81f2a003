"""`draw`: an image depends on (model, prompt, seed) only; any family; what was found is left as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMPipeline, DDIMScheduler, DPMSolverMultistepScheduler, UNet2DModel
from numpy.typing import NDArray

from models import tiny
from photogenic.core.errors import PhotogenicError
from photogenic.models.sampling import default_batch_size, default_size_px, dpm_solver, draw, size_step_px

PROMPTS = ["red apple", "grinning face", "red apple", "house with garden", "a cat"]
SEEDS = [1, 1, 2, 3, 4]

Make = Callable[..., Any]
ALL = pytest.mark.parametrize("make", [tiny.emu, tiny.sd, tiny.sdxl], ids=["emu", "sd", "sdxl"])


def images(pipeline: Any, prompts: list[str], seeds: list[int], **options: Any) -> list[NDArray[np.uint8]]:
    return list(draw(pipeline, prompts, seeds, **{"num_inference_steps": 3, "batch_size": 4} | options))


def same(left: list[NDArray[np.uint8]], right: list[NDArray[np.uint8]]) -> bool:
    return len(left) == len(right) and all(map(np.array_equal, left, right))


@ALL
def test_bitwise_the_same_in_any_order_grouping_and_number(make: Make) -> None:
    pipeline = make()
    together = images(pipeline, PROMPTS, SEEDS)
    assert all(image.dtype == np.uint8 and image.shape == together[0].shape for image in together)

    alone = [images(pipeline, [p], [s])[0] for p, s in zip(PROMPTS, SEEDS, strict=True)]
    assert same(together, alone)

    order = [4, 2, 0, 3, 1]
    shuffled = images(pipeline, [PROMPTS[i] for i in order], [SEEDS[i] for i in order])
    assert same([together[i] for i in order], shuffled)

    among_others = images(pipeline, ["a dog"] * 3 + PROMPTS, [9, 8, 7, *SEEDS])
    assert same(together, among_others[3:])


@ALL
def test_prompt_seed_and_guidance_all_matter(make: Make) -> None:
    pipeline = make()
    first, other_prompt, other_seed = images(pipeline, ["a cat", "a big dog", "a cat"], [1, 1, 2])
    [unguided] = images(pipeline, ["a cat"], [1], guidance_scale=1.0)
    [away] = images(pipeline, ["a cat"], [1], negative_prompt="a big dog")
    [rescaled] = images(pipeline, ["a cat"], [1], guidance_rescale=1.0)
    for other in (other_prompt, other_seed, unguided, away, rescaled):
        assert not np.array_equal(first, other)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
def test_every_prediction_type_is_understood(prediction_type: str) -> None:
    """A U-Net that always knows the clean latents: `draw` must decode just these."""
    pipeline = tiny.emu(prediction_type)
    clean = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(5))
    signals = dpm_solver(pipeline.scheduler.config).alphas_cumprod.sqrt()

    def answer(_module: object, inputs: tuple[torch.Tensor, torch.Tensor], output: Any) -> Any:
        noisy, timestep = inputs
        signal = signals[int(timestep.flatten()[0])]
        spread = (1 - signal**2).sqrt()
        eps = (noisy - signal * clean) / spread
        output.sample = {
            "epsilon": eps,
            "sample": clean.expand_as(eps),
            "v_prediction": signal * eps - spread * clean,
        }[prediction_type]
        return output

    pipeline.unet.register_forward_hook(answer)
    [drawn] = images(pipeline, ["a cat"], [1], num_inference_steps=8)
    with torch.no_grad():
        expected = pipeline._decode(clean, "np")[0] * 255
    np.testing.assert_allclose(drawn.astype(float), expected, atol=2.0)


def test_agrees_with_diffusers_own_call() -> None:
    pipeline = tiny.sd()
    [drawn] = images(pipeline, ["a cat"], [7], num_inference_steps=5, guidance_scale=5.0)
    pipeline.scheduler = dpm_solver(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    plain = pipeline(
        "a cat",
        num_inference_steps=5,
        guidance_scale=5.0,
        generator=torch.Generator().manual_seed(7),
        output_type="np",
    ).images[0]
    np.testing.assert_allclose(drawn.astype(float), plain * 255, atol=1.5)


def test_sdxl_without_negative_prompt_takes_the_zeros_it_was_trained_with() -> None:
    zeros, words = tiny.sdxl(), tiny.sdxl()
    words.register_to_config(force_zeros_for_empty_prompt=False)
    assert not same(images(zeros, ["a cat"], [1]), images(words, ["a cat"], [1]))
    zeros.set_progress_bar_config(disable=True)
    zeros_before = images(zeros, ["a cat"], [1])[0]
    zeros.scheduler = dpm_solver(zeros.scheduler.config)
    plain = zeros(
        "a cat",
        num_inference_steps=3,
        guidance_scale=4.0,
        generator=torch.Generator().manual_seed(1),
        output_type="np",
    ).images[0]
    np.testing.assert_allclose(zeros_before.astype(float), plain * 255, atol=1.5)


def test_each_distinct_prompt_is_encoded_once() -> None:
    pipeline = tiny.emu()
    encoded: list[int] = []
    pipeline.text_encoder_2.register_forward_hook(
        lambda _module, _args, output: encoded.append(len(output.last_hidden_state))
    )
    images(pipeline, ["a cat", "a dog", "a cat", "a cat", "a dog", "a cat"], [1, 2, 3, 4, 5, 6], batch_size=2)
    assert encoded == [2, 1]  # a cat and a dog as one batch, the empty prompt; nothing again


def test_the_model_is_left_as_it_was() -> None:
    pipeline = tiny.emu()
    pipeline.unet.train()
    noise_schedule, random_state = pipeline.scheduler, torch.get_rng_state()
    next(draw(pipeline, PROMPTS, SEEDS, num_inference_steps=2))  # abandoned after one image
    assert pipeline.scheduler is noise_schedule and isinstance(pipeline.scheduler, DDIMScheduler)
    assert pipeline.unet.training and not pipeline.vae.training
    assert pipeline.progress_bar(total=1).disable is False
    assert torch.equal(torch.get_rng_state(), random_state)
    assert all(weight.grad is None and weight.requires_grad for weight in pipeline.unet.parameters())


def test_settings_left_to_their_default_stay_the_schedules_own() -> None:
    ddim = DDIMScheduler(prediction_type="v_prediction")
    assert ddim.config.timestep_spacing == "leading"
    assert dpm_solver(ddim.config).config.timestep_spacing == "leading"
    # what the test guards against: diffusers swaps in the other class's default
    assert DPMSolverMultistepScheduler.from_config(ddim.config).config.timestep_spacing == "linspace"


def test_size_and_batch_size_come_from_the_model() -> None:
    pipeline = tiny.emu()
    assert default_size_px(pipeline) == 32
    assert images(pipeline, ["a cat"], [1], size_px=16)[0].shape == (16, 16, 3)
    sizes = {size_px: default_batch_size(pipeline, size_px) for size_px in (32, 128, 256, 512)}  # f = 4 here
    assert sizes == {32: 8, 128: 8, 256: 2, 512: 1}


def test_mistakes_are_said() -> None:
    with pytest.raises(ValueError, match="5 prompts but 2 seeds"):
        next(draw(tiny.emu(), PROMPTS, [1, 2]))
    unet = UNet2DModel(sample_size=8, block_out_channels=(32,), down_block_types=("DownBlock2D",),
                       up_block_types=("UpBlock2D",))  # fmt: skip
    with pytest.raises(PhotogenicError, match="No adapter knows a DDIMPipeline"):
        next(draw(DDIMPipeline(unet, DDIMScheduler()), ["a cat"], [1]))
    with pytest.raises(PhotogenicError, match="cannot draw a picture of 30 px") as refused:
        next(draw(tiny.emu(), ["a cat"], [1], size_px=30))
    assert refused.value.fix == "Take a multiple of 4."
    step = size_step_px(tiny.sd3())  # a patch of two latents a side
    with pytest.raises(PhotogenicError, match=f"cannot draw a picture of {step // 2} px"):
        next(draw(tiny.sd3(), ["a cat"], [1], size_px=step // 2))
