"""The gate of quality-tuning: which checkpoint is kept.

The paper stops "early although the loss still falls", by eye. Here every checkpoint draws the same prompts
from the same seeds; `quality` is the mean appeal of the pictures (where a taste is named, how likely
reviewers would keep them), `generality` their CLIP score on prompts far from the needles. Kept is, among
those whose generality has not fallen past a stated margin, the earliest whose quality is within one standard
error of the best (Breiman et al., Classification and Regression Trees, 1984, section 3.4.3): the curve is
noisy, and once quality has levelled off its maximum may lie anywhere. How diverse the pictures are, and how
far from the base's, is measured and shown beside. The loss never decides.
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
    qualities: tuple[float, ...] = ()  # of each picture, in the order of prompts and seeds


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
        qualities = tuple(quality_of(picture, self.taste) for picture in pictures)
        quality = float(np.mean(qualities))
        if self.clip is None:
            return GateRow(global_step, quality, None, qualities=qualities), pictures
        embeddings = self.clip.embed_images(pictures)
        if global_step == 0:
            self._of_base = embeddings
        row = GateRow(
            global_step,
            quality,
            float(np.mean(self.clip.score(pictures, self.prompts))),
            diversity=diversity(embeddings),
            distance=None if self._of_base is None else distance(embeddings, self._of_base),
            qualities=qualities,
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


def choose(rows: Sequence[GateRow], max_generality_loss: float, within_errors: float) -> Choice:
    """The earliest row that keeps generality and whose quality is within some errors of the best of those.

    The base stays where none is better than it.

    Args:
        rows: the base (step 0) first, then the checkpoints.
        max_generality_loss: how far generality may fall, as a share of the base's.
        within_errors: how far below the best, in standard errors of the difference between pictures of the
            same prompts and seeds, counts as no difference; 0: the best itself.
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
    as_good = [row for row in better if row is best or _as_good(row, best, within_errors)]
    kept = min(as_good, key=lambda row: (row.global_step, -row.quality))
    refused = len(checkpoints) - len(allowed)
    others = f"; {refused} lost more than {max_generality_loss:.0%} of it." if refused else "."
    kind = "checkpoint" if kept.sigma_rel is None else "average"
    return Choice(
        kept.global_step,
        f"{_named(kept)} is kept: {_quality_words(kept, best, base, within_errors)} of the "
        f"{counted(len(allowed), kind)} that {_generality_words(kept, base, len(allowed))}{others}",
        kept.sigma_rel,
    )


def _as_good(row: GateRow, best: GateRow, within_errors: float) -> bool:
    """Whether `row` comes before the best and is no more than so many standard errors below it."""
    count = len(row.qualities)
    if row.global_step >= best.global_step or count < 2:
        return False
    differences = np.subtract(best.qualities, row.qualities)
    return float(differences.mean()) <= within_errors * float(differences.std(ddof=1)) / np.sqrt(count)


def _named(row: GateRow) -> str:
    length = "" if row.sigma_rel is None else f", averaged with a length of {row.sigma_rel},"
    return f"Step {row.global_step}{length}"


def _quality_words(kept: GateRow, best: GateRow, base: GateRow, within_errors: float) -> str:
    places = 3 if best.quality < 1 else 2  # a taste is a probability, the appeal score goes to 10
    told = f"{kept.quality:.{places}f}, base {base.quality:.{places}f}"
    if kept is best:
        return f"the best quality ({told})"
    errors = "one standard error" if within_errors == 1 else f"{within_errors:g} standard errors"
    whose = "" if best.sigma_rel is None else f", length {best.sigma_rel}"
    return (
        f"the earliest with a quality ({told}) within {errors} of the best "
        f"({best.quality:.{places}f}, step {best.global_step}{whose})"
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
        "within_errors": config.within_errors,
        "generality_missing": clip_missing or None,
        "rows": [asdict(row) for row in rows if row.global_step == 0 or row.sigma_rel == shown],
        "others": [asdict(row) for row in rows if row.global_step > 0 and row.sigma_rel != shown],
    }
