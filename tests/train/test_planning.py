"""The plan of training: operations against counts by hand, and how it scales."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from photogenic.models.unet import build_unet
from photogenic.recipe import find_recipe, load_recipe
from photogenic.train.config import EmaConfig, LoopConfig, PostHocConfig
from photogenic.train.footprint import Trained, footprint
from photogenic.train.planning import (
    PEAK,
    UTILISATION,
    denoiser_operations,
    forward_operations,
    gpu_bytes,
    plan_training,
    resolutions,
)
from photogenic.train.ready_made import t5_numbers, text_sizes


def test_operations_of_a_convolution_by_hand() -> None:
    convolution = torch.nn.Conv2d(3, 5, 3, padding=1, bias=False)
    assert forward_operations(convolution, torch.zeros(1, 3, 8, 8)) == 2 * 64 * 5 * 3 * 9


def test_t5_xxl_has_its_4_6_billion_parameters() -> None:
    config: Any = load_recipe(find_recipe("emu")).pretrain
    assert t5_numbers(text_sizes(config).t5) == pytest.approx(4.63e9, rel=0.01)


def test_the_paper_s_u_net_takes_about_2_35_teraflop_at_512_px() -> None:
    with torch.device("meta"):
        unet = build_unet(
            latent_channels=16,
            sample_size=64,
            block_out_channels=(448, 896, 1792),
            layers_per_block=3,
            transformer_layers_per_block=(0, 2, 3),
            attention_head_width=64,
            cross_attention_dim=2048,
            addition_time_embed_dim=256,
            pooled_dim=768,
        )
    assert denoiser_operations(unet, 512, 77 + 256) == pytest.approx(2.35e12, rel=0.08)
    assert denoiser_operations(unet, 512, 77 + 512) > denoiser_operations(unet, 512, 77 + 256)


def test_days_follow_operations_and_gpus() -> None:
    recipe = load_recipe(find_recipe("emu-tiny-pretrain"))
    tune = load_recipe(find_recipe("emu-tiny")).tune
    assert recipe.pretrain is not None
    loop = recipe.pretrain.parts().diffusion.loop
    one, four = (plan_training(recipe.pretrain, tune, gpus) for gpus in (1, 4))
    for a, b in zip(one.stages, four.stages, strict=True):
        assert a.days == pytest.approx(4 * b.days)
        assert a.days == pytest.approx(a.operations / (PEAK * UTILISATION) / 86400)
    assert one.stages[-1].name == "tuning" and one.stages[-1].read_bytes == 0.0
    pretraining = [stage for stage in one.stages if stage.name.startswith("U-Net")]
    assert sum(stage.samples for stage in pretraining) == pytest.approx(loop.max_steps * loop.batch_size)
    assert pretraining[-1].operations / pretraining[-1].samples > pretraining[0].operations / (
        pretraining[0].samples
    )


def test_the_recipe_s_own_resolutions_are_planned() -> None:
    config: Any = load_recipe(find_recipe("emu")).pretrain
    loop, grown = config.diffusion.loop, config.diffusion.growing
    expected = [(stage.size_px, stage.max_steps * stage.batch_size) for stage in grown]
    assert resolutions(config.diffusion, 1024) == [*expected, (1024, loop.max_steps * loop.batch_size)]
    assert [side for side, _ in expected] == [256, 512]


def test_what_is_split_is_divided_by_the_gpus() -> None:
    trained = Trained(learning=2_800_000_000, frozen=4_900_000_000, activation_bytes=10**10)
    loop = LoopConfig(max_steps=1, sharded=True)
    assert gpu_bytes(trained, loop, 1) == footprint(trained, loop).total
    split = 20 * trained.learning
    assert gpu_bytes(trained, loop, 256) == footprint(trained, loop).total - split + split // 256
    assert gpu_bytes(trained, LoopConfig(max_steps=1), 256) == footprint(trained, loop).total


def test_a_tuning_with_averages_post_hoc_is_planned_with_both_of_them() -> None:
    recipe: Any = load_recipe(find_recipe("emu-tiny-pretrain"))
    tune: Any = load_recipe(find_recipe("emu-tiny")).tune
    post_hoc = tune.model_copy(update={"ema": EmaConfig(post_hoc=PostHocConfig())})
    assert (tune.num_averages, post_hoc.num_averages) == (1, 2)
    one, two = (plan_training(recipe.pretrain, each, 1).stages[-1] for each in (tune, post_hoc))
    assert two.gpu_bytes - one.gpu_bytes == one.checkpoint_bytes // 4  # of which one average is a fourth
