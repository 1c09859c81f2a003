"""Folders: round trips of every family, stored precision, refusals in sentences, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from safetensors.torch import load_file, save_file

from models import tiny
from photogenic.core.errors import MissingModelError
from photogenic.models.checkpoint import load_pipeline, save_pipeline
from photogenic.models.pipeline import EmuPipeline
from photogenic.models.sampling import draw

UNET_WEIGHTS = Path("unet") / "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def emu_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "emu"
    save_pipeline(tiny.emu(), folder)
    return folder


@pytest.fixture
def broken(emu_folder: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(emu_folder, tmp_path / "emu"))


def one_image(pipeline: DiffusionPipeline) -> Any:
    return next(draw(pipeline, ["a cat"], [3], num_inference_steps=3, batch_size=1))


@pytest.mark.parametrize("make", [tiny.emu, tiny.sd, tiny.sdxl], ids=["emu", "sd", "sdxl"])
def test_what_is_loaded_draws_what_was_saved_to_the_bit(make: Callable[[], Any], tmp_path: Path) -> None:
    pipeline = make()
    save_pipeline(pipeline, tmp_path / "model")
    again = load_pipeline(tmp_path / "model")
    assert type(again) is type(pipeline)
    np.testing.assert_array_equal(one_image(again), one_image(pipeline))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_stored_and_becomes_float32_on_a_cpu(dtype: torch.dtype, tmp_path: Path) -> None:
    pipeline = tiny.emu()
    before = {name: weight.clone() for name, weight in pipeline.unet.state_dict().items()}
    save_pipeline(pipeline, tmp_path / "half", dtype)
    assert all(torch.equal(weight, before[name]) for name, weight in pipeline.unet.state_dict().items())
    stored = load_file(tmp_path / "half" / UNET_WEIGHTS)
    assert {weight.dtype for weight in stored.values()} == {dtype}
    again = load_pipeline(tmp_path / "half")
    for name, part in again.components.items():
        if isinstance(part, torch.nn.Module):
            assert part.dtype == torch.float32, name
            assert not part.training
    assert torch.equal(again.unet.conv_in.weight, before["conv_in.weight"].to(dtype).float())
    assert load_pipeline(tmp_path / "half", dtype=torch.bfloat16).unet.dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("make", [tiny.emu, tiny.sd, tiny.sdxl], ids=["emu", "sd", "sdxl"])
def test_half_precision_draws_about_the_same(
    make: Callable[[], Any], dtype: torch.dtype, tmp_path: Path
) -> None:
    pipeline = make()
    save_pipeline(pipeline, tmp_path / "model")
    half = one_image(load_pipeline(tmp_path / "model", dtype=dtype))
    assert np.abs(half.astype(int) - one_image(pipeline)).mean() < 10


def test_diffusers_itself_loads_what_we_save_of_its_own_families(tmp_path: Path) -> None:
    save_pipeline(tiny.sd(), tmp_path / "sd")
    assert (
        DiffusionPipeline.from_pretrained(tmp_path / "sd", use_safetensors=True).unet.config.sample_size == 8
    )


def test_the_weights_do_not_hang_on_the_file(emu_folder: Path, broken: Path) -> None:
    pipeline = load_pipeline(broken)
    before = one_image(pipeline)
    weights = broken / UNET_WEIGHTS
    with weights.open("r+b") as file:
        file.seek(weights.stat().st_size // 2)
        file.write(b"\0" * (weights.stat().st_size // 4))
    np.testing.assert_array_equal(one_image(pipeline), before)


def test_nothing_tells_where_the_model_came_from(emu_folder: Path, tmp_path: Path) -> None:
    save_pipeline(load_pipeline(emu_folder), tmp_path / "again")
    for path in sorted((tmp_path / "again").rglob("*.json")):
        assert str(emu_folder) not in path.read_text(), path
        assert "_name_or_path" not in path.read_text(), path
    files = [path.relative_to(emu_folder) for path in emu_folder.rglob("*") if path.is_file()]
    assert all((tmp_path / "again" / file).read_bytes() == (emu_folder / file).read_bytes() for file in files)


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(MissingModelError, match=r"has no model_index\.json"):
        load_pipeline(tmp_path)
    with pytest.raises(MissingModelError, match="There is no model folder"):
        load_pipeline(tmp_path / "nothing" / "here")


def test_a_pickle_is_refused(broken: Path) -> None:
    torch.save({}, broken / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(MissingModelError, match=r"unet/diffusion_pytorch_model\.bin is a pickle"):
        load_pipeline(broken)


def test_of_other_families_only_a_pickle_without_safetensors_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "sd"
    save_pipeline(tiny.sd(), folder)
    torch.save({}, folder / "unet" / "diffusion_pytorch_model.bin")
    load_pipeline(folder)
    (folder / UNET_WEIGHTS).unlink()
    with pytest.raises(MissingModelError, match="is a pickle"):
        load_pipeline(folder)


def test_a_cut_off_file_is_named(broken: Path) -> None:
    weights = broken / UNET_WEIGHTS
    os.truncate(weights, weights.stat().st_size - 100)
    with pytest.raises(MissingModelError, match=r"diffusion_pytorch_model\.safetensors is not readable"):
        load_pipeline(broken)


def test_a_missing_weight_is_an_error_and_not_a_random_number(broken: Path) -> None:
    weights = load_file(broken / UNET_WEIGHTS)
    weights.pop("conv_out.weight")
    save_file(weights, broken / UNET_WEIGHTS, metadata={"format": "pt"})
    with pytest.raises(MissingModelError, match=r"lacks 1 of its weights, conv_out\.weight"):
        load_pipeline(broken)


def test_a_missing_component_is_a_sentence(broken: Path) -> None:
    shutil.rmtree(broken / "joiner")
    with pytest.raises(MissingModelError, match="cannot be loaded"):
        load_pipeline(broken)


def test_code_that_came_with_a_model_is_not_run(broken: Path) -> None:
    (broken / "unet" / "ours.py").write_text("raise SystemExit('ran')\n")
    index = json.loads((broken / "model_index.json").read_text())
    index["unet"] = ["ours", "UNet"]
    (broken / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(MissingModelError, match="cannot be loaded"):
        load_pipeline(broken)


def test_saving_replaces_the_whole_folder(emu_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    save_pipeline(tiny.sd(), folder)
    (folder / "left_over.txt").write_text("old")
    save_pipeline(tiny.emu(), folder)
    assert isinstance(load_pipeline(folder), EmuPipeline)
    assert not (folder / "left_over.txt").exists() and not (folder / "safety_checker").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_failed_save_leaves_the_old_model(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    save_pipeline(tiny.emu(seed=1), folder)
    before = one_image(load_pipeline(folder))
    pipeline = tiny.emu(seed=2)
    (folder / "keep").mkdir()
    pipeline.tokenizer.save_pretrained = lambda *_args, **_kwargs: (folder / "absent" / "file").touch()
    with pytest.raises(FileNotFoundError):
        save_pipeline(pipeline, folder)
    np.testing.assert_array_equal(one_image(load_pipeline(folder)), before)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
