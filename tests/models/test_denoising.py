"""The loop over the steps: samplers by name, guidance in an interval, cached blocks, previews, stopping."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    PixArtSigmaPipeline,
    PixArtTransformer2DModel,
)
from numpy.typing import NDArray

from models import tiny
from photogenic.core.errors import PhotogenicError
from photogenic.models.denoising import Progress
from photogenic.models.noise_schedules import noise_schedule_for
from photogenic.models.samplers import SAMPLERS, is_sampler
from photogenic.models.sampling import draw
from photogenic.models.unet import build_t5

SMALL = {"num_inference_steps": 4, "batch_size": 1}


def one(pipeline: Any, **options: Any) -> NDArray[np.int64]:
    [image] = draw(pipeline, ["a cat"], [7], **{**SMALL, **options})
    return image.astype(np.int64)


@pytest.mark.parametrize("sampler", [*SAMPLERS, "own", "KDPM2DiscreteScheduler"])
def test_every_sampler_draws_as_diffusers_own_call_does(sampler: str) -> None:
    pipeline = tiny.sd()
    drawn = one(pipeline, sampler=sampler, guidance_scale=3.0)
    pipeline.scheduler = noise_schedule_for(sampler, pipeline.scheduler)
    pipeline.set_progress_bar_config(disable=True)
    [plain] = pipeline(
        "a cat",
        num_inference_steps=4,
        guidance_scale=3.0,
        generator=[torch.Generator().manual_seed(7)],
        output_type="np",
    ).images
    np.testing.assert_allclose(drawn, plain * 255, atol=1.5)


def test_samplers_differ_and_unknown_ones_are_refused() -> None:
    pipeline = tiny.sd()
    assert not np.array_equal(one(pipeline, sampler="euler"), one(pipeline, sampler="dpm++"))
    assert is_sampler("euler") and is_sampler("DDIMScheduler") and not is_sampler("eulerr")
    with pytest.raises(PhotogenicError, match="There is no sampler 'NoSuchScheduler'"):
        one(pipeline, sampler="NoSuchScheduler")
    with pytest.raises(PhotogenicError, match="does not work on this model's noise schedule"):
        one(pipeline, sampler="FlowMatchEulerDiscreteScheduler")


@pytest.mark.parametrize(("make", "sampler"), [(tiny.emu, "dpm++-sde"), (tiny.sd, "dpm++")])
def test_each_family_has_its_usual_sampler(make: Callable[[], Any], sampler: str) -> None:
    pipeline = make()
    assert np.array_equal(one(pipeline), one(pipeline, sampler=sampler))
    others = {"dpm++", "dpm++-sde"} - {sampler}
    assert not any(np.array_equal(one(pipeline), one(pipeline, sampler=other)) for other in others)


def test_flow_matching_keeps_its_own_sampler() -> None:
    flow = FlowMatchEulerDiscreteScheduler()
    assert isinstance(noise_schedule_for(None, flow), FlowMatchEulerDiscreteScheduler)
    assert isinstance(noise_schedule_for(None, tiny.sd().scheduler), DPMSolverMultistepScheduler)


def rows_of_each_step(pipeline: Any, **options: Any) -> list[int]:
    rows: list[int] = []
    with_rows = pipeline.unet.register_forward_pre_hook(lambda _m, args: rows.append(len(args[0])))
    one(pipeline, **options)
    with_rows.remove()
    return rows


def test_guidance_only_where_it_matters_saves_half_of_the_other_steps() -> None:
    pipeline = tiny.emu()
    assert rows_of_each_step(pipeline) == [2, 2, 2, 2]
    assert rows_of_each_step(pipeline, guidance_interval=(0.25, 0.75)) == [1, 2, 2, 1]
    assert rows_of_each_step(pipeline, guidance_scale=1.0) == [1, 1, 1, 1]
    never = one(pipeline, guidance_interval=(1.0, 1.0))
    np.testing.assert_array_equal(never, one(pipeline, guidance_scale=1.0))


@pytest.mark.parametrize("make", [tiny.emu, tiny.sd, tiny.sdxl], ids=["emu", "sd", "sdxl"])
def test_deep_blocks_run_at_some_steps_only(make: Any) -> None:
    pipeline = make()
    exact = one(pipeline, num_inference_steps=6)
    calls: list[int] = []
    hook = pipeline.unet.down_blocks[1].resnets[0].register_forward_pre_hook(lambda _m, _a: calls.append(1))
    cached = one(pipeline, num_inference_steps=6, cache_interval=3)
    assert len(calls) == 2  # of six steps
    hook.remove()
    assert not np.array_equal(cached, exact)
    np.testing.assert_array_equal(one(pipeline, num_inference_steps=6), exact)  # nothing is left behind


def test_blocks_run_again_when_the_rows_change() -> None:
    """A step without guidance has half the rows, and cannot take what the guided one left."""
    one(tiny.emu(), cache_interval=4, guidance_interval=(0.0, 0.5))


@pytest.mark.parametrize("make", [tiny.emu, tiny.sd, tiny.sdxl], ids=["emu", "sd", "sdxl"])
def test_attention_is_spared_work_and_no_bit_changes(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = make()
    layer = next(part for name, part in pipeline.unet.named_modules() if name.endswith("attn2.to_v"))
    own, rows = layer.forward, []

    def counted(states: torch.Tensor) -> torch.Tensor:
        rows.append(len(states))
        return own(states)

    layer.forward = counted
    drawn = one(pipeline, guidance_interval=(0.25, 0.75))
    assert sorted(rows) == [1, 2]  # unguided and guided, of four steps
    assert layer.forward is counted  # whatever took the layer's place before is there again
    del layer.forward
    with monkeypatch.context() as patched:
        patched.setattr("photogenic.models.denoising.attention_spared", lambda *_: nullcontext())
        np.testing.assert_array_equal(one(pipeline, guidance_interval=(0.25, 0.75)), drawn)
    assert "forward" not in vars(layer)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("sampler", ["dpm++", "euler", "ddim"])
def test_previews_end_at_the_picture(prediction_type: str, sampler: str) -> None:
    seen: list[NDArray[np.uint8]] = []
    totals: list[tuple[int, int]] = []

    def watch(step: Progress) -> None:
        seen.append(step.preview()[0])
        totals.append((step.number, step.total))

    pipeline = tiny.emu(prediction_type)
    image = one(pipeline, sampler=sampler, num_inference_steps=12, on_step=watch)
    assert totals == [(number, 12) for number in range(1, 13)]
    gaps = [np.abs(preview.astype(int) - image).mean() for preview in seen]
    assert gaps[-1] < 1.0 and gaps[-1] <= gaps[0]


def test_what_on_step_raises_stops_the_drawing_and_leaves_the_model_as_it_was() -> None:
    class Enough(Exception):
        pass

    def stop(step: Progress) -> None:
        if step.number == 2:
            raise Enough

    pipeline = tiny.emu()
    before = pipeline.scheduler
    with pytest.raises(Enough):
        one(pipeline, on_step=stop, cache_interval=2)
    assert pipeline.scheduler is before
    assert not [name for name, part in pipeline.unet.named_modules() if "forward" in vars(part)]


def pixart() -> Any:
    """A family that no adapter knows: a transformer with T5 alone, random weights, 16 px."""
    torch.manual_seed(0)
    tokenizer = tiny.letter_tokenizer(24)
    return PixArtSigmaPipeline(
        tokenizer=tokenizer,
        text_encoder=build_t5(
            vocab_size=len(tokenizer), pad_token_id=0, d_model=24, d_ff=48, d_kv=12, num_heads=2, num_layers=1
        ).eval(),
        vae=AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            block_out_channels=(8, 8),
            layers_per_block=1,
            norm_num_groups=4,
            sample_size=16,
        ).eval(),
        transformer=PixArtTransformer2DModel(
            num_attention_heads=2,
            attention_head_dim=8,
            in_channels=4,
            out_channels=8,
            num_layers=1,
            cross_attention_dim=16,
            sample_size=8,
            caption_channels=24,
            use_additional_conditions=False,
        ).eval(),
        scheduler=tiny.sd().scheduler,
    )


def test_a_pipeline_that_no_adapter_knows_draws_by_its_own_call() -> None:
    pipeline = pixart()
    first, second = draw(pipeline, ["a cat", "a dog"], [1, 2], num_inference_steps=2, batch_size=2)
    assert first.shape == (16, 16, 3) and first.dtype == np.uint8
    [again, _] = draw(pipeline, ["a cat", "a big dog"], [1, 9], num_inference_steps=2, batch_size=2)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second)
    with pytest.raises(PhotogenicError, match="neither block caching nor a guidance interval"):
        one(pipeline, cache_interval=2)
