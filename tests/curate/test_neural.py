"""Neural scorers in the funnel, with tiny models of transformers' own classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from measures.neural_models import save_classifier, save_clip
from safetensors.numpy import save_file

from photogenic.core.errors import RecipeError
from photogenic.core.run import Run
from photogenic.core.shards import read_json, read_table
from photogenic.curate.config import CurateConfig
from photogenic.curate.neural import Head, clip_model, head_revision, image_scorer, judge_concept
from photogenic.curate.why import why
from photogenic.measures.classifier import Classifier
from photogenic.measures.clip_score import ClipScorer
from photogenic.measures.decode import decode_for_model
from photogenic.measures.heads import AestheticHead, zero_shot

from .funnels import run_funnel

NAMES = ("cat", "dog", "cup")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    save_clip(folder / "clip")
    save_classifier(folder / "nsfw", ("normal", "nsfw"))
    save_classifier(folder / "kinds", ("face", "table", "sky"))
    generator = np.random.default_rng(0)
    layers = {
        "layers.0.weight": (8, 24),
        "layers.0.bias": (8,),
        "layers.2.weight": (1, 8),
        "layers.2.bias": (1,),
    }
    save_file(
        {name: generator.normal(size=shape) for name, shape in layers.items()}, folder / "head.safetensors"
    )
    return folder


def neural_steps(models: Path) -> dict[str, Any]:
    return {
        "size": {"min_side_px": 64},
        "aesthetic": {
            "model": str(models / "clip"),
            "head": str(models / "head.safetensors"),
            "min_quantile": 0.1,
        },
        "unsafe": {"model": str(models / "nsfw"), "max_prob": 1.0},
        "concept": {"model": str(models / "clip"), "names": NAMES, "min_prob": 0.0},
        "duplicates": {"model": str(models / "clip"), "min_cosine": 0.99999},
        "select": {"num": 12, "by": "aesthetic_score", "balance": "concept"},
    }


def funnel(haystack: Path, folder: Path, steps: dict[str, Any]) -> Run:
    return run_funnel(haystack, folder, config=CurateConfig.model_validate({"steps": steps}))


def test_scores_are_those_of_the_models_and_share_one_embedding(
    models: Path, drawn: Path, tmp_path: Path
) -> None:
    run = funnel(drawn, tmp_path / "run", neural_steps(models))
    times = read_json(run.folder / "curate" / "scores" / "times.json")
    rows = read_table(run.folder / "curate" / "candidates.parquet").to_pylist()
    assert len(rows) == 12
    (vectors,) = (run.folder / "curate" / "scores").glob("image_embedding-*")
    # Once a picture, for two heads and the look-alikes.
    assert times["image_embedding"]["num"] == read_table(vectors).num_rows > 40
    clip, head = ClipScorer(models / "clip"), AestheticHead(models / "head.safetensors")
    nsfw = Classifier(models / "nsfw")
    texts = clip.embed_texts([f"a photo of {name}" for name in NAMES])
    for row in rows:
        data = (drawn / row["member"]).read_bytes()
        vector = clip.embed_images([decode_for_model(data, clip.least_size).rgb])
        best, prob = zero_shot(vector, texts, clip.config.logit_scale, None)
        assert row["aesthetic_score"] == pytest.approx(float(head(vector)[0]), abs=5e-3)  # float16 vectors
        assert row["concept_prob"] == pytest.approx(float(prob[0]), abs=2e-3)
        assert row["concept"] == NAMES[best[0]]
        assert row["unsafe_prob"] == pytest.approx(
            float(nsfw(decode_for_model(data, nsfw.least_size).rgb)[1]), abs=1e-6
        )


def test_another_head_opens_no_picture(models: Path, haystack: Path, tmp_path: Path) -> None:
    steps = neural_steps(models)
    del steps["unsafe"]
    run = funnel(haystack, tmp_path / "run", steps)
    before = read_json(run.folder / "curate" / "scores" / "times.json")
    steps["concept"] = steps["concept"] | {"names": ("rocket", "sky")}
    again = funnel(haystack, tmp_path / "run", steps)
    after = read_json(again.folder / "curate" / "scores" / "times.json")
    assert after["image_embedding"] == before["image_embedding"]
    assert set(read_table(run.folder / "curate" / "candidates.parquet")["concept"].to_pylist()) <= {
        "rocket",
        "sky",
    }
    (story,) = why(run, "00")
    assert any("aesthetic_score" in line.said for line in story.lines)


def test_candidates_do_not_tell_when_the_vectors_were_made(models: Path, drawn: Path, tmp_path: Path) -> None:
    steps = neural_steps(models)
    del steps["unsafe"]
    run = funnel(drawn, tmp_path / "run", steps)
    path = run.folder / "curate" / "candidates.parquet"
    first = path.read_bytes()
    assert "embedding" not in read_table(path).column_names, "vectors lie in the store"
    funnel(drawn, tmp_path / "run", steps)
    assert path.read_bytes() == first


def test_a_classifier_gives_concepts(models: Path, drawn: Path, tmp_path: Path) -> None:
    steps = {"size": {"min_side_px": 64}, "concept": {"model": str(models / "kinds"), "min_prob": 0.1}}
    run = funnel(drawn, tmp_path / "run", steps)
    rows = read_table(run.folder / "curate" / "candidates.parquet").to_pylist()
    classifier = Classifier(models / "kinds")
    for row in rows[:5]:
        data = (drawn / row["member"]).read_bytes()
        probabilities = classifier(decode_for_model(data, classifier.least_size).rgb)
        assert row["concept"] == classifier.labels[int(probabilities.argmax())]
        assert row["concept_prob"] == pytest.approx(float(probabilities.max()), abs=1e-6)


def test_vectors_that_are_made_in_another_way_are_judged_again(models: Path) -> None:
    model = clip_model(str(models / "clip"))
    head = Head((image_scorer(model),), judge_concept)
    other = Head((replace(image_scorer(model), revision="of another decode"),), judge_concept)
    assert head_revision("concept", model, head) != head_revision("concept", model, other)


def test_a_head_of_another_size_is_a_sentence(models: Path, drawn: Path, tmp_path: Path) -> None:
    save_file({"weight": np.ones((1, 7))}, tmp_path / "head.safetensors")
    step = {"model": str(models / "clip"), "head": str(tmp_path / "head.safetensors"), "min": 5}
    with pytest.raises(RecipeError, match=r"judges embeddings of 7 numbers.*have 24"):
        funnel(drawn, tmp_path / "run", {"aesthetic": step})


def test_the_packaged_clip_is_left_out_where_it_does_not_fit(
    drawn: Path, models: Path, tmp_path: Path
) -> None:
    steps = {"size": {"min_side_px": 64}, "concept": {"model": "emu-tiny", "names": NAMES}}
    steps["duplicates"] = {"model": "emu-tiny"}
    config = CurateConfig.model_validate({"steps": steps, "domain": "photographs"})
    run = run_funnel(drawn, tmp_path / "run", config=config)
    steps_told = read_json(run.folder / "curate" / "counts.json")["steps"]
    told = {step["name"]: (step["skipped"], step["note"]) for step in steps_told}
    reason = "The CLIP of emu-tiny knows stickers; the recipe says that these are photographs."
    assert told["concept"] == (reason, "")
    assert told["duplicates"] == ("", f"By perceptual hash only. {reason}")
    assert "concept" not in read_table(run.folder / "curate" / "candidates.parquet").column_names
