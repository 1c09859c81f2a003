"""Scorers that look with a neural model: one embedding a picture, and heads that judge it.

The dear part, the image tower, runs once a picture; its unit vector is kept as float16, so that a score is
the same whether it was computed with its vector or years after it. Heads (CLIP score, aesthetic score,
concepts named in words) read vectors only: another head, or another list of concepts, opens no picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from photogenic.core.errors import MissingModelError, RecipeError
from photogenic.core.records import Sample
from photogenic.core.shards import fingerprint
from photogenic.curate.config import AestheticStep, ConceptStep, DuplicatesStep, StepsConfig
from photogenic.curate.scorers import Scorer, Values
from photogenic.measures.hub import ModelFolder, model_folder

if TYPE_CHECKING:
    from photogenic.measures.classifier import Classifier
    from photogenic.measures.clip_score import ClipScorer
    from photogenic.measures.unsafe import UnsafeByLabels

Vectors = NDArray[np.float32]  # [N, D] unit vectors, rounded to float16
Judge = Callable[[list[Vectors], Any], dict[str, NDArray[Any]]]

EMBEDDING = "embedding"
VECTOR = pa.large_list(pa.float16())  # not of fixed size: a null would take as much room as a vector


@dataclass(frozen=True, eq=False)
class Head:
    """Columns from vectors: `judge(vectors, model)` gives values [N] for [N, D] of each source."""

    sources: tuple[Scorer, ...]
    judge: Judge


def neural_scorers(steps: StepsConfig) -> list[Scorer]:
    """Those that the recipe's steps ask for, each once.

    Raises:
        MissingModelError: a model is not there, or is of another kind than the step needs.
        MissingExtraError: a model needs torch, and that is not installed.
        RecipeError: a head does not fit the embeddings, or labels are not the classifier's.
    """
    found = []
    if steps.clip_score:
        found.append(clip_scorer(clip_model(steps.clip_score.model)))
    if steps.aesthetic:
        found.append(aesthetic_scorer(clip_model(steps.aesthetic.model), model_folder(steps.aesthetic.head)))
    if steps.concept:
        found.append(concept_scorer(steps.concept))
    if steps.unsafe and steps.unsafe.model:
        found.append(unsafe_by_labels_scorer(model_folder(steps.unsafe.model), steps.unsafe.labels))
    return found


def embedding_model(step: object) -> ModelFolder | None:
    """The CLIP whose embeddings a step judges; None where it judges none."""
    if isinstance(step, AestheticStep | DuplicatesStep):
        return clip_model(step.model) if step.model else None
    if isinstance(step, ConceptStep) and step.names:
        return clip_model(step.model)
    return None


def clip_model(name_or_path: str) -> ModelFolder:
    """The CLIP or SigLIP that the recipe names.

    Raises:
        MissingModelError: there is none.
    """
    from photogenic.measures.clip_score import FILES, read_clip_config

    path = Path(name_or_path).expanduser()
    if path.is_dir() and not ((path / "clip.json").exists() or (path / "config.json").exists()):
        raise MissingModelError(
            f"There is no CLIP in {path}: {', '.join(FILES)} missing, and so is config.json.",
            "Name another `model`, or take the step out.",
        )
    model = model_folder(name_or_path)
    read_clip_config(model.path)
    return model


# --- vectors -------------------------------------------------------------------------------------------


@cache
def image_scorer(model: ModelFolder) -> Scorer:
    """The unit vector of the picture, shared by all heads on it."""
    return Scorer(
        "image_embedding",
        measure_image,
        {EMBEDDING: VECTOR},
        _revision("image 2", model),
        model=model.path,
        told=_told(model),
    )


def measure_image(sample: Sample, data: bytes, model: Any) -> Values:
    """Column of `image_scorer`."""
    from photogenic.measures.decode import decode_for_model

    clip = _clip(model)
    picture = decode_for_model(data, clip.least_size)
    return {EMBEDDING: clip.embed_images([picture.rgb])[0].astype(np.float16)}


@cache
def text_scorer(model: ModelFolder) -> Scorer:
    """The unit vector of the sample's text; null where there is none."""
    return Scorer(
        "text_embedding",
        measure_text,
        {EMBEDDING: VECTOR},
        _revision("text 1", model),
        basis="text",
        model=model.path,
        reads_bytes=False,
        told=_told(model),
        samples_per_task=64,
    )


