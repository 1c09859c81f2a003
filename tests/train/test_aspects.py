"""Aspect buckets by hand, and growing resolutions on pictures of several shapes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import shape as drawn
from PIL import Image
from test_pretrain import LOOP, T5, UNET
from test_pretrain import config as pretrain_config

from photogenic.core.manifest import iter_samples
from photogenic.core.run import MetricsLog, Run
from photogenic.core.shards import read_json, read_table, write_table
from photogenic.models.families import encode_empty, encode_texts, joined
from photogenic.train.aspects import (
    Shape,
    accounting,
    accounting_lines,
    bucket_shapes,
    fit,
    fit_all,
    nearest_shapes,
    time_ids,
)
from photogenic.train.config import AspectConfig, DiffusionConfig, DiffusionLossConfig, PretrainConfig
from photogenic.train.haystack import load_haystack
from photogenic.train.latents import AspectLatents
from photogenic.train.noise import process_of
from photogenic.train.objectives.diffusion import DiffusionObjective
from photogenic.train.order import parts_of_batch
from photogenic.train.parts.autoencoder import build_autoencoder
from photogenic.train.parts.diffusion import stages_of
from photogenic.train.pretrain import pretrain
from photogenic.train.text import CachedText

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))
import tiny

CPU = torch.device("cpu")
JPEG = "green-disc"
ASPECTS = {"max_ratio": 4.0, "multiple_of": 16}  # at 32 px: 16 x 64, 32 x 32, 64 x 16


def test_buckets_of_1024_px_are_those_of_sdxl_s_area() -> None:
    shapes = bucket_shapes(1024, AspectConfig())
    assert Shape(1024, 1024) in shapes and Shape(1152, 896) in shapes and Shape(832, 1216) in shapes
    for shape in shapes:
        assert shape.height % 64 == shape.width % 64 == 0
        assert 0.9 * 1024**2 < shape.height * shape.width <= 1024**2
        assert max(shape) <= 2 * min(shape)
        assert Shape(shape.width, shape.height) in shapes
    assert len(shapes) == 9
    assert bucket_shapes(512, None) == (Shape(512, 512),)


def test_every_picture_has_its_bucket_and_the_account_adds_up() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(200, 3000, (500, 2)).astype(np.float64)
    shapes = bucket_shapes(512, AspectConfig())
    buckets = nearest_shapes(sizes, shapes)
    rows = accounting(sizes, buckets, shapes)
    assert sum(int(row["pictures"]) for row in rows) == 500
    fitted = fit_all(sizes, buckets, shapes)
    assert (fitted.scaled >= fitted.target - 1e-6).all()
    assert np.isclose(fitted.scaled, fitted.target).any(axis=1).all()  # it covers, and touches two sides
    assert accounting_lines(rows, 3)[0].startswith("500 pictures in ")
    assert "none dropped; 3 cannot be read" in accounting_lines(rows, 3)[0]


def test_a_wide_picture_by_hand() -> None:
    shapes = (Shape(64, 64), Shape(48, 80))
    sizes = np.array([[300.0, 600.0], [30.0, 30.0]])
    buckets = nearest_shapes(sizes, shapes)
    assert buckets.tolist() == [1, 0]
    fitted = fit_all(sizes, buckets, shapes)
    np.testing.assert_allclose(fitted.scaled, [[48, 96], [64, 64]])
    np.testing.assert_allclose(fitted.corner, [[0, 8], [0, 0]])
    # Original (never more than was scaled to), corner, target: only the second was enlarged, and says so.
    assert time_ids(sizes, fitted).tolist() == [[48, 96, 0, 8, 48, 80], [30, 30, 0, 0, 64, 64]]
    (square, wide) = accounting(sizes, buckets, shapes)
    assert (square["enlarged"], wide["enlarged"]) == (1, 0)
    assert wide["cropped_ratio"] == pytest.approx(1 / 6, abs=1e-4)


def test_fit_crops_the_centre_without_distortion() -> None:
    rgb = np.zeros((100, 300, 3), np.uint8)
    rgb[:, 100:200] = 255  # the middle third
    picture = fit(rgb, Shape(40, 80))
    assert picture.shape == (40, 80, 3)
    white = (picture[20, :, 0] > 127).sum()
    assert white == 40  # a third of 120 px, not of 80
    assert picture[20, 40, 0] == 255 and picture[20, 5, 0] == 0


@pytest.mark.parametrize("size", [1, 2, 3])
def test_parts_of_a_batch_hold_one_shape_and_lose_nothing(size: int) -> None:
    rng = np.random.default_rng(1)
    groups, indices = rng.integers(0, 4, 100), rng.permutation(100)[:23]
    seen: list[int] = []
    shares = 0.0
    counts = set()
    for rank in range(size):
        parts = parts_of_batch(indices, rank, size, 3, groups=groups, evenly=True)
        counts.add(len(parts))
        for part in parts:
            assert len(part.indices) <= 3 and len(set(groups[part.indices].tolist())) == 1
            shares += part.share
            seen += part.indices.tolist() if part.share else []
    assert sorted(seen) == sorted(indices.tolist()) and shares == pytest.approx(1.0)
    assert len(counts) == 1


@pytest.fixture
def shaped_run(shapes_run: Run) -> Run:
    """The twelve shapes, four of them wide and four upright; one of them is a JPEG."""
    root: Path = shapes_run.sources().roots["shapes"]
    for number, path in enumerate(sorted(root.glob("*.png"))):
        canvas = Image.new("RGB", ((144, 48), (48, 144), (48, 48))[number % 3], "white")
        colour, form = path.stem.split("-")
        canvas.paste(drawn(colour, form), (0, 0))
        canvas.save(path, format="jpeg" if path.stem == JPEG else "png")
    index_again(shapes_run)
    return shapes_run


def index_again(run: Run) -> None:
    """Sizes of files in the manifest as they are now."""
    root: Path = run.sources().roots["shapes"]
    table = read_table(run.folder / "pool" / "manifest")
    sizes = [(root / str(member)).stat().st_size for member in table["member"].to_pylist()]
    index = table.schema.get_field_index("size_bytes")
    table = table.set_column(index, table.schema.field(index), [sizes])
    write_table(run.folder / "pool" / "manifest" / "00000.parquet", table)


def test_latents_ahead_and_inline_are_those_of_the_fitted_pictures(shaped_run: Run) -> None:
    config: PretrainConfig = pretrain_config()
    haystack = load_haystack(config, shaped_run, split_seed=0)
    torch.manual_seed(0)
    assert config.autoencoder is not None
    autoencoder = build_autoencoder(config.autoencoder, 32).eval()
    aspects = AspectConfig.model_validate(ASPECTS)
    ahead, inline = (AspectLatents(autoencoder, haystack, 32, aspects, ahead=flag) for flag in (True, False))
    assert ahead.groups is not None and len(set(ahead.groups.tolist())) == 3
    for group in set(ahead.groups.tolist()):
        rows = torch.from_numpy(np.flatnonzero(ahead.groups == group))
        latents = inline.at(rows)
        assert latents.shape == (4, *inline.shape(int(rows[0])))
        torch.testing.assert_close(ahead.at(rows), latents, rtol=2e-3, atol=2e-3)  # kept in half precision
    samples = list(iter_samples(read_table(shaped_run.folder / "pool" / "manifest")))
    assert [sample.sample_id for sample in samples] == list(ahead.sample_ids)


def test_inline_reads_headers_alone_before_a_step_and_broken_pixels_count_nothing(shaped_run: Run) -> None:
    root: Path = shaped_run.sources().roots["shapes"]
    jpeg, nothing = root / f"{JPEG}.png", root / "red-bar.png"
    jpeg.write_bytes(jpeg.read_bytes()[:-300])  # its header is sound
    nothing.write_bytes(b"no picture")
    index_again(shaped_run)
    haystack = load_haystack(growing(), shaped_run, split_seed=0)
    assert not list((shaped_run.folder / "pretrain" / "cache").rglob("rgb.npy"))
    assert len(haystack.pictures.unreadable) == 1 and len(haystack.pictures) == 11
    decoded = load_haystack(pretrain_config(), shaped_run, split_seed=0).pictures
    assert len(decoded) == 10
    others = np.array([haystack.pictures.sample_ids.index(name) for name in decoded.sample_ids])
    assert np.array_equal(haystack.pictures.rgb[others], decoded.rgb[:])
    assert np.array_equal(haystack.pictures.sizes[others], decoded.sizes)
    assert haystack.pictures.subset(others[:3]).rgb.shape == (3, 32, 32, 3)

    pipeline = tiny.emu()
    latents = AspectLatents(pipeline.vae, haystack, 32, None, ahead=False)
    text = CachedText(joined([encode_texts(pipeline, haystack.pictures.texts), encode_empty(pipeline)]), CPU)
    loss, rows = DiffusionLossConfig(), np.arange(11)
    objective = DiffusionObjective(
        pipeline.unet, pipeline.unet, text, latents, rows, rows, process_of(pipeline.scheduler, loss), loss, 0
    )
    (broken,) = set(rows.tolist()) - set(others.tolist())
    with torch.no_grad():
        alone, beside = (objective.losses(np.array(batch), 0) for batch in ([broken], [broken, others[0]]))
        sound = objective.losses(others[:1], 0)
    assert float(alone["loss"]) == 0.0 and float(beside["loss"]) == pytest.approx(0.5 * float(sound["loss"]))
    assert float(beside["mse"]) == pytest.approx(float(sound["mse"])) and float(alone["mse"]) == 0.0
    validated = {}
    for name, kept in (("with", rows), ("without", others)):
        objective.validation_rows = kept
        validated[name] = objective.validate()["validation_loss"]
    assert validated["with"] == pytest.approx(validated["without"])
    log = (shaped_run.folder / "log.txt").read_text()
    assert log.count("has no pixels") == 1 and f"shapes/{JPEG}.png has no pixels: truncated" in log
    assert np.all(haystack.pictures.rgb[np.array([broken])] == 255) and "see a white square" in log


def growing(**changes: Any) -> PretrainConfig:
    diffusion = {
        "unet": UNET,
        "t5": T5,
        "loop": LOOP,
        "loss": {"noise_offset": 0.02, "snr_gamma": None},
        "growing": [{"size_px": 16, "max_steps": 2, "batch_size": 6, "micro_batch_size": 2}],
        "aspects": ASPECTS,
        "latents": "inline",
    }
    return pretrain_config(judge=None, diffusion=diffusion | changes)


def test_resolutions_grow_and_the_offset_comes_last(shaped_run: Run) -> None:
    model = pretrain(growing(), shaped_run, seed=0)
    folder = shaped_run.folder / "pretrain" / "diffusion"
    assert (model / "unet").is_dir()
    for stage, steps in ((folder / "16px", 2), (folder, 3)):
        rows = MetricsLog(stage / "metrics.jsonl").rows()
        assert [row["global_step"] for row in rows if "loss" in row] == list(range(1, steps + 1))
        assert all(np.isfinite(row["loss"]) for row in rows if "loss" in row)
        assert sum(row["pictures"] for row in read_json(stage / "buckets.json")) == 12
    logs = {path: path.read_bytes() for path in folder.rglob("metrics.jsonl")}
    pretrain(growing(), shaped_run, seed=0)
    assert all(path.read_bytes() == log for path, log in logs.items())

    config, haystack = growing().diffusion, load_haystack(growing(), shaped_run, split_seed=0)
    assert config is not None
    first, last = stages_of(config, 32, folder, haystack, 0, "upstream")
    assert (first.size_px, first.loss.noise_offset, first.loop.batch_size) == (16, 0.0, 6)
    assert (last.size_px, last.loss.noise_offset, last.loop.batch_size) == (32, 0.02, 4)
    assert first.key != last.key


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"aspects": {"multiple_of": 8}}, "8 px is no multiple of 16"),
        ({"growing": [{"size_px": 24, "max_steps": 1}]}, "24 px is no multiple of 16"),
        (
            {"growing": [{"size_px": 32, "max_steps": 1}, {"size_px": 16, "max_steps": 1}]},
            "must name growing sizes",
        ),
    ],
)
def test_stages_that_cannot_be_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        DiffusionConfig.model_validate({"loop": LOOP} | changes)
    with pytest.raises(ValueError, match="ends before `size_px` 32"):
        growing(growing=[{"size_px": 32, "max_steps": 1}])


def test_a_plain_training_keeps_its_key() -> None:
    plain = DiffusionConfig.model_validate({"loop": LOOP})
    assert plain.is_plain and not {"growing", "aspects", "latents"} & plain.counted().keys()
