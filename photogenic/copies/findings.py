"""What is found of a base model's drawings: how near to training pictures, and how varied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from photogenic.copies.gallery import Gallery
from photogenic.copies.odds import Odds, Pile, odds_of_training
from photogenic.copies.rulers import Floats, Rows, Ruler, nearest, spread
from photogenic.evaluate.compare import Estimate, Settings, compare, mean_estimate, share_estimate
from photogenic.evaluate.config import NearCopyConfig
from photogenic.evaluate.copies import Looks, NearestNeedles, nearest_needles

QUANTILE = 0.05  # of real held-out pictures: so many lie nearer to a training picture than the limit


@dataclass(frozen=True)
class Group:
    """Pictures, and how near each lies to training pictures."""

    labels: Sequence[str]  # prompt, text or concept: what intervals resample
    copies: NearestNeedles
    neighbour: Mapping[str, Rows]  # ruler -> [n] row of the nearest training picture
    distance: Mapping[str, Floats]  # ruler -> [n] to it


@dataclass(frozen=True)
class Diversity:
    """Mean distance of two pictures of one text, over the texts that have two real ones or more."""

    drawn: Estimate
    real: Estimate
    difference: Estimate  # drawn - real, text by text
    num_texts: int


@dataclass(frozen=True)
class Findings:
    """Drawings against training pictures, and what real pictures do in their place."""

    drawn: Gallery
    training: Gallery
    held_out: Gallery
    rulers: Sequence[Ruler]
    limits: NearCopyConfig
    settings: Settings

    @cached_property
    def groups(self) -> dict[str, Group]:
        """Drawings; real pictures that were held out; real training pictures of the drawn names.

        A training picture is held against all others.
        """
        drawn_texts = set(self.drawn.texts)
        named = np.flatnonzero([text in drawn_texts for text in self.training.texts])
        return {
            "drawn": self._group(self.drawn, self.drawn.texts),
            "held_out": self._group(self.held_out, self.held_out.concepts),
            "same_names": self._group(self.training, self.training.texts, named),
        }

    @cached_property
    def limit(self) -> dict[str, float]:
        """Ruler -> the distance that QUANTILE of the real held-out pictures fall below."""
        held_out = self.groups["held_out"]
        return {name: float(np.quantile(found, QUANTILE)) for name, found in held_out.distance.items()}

    def near_copies(self, group: str) -> Estimate:
        """Share of pictures that are near-copies of a training picture."""
        of = self.groups[group]
        return share_estimate(of.copies.is_copy, of.labels, self.settings)

    def nearer(self, group: str, ruler: str) -> Estimate:
        """Share of pictures below the limit."""
        of = self.groups[group]
        return share_estimate(of.distance[ruler] < self.limit[ruler], of.labels, self.settings)

    def odds(self, ruler: str) -> Odds:
        """Whether drawings are nearer to training than to held-out concepts."""
        training = Pile(self.training.vectors[ruler], self.training.concepts)
        held_out = Pile(self.held_out.vectors[ruler], self.held_out.concepts)
        named = {
            text: frozenset(self.training.concepts[row] for row in self.real_rows(text))
            for text in self._drawn_rows
        }
        own = [named[text] for text in self.drawn.texts]
        return odds_of_training(self.drawn.vectors[ruler], training, held_out, own, self.settings.seed)

    def diversity(self, ruler: Ruler) -> Diversity | None:
        """None where nothing was drawn twice, or no drawn name has two real pictures."""
        texts = [text for text, rows in self._drawn_rows.items() if len(rows) > 1]
        texts = [text for text in texts if len(self.real_rows(text)) > 1]
        if not texts:
            return None
        vectors, real_vectors = self.drawn.vectors[ruler.name], self.training.vectors[ruler.name]
        drawn = np.array([spread(vectors[self._drawn_rows[text]], ruler) for text in texts])
        real = np.array([spread(real_vectors[self.real_rows(text)], ruler) for text in texts])
        return Diversity(
            mean_estimate(drawn, texts, self.settings),
            mean_estimate(real, texts, self.settings),
            compare(drawn, real, texts, self.settings).difference,
            len(texts),
        )

    def real_rows(self, text: str) -> list[int]:
        """Rows of the training pictures that carry this very text."""
        return self._training_rows.get(text, [])

    @cached_property
    def _training_rows(self) -> dict[str, list[int]]:
        return _rows_of(self.training.texts)

    @cached_property
    def _drawn_rows(self) -> dict[str, list[int]]:
        return _rows_of(self.drawn.texts)

    def _group(self, gallery: Gallery, labels: Sequence[str], itself: Rows | None = None) -> Group:
        rows = np.arange(len(gallery)) if itself is None else itself
        embeds = gallery.looks.embeds
        looks = Looks(gallery.looks.hashes[rows], None if embeds is None else embeds[rows])
        limits = self.limits.model_dump()
        copies = nearest_needles(looks, self.training.looks, **limits, itself=itself)
        found = {
            ruler.name: nearest(gallery.vectors[ruler.name][rows], self.training.vectors[ruler.name], itself)
            for ruler in self.rulers
        }
        return Group(
            [labels[row] for row in rows],
            copies,
            {name: neighbour for name, (neighbour, _) in found.items()},
            {ruler.name: ruler.in_units(found[ruler.name][1]) for ruler in self.rulers},
        )


def _rows_of(texts: Sequence[str]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        rows.setdefault(text, []).append(row)
    return rows
