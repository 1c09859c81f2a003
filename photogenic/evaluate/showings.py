"""The blind pictures of pairs and attention checks, in the order in which a rater gets them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from photogenic.core.shards import file_fingerprint, fingerprint, read_json, write_json
from photogenic.evaluate.blind import (
    BlindFolder,
    BlindPicture,
    appeal_check,
    faithfulness_check,
    open_rgb,
)
from photogenic.evaluate.config import VotingConfig
from photogenic.evaluate.pairs import MIN_GAP, Showing, arrange, num_checks

SECRET = "secret.json"

Shown = tuple[BlindPicture, BlindPicture]  # in the order of the showing's models


class Showroom:
    """Makes blind pictures below `folder`, those of a pair once, however often it is shown.

    `pictures` names the folder of each model's files.
    """

    def __init__(
        self, folder: Path, pictures: Mapping[str, Path], config: VotingConfig, *, seed: int
    ) -> None:
        self.secret = _secret(folder)
        self.blind = BlindFolder(folder / "pictures", self.secret)
        self.pictures = pictures
        self.config = config
        self.seed = seed
        self._made: dict[tuple[str, str], Shown] = {}  # by the pictures' names

    def arranged(
        self, question: str, pairs: Sequence[Showing], *, order_seed: int, min_gap: int = MIN_GAP
    ) -> list[tuple[Showing, Shown]]:
        """The pairs with their repeats, at least `min_gap` later, and attention checks among them."""
        checks = self._checks(question, pairs)
        order = arrange(pairs, checks, self.config, seed=order_seed, min_gap=min_gap)
        return [(one, self._made.get(one.pictures) or self._pair(one)) for one in order]

    def mark(self, pairs: Sequence[Showing]) -> str:
        """What tells these pairs, their pictures included, from all others."""
        told = {
            pair.pair_id: sorted(file_fingerprint(self._file(name)) for name in pair.pictures)
            for pair in pairs
        }
        return fingerprint(sorted(told.items()))

    def _pair(self, one: Showing) -> Shown:
        left, right = (open_rgb(self._file(name)) for name in one.pictures)
        return self._made.setdefault(one.pictures, self.blind.add_pair(left, right))

    def _checks(self, question: str, pairs: Sequence[Showing]) -> list[Showing]:
        found = []
        for number in range(num_checks(len(pairs), self.config)):
            if question == "visual_appeal":
                name = pairs[number % len(pairs)].pictures[number % 2]
                showing, *images = appeal_check(number, open_rgb(self._file(name)), self.seed)
            else:
                showing, *images = faithfulness_check(number, self.seed)
            self._made[showing.pictures] = self.blind.add_pair(*images)
            found.append(showing)
        return found

    def _file(self, name: str) -> Path:
        model, _, file = name.partition("/")
        return self.pictures[model] / file


def _secret(folder: Path) -> str:
    """What makes names and sides unguessable; drawn once."""
    path = folder / SECRET
    if not path.exists():
        write_json(path, {"secret": secrets.token_hex(16)})
    return str(read_json(path)["secret"])
