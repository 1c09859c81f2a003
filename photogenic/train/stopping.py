"""The gate of quality-tuning: which checkpoint is kept.

The paper stops "early although the loss still falls", by eye. Here every checkpoint draws the same prompts
from the same seeds; `quality` is the mean appeal of the pictures (where a taste is named, how likely
reviewers would keep them), `generality` their CLIP score on prompts far from the needles. Kept is the best
quality among those whose generality has not fallen past a stated margin. How diverse the pictures are, and
how far from the base's, is measured and shown beside. The loss never decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from diffusers import DiffusionPipeline
from numpy.typing import NDArray

from photogenic.core.errors import MissingModelError
from photogenic.core.run import seed_for
from photogenic.core.weights import weights_folder
from photogenic.core.words import counted
from photogenic.measures.appeal import appeal_score
from photogenic.measures.clip_score import ClipScorer
from photogenic.measures.decode import Picture
from photogenic.measures.pixel import measure
from photogenic.measures.taste import Taste
from photogenic.measures.taste import load as load_taste
from photogenic.models.families import denoiser_of
from photogenic.models.sampling import draw
from photogenic.train.config import GateConfig
from photogenic.train.memory import drawing_in

# Plain things of many kinds: what a model must still draw after it has learned a style.
DEFAULT_PROMPTS = (
    "a red apple",
    "a green tree",
    "a yellow sun",
    "a cat",
    "a blue car",
    "a house",
    "a smiling face",
    "a bird in the sky",
)


@dataclass(frozen=True)
class GateRow:
    """What was measured at one checkpoint; step 0 is the base model."""

    global_step: int
    quality: float  # mean appeal_score, 0-10; with a taste, mean P(keep), 0-1
    generality: float | None  # mean CLIP score; None where no CLIP fits
    sigma_rel: float | None = None  # length of the average, where several were tried
    diversity: float | None = None  # mean cosine distance between its pictures, by CLIP
    distance: float | None = None  # mean cosine distance to the base's picture of the same prompt and seed


@dataclass(frozen=True)
class Choice:
    """The checkpoint that is kept, and why, in one sentence."""

    chosen_step: int
    sentence: str
    sigma_rel: float | None = None  # length of the average, where several were tried


class Gate:
    """Draws and measures a model at a checkpoint."""

    def __init__(self, config: GateConfig, base: Path, seed: int, precision: str = "float32") -> None:
        prompts = config.prompts or DEFAULT_PROMPTS
        self.config = config
        self.precision = precision  # what the model learns in; on a GPU it draws in it too, the base as well
        self.prompts = [prompts[i % len(prompts)] for i in range(config.num_images)]
        self.seeds = [seed_for(seed, "gate", i) for i in range(config.num_images)]
        self.clip, self.clip_missing = _clip_of(base if config.clip_model is None else config.clip_model)
        self.taste = None if config.taste is None else load_taste(config.taste.expanduser())
        self._of_base: NDArray[np.float32] | None = None

    def look(self, pipeline: DiffusionPipeline, global_step: int) -> tuple[GateRow, list[NDArray[np.uint8]]]:
        """Draw the gate's prompts and measure them; the base, step 0, comes first."""
        with drawing_in(self.precision, denoiser_of(pipeline)):
            pictures = list(
                draw(
                    pipeline,
                    self.prompts,
                    self.seeds,
                    guidance_scale=self.config.guidance_scale,
                    num_inference_steps=self.config.num_inference_steps,
                )
            )
        quality = float(np.mean([quality_of(picture, self.taste) for picture in pictures]))
        if self.clip is None:
            return GateRow(global_step, quality, None), pictures
        embeddings = self.clip.embed_images(pictures)
        if global_step == 0:
            self._of_base = embeddings
        row = GateRow(
            global_step,
            quality,
            float(np.mean(self.clip.score(pictures, self.prompts))),
            diversity=diversity(embeddings),
            distance=None if self._of_base is None else distance(embeddings, self._of_base),
        )
        return row, pictures