def measure_text(sample: Sample, data: bytes, model: Any) -> Values:
    """Column of `text_scorer`."""
    if not sample.alt_text.strip():
        return {EMBEDDING: None}
    return {EMBEDDING: _clip(model).embed_texts([sample.alt_text])[0].astype(np.float16)}


# --- heads ---------------------------------------------------------------------------------------------


@cache
def clip_scorer(model: ModelFolder) -> Scorer:
    """100 x cosine of picture and text; null where there is no text."""
    head = Head((image_scorer(model), text_scorer(model)), judge_agreement)
    revision = head_revision("clip 2", model, head)
    return _head_scorer("clip", {"clip_score": "float64"}, revision, head, "uid and text", told=_told(model))


def judge_agreement(vectors: list[Vectors], model: Any) -> dict[str, NDArray[Any]]:
    """clip_score, -100 to 100, of [N, D] pictures and their texts."""
    images, texts = (part.astype(np.float64) for part in vectors)
    return {"clip_score": 100 * (images * texts).sum(axis=1)}


@cache
def aesthetic_scorer(model: ModelFolder, head: ModelFolder) -> Scorer:
    """A LAION-type head on the embeddings of the CLIP that it was trained on.

    Raises:
        RecipeError: it was trained on embeddings of another size.
    """
    from photogenic.measures.clip_score import read_clip_config

    needed, given = _aesthetic(head.path).embedding_dim, read_clip_config(model.path).embedding_dim
    if needed != given:
        raise RecipeError(
            f"curate.steps.aesthetic: the head {head.name} judges embeddings of {needed} numbers, and"
            f" those of {model.name} have {given}.",
            "Name the CLIP that the head was trained on.",
        )
    columns = {"aesthetic_score": "float64"}
    judge, told = Head((image_scorer(model),), judge_appeal), f"{_told(head)} on {_told(model)}"
    revision = head_revision("aesthetic 1", model, judge, head.revision)
    return _head_scorer("aesthetic", columns, revision, judge, "uid", head.path, told=told)


def judge_appeal(vectors: list[Vectors], model: Any) -> dict[str, NDArray[Any]]:
    """aesthetic_score, about 1-10, of [N, D] pictures."""
    return {"aesthetic_score": _aesthetic(model)(vectors[0]).astype(np.float64)}


@dataclass(frozen=True)
class Concepts:
    """A CLIP, and the concepts that it looks for."""

    folder: Path
    names: tuple[str, ...]
    template: str


@cache
def concept_scorer(step: ConceptStep) -> Scorer:
    """`concept` and `concept_prob`: of an image classifier, or of a CLIP that looks for names."""
    columns: dict[str, Any] = {"concept": "string", "concept_prob": "float64"}
    if not step.names:
        from photogenic.measures.classifier import read_labels

        model = model_folder(step.model)
        read_labels(model.path)
        revision = _revision("concept 2", model, kind="classifier")
        told = _told(model)
        return Scorer("concept", measure_concept, columns, revision, model=model.path, told=told)
    model = clip_model(step.model)
    head = Head((image_scorer(model),), judge_concept)
    revision = head_revision("named concept 1", model, head, [step.names, step.template])
    concepts = Concepts(model.path, step.names, step.template)
    return _head_scorer("concept", columns, revision, head, "uid", concepts, told=_told(model))


def measure_concept(sample: Sample, data: bytes, model: Any) -> Values:
    """Columns of `concept_scorer`: the likeliest label of a classifier."""
    from photogenic.measures.decode import decode_for_model

    classifier = _classifier(model)
    probabilities = classifier(decode_for_model(data, classifier.least_size).rgb)
    best = int(probabilities.argmax())
    return {"concept": classifier.labels[best], "concept_prob": float(probabilities[best])}


def judge_concept(vectors: list[Vectors], model: Any) -> dict[str, NDArray[Any]]:
    """Columns of `concept_scorer`: the name that fits [N, D] pictures best."""
    from photogenic.measures.heads import zero_shot

    texts, scale, bias = _named_vectors(model)
    best, probabilities = zero_shot(vectors[0], texts, scale, bias)
    names = np.array(model.names, dtype=object)
    return {"concept": names[best], "concept_prob": probabilities.astype(np.float64)}


# --- classifiers ---------------------------------------------------------------------------------------


@cache
def unsafe_by_labels_scorer(model: ModelFolder, labels: tuple[str, ...]) -> Scorer:
    """`unsafe_prob` of an image classifier, of whose labels some mean unsafe."""
    from photogenic.measures.unsafe import unsafe_outputs

    outputs = unsafe_outputs(model.path, labels)
    revision = _revision("unsafe by labels 2", model, outputs, kind="classifier")
    return Scorer(
        "unsafe",
        measure_unsafe_labels,
        {"unsafe_prob": "float64"},
        revision,
        model=(model.path, labels),
        told=_told(model),
    )


def measure_unsafe_labels(sample: Sample, data: bytes, model: Any) -> Values:
    """Column of `unsafe_by_labels_scorer`."""
    from photogenic.measures.decode import decode_for_model

    classifier = _unsafe_by_labels(*model)
    return {"unsafe_prob": classifier(decode_for_model(data, classifier.least_size).rgb)}


def _head_scorer(
    name: str,
    columns: dict[str, Any],
    revision: str,
    head: Head,
    basis: Any,
    model: Any = None,
    *,
    told: str,
) -> Scorer:
    return Scorer(name, _no_measure, columns, revision, basis=basis, model=model, head=head, told=told)


def _told(model: ModelFolder) -> str:
    """Name and revision. A folder is told by its own name: run folders hold no paths of this machine."""
    name = Path(model.name).name if Path(model.name).expanduser().exists() else model.name
    return f"{name} at {model.revision[:12]}"


def _no_measure(sample: Sample, data: bytes, model: Any) -> Values:
    raise MissingModelError("A head judges vectors, not bytes.")


def _revision(code: str, model: ModelFolder, more: object = None, *, kind: Any = "clip") -> str:
    """Of the model's files, of what runs them, and of the code: `code` is raised by hand."""
    from photogenic.measures.inference import runtime_version

    packages = [version(package) for package in ("numpy", "tokenizers", "pillow")]
    return fingerprint(code, model.revision, runtime_version(model.path, kind), packages, more)


def head_revision(code: str, model: ModelFolder, head: Head, more: object = None) -> str:
    """Vectors that are made in another way are judged again."""
    return _revision(code, model, [more, [source.revision for source in head.sources]])


# One model of a kind in a worker, loaded at its first picture.


@lru_cache(maxsize=2)
def _clip(folder: Path) -> ClipScorer:
    from photogenic.measures.clip_score import ClipScorer

    return ClipScorer(folder)


@lru_cache(maxsize=2)
def _classifier(folder: Path) -> Classifier:
    from photogenic.measures.classifier import Classifier

    return Classifier(folder)


@lru_cache(maxsize=2)
def _unsafe_by_labels(folder: Path, labels: tuple[str, ...]) -> UnsafeByLabels:
    from photogenic.measures.unsafe import UnsafeByLabels

    return UnsafeByLabels(folder, labels)


@lru_cache(maxsize=2)
def _aesthetic(path: Path) -> Any:
    from photogenic.measures.heads import AestheticHead

    return AestheticHead(path)


@lru_cache(maxsize=2)
def _named_vectors(concepts: Concepts) -> tuple[Vectors, float, float | None]:
    """[K, D] of the concepts' texts, with the model's scale and bias."""
    from photogenic.measures.heads import prompts_for

    clip = _clip(concepts.folder)
    texts = clip.embed_texts(prompts_for(concepts.names, concepts.template))
    return texts, clip.config.logit_scale, clip.config.logit_bias