def diversity(embeddings: NDArray[np.float32]) -> float | None:
    """Mean cosine distance of all pairs of unit vectors [N, D]; None where there is no pair."""
    count = len(embeddings)
    if count < 2:
        return None
    total = np.square(embeddings.sum(axis=0, dtype=np.float64)).sum()  # of all products, with themselves too
    return float(1.0 - (total - count) / (count * (count - 1)))


def distance(embeddings: NDArray[np.float32], others: NDArray[np.float32]) -> float:
    """Mean cosine distance of unit vectors [N, D] to those beside them."""
    return float(1.0 - (embeddings * others).sum(axis=1).mean())


def quality_of(rgb: NDArray[np.uint8], taste: Taste | None) -> float:
    """The appeal score of uint8 [H, W, 3]; with a taste, how likely reviewers would keep it.

    A taste may listen to more than pixel measures, such as words; what is not measured counts as average.
    """
    height, width = rgb.shape[:2]
    measures = measure(Picture(rgb, width, height, "drawn"))
    appeal = appeal_score(measures)
    return appeal if taste is None else taste.of_one(measures | {"appeal_score": appeal})


def _clip_of(name_or_path: str | Path) -> tuple[ClipScorer | None, str]:
    """The CLIP, or None and why there is none; looked for where the preflight looks for it."""
    try:
        return ClipScorer(weights_folder(name_or_path)), ""
    except MissingModelError as error:
        return None, error.what


def choose(rows: Sequence[GateRow], max_generality_loss: float) -> Choice:
    """The row with the best quality among those that keep generality; the base where none is better.

    Args:
        rows: the base (step 0) first, then the checkpoints.
        max_generality_loss: how far generality may fall, as a share of the base's.
    """
    base, checkpoints = rows[0], rows[1:]
    allowed = [row for row in checkpoints if _keeps_generality(row, base, max_generality_loss)]
    better = [row for row in allowed if row.quality > base.quality]
    if not better:
        reason = (
            "none draws better" if allowed else f"all lost more than {max_generality_loss:.0%} of generality"
        )
        return Choice(0, f"The base model is kept: of {len(checkpoints)} checkpoints, {reason}.")
    best = max(better, key=lambda row: (row.quality, -row.global_step))
    refused = len(checkpoints) - len(allowed)
    qualities = f"the best quality ({best.quality:.2f}, base {base.quality:.2f})"
    others = f"; {refused} lost more than {max_generality_loss:.0%} of it." if refused else "."
    length = "" if best.sigma_rel is None else f", averaged with a length of {best.sigma_rel},"
    kind = "checkpoint" if best.sigma_rel is None else "average"
    return Choice(
        best.global_step,
        f"Step {best.global_step}{length} is kept: {qualities} of the {counted(len(allowed), kind)} that "
        f"{_generality_words(best, base, len(allowed))}{others}",
        best.sigma_rel,
    )


def _keeps_generality(row: GateRow, base: GateRow, margin: float) -> bool:
    if row.generality is None or base.generality is None:
        return True
    return row.generality >= base.generality - margin * abs(base.generality)


def _generality_words(row: GateRow, base: GateRow, number: int) -> str:
    """Of `number` checkpoints, of which `row` is one."""
    if row.generality is None or base.generality is None:
        were = "was" if number == 1 else "were"
        return f"{were} drawn; generality was not measured, for no CLIP fits this model"
    own = "its" if number == 1 else "their"
    return f"kept {own} generality ({row.generality:.2f}, base {base.generality:.2f})"


def gate_record(
    rows: Sequence[GateRow], choice: Choice, config: GateConfig, clip_missing: str
) -> dict[str, object]:
    """What `gate.json` says: `rows` are the curve of the chosen length, `others` those of the others."""
    lengths = [row.sigma_rel for row in rows if row.sigma_rel is not None]
    shown = choice.sigma_rel if choice.sigma_rel is not None or not lengths else lengths[0]
    return {
        **asdict(choice),
        "taste": None if config.taste is None else str(config.taste),
        "max_generality_loss": config.max_generality_loss,
        "generality_missing": clip_missing or None,
        "rows": [asdict(row) for row in rows if row.global_step == 0 or row.sigma_rel == shown],
        "others": [asdict(row) for row in rows if row.global_step > 0 and row.sigma_rel != shown],
    }
