"""Captions that are not settled when needles are written: which are taken, and what is said of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from photogenic.core.words import counted

Taken = Literal["settled", "written", "read"]
FINISHED = "finished.json"  # beside needles.parquet: what --finish has found, and what it was told


@dataclass(frozen=True)
class Unsettled:
    """How many captions a second reader is to read, and how many pictures have none."""

    unread: int = 0
    unwritten: int = 0

    @property
    def num(self) -> int:
        return self.unread + self.unwritten

    @property
    def words(self) -> str:
        """What is left to do; "" where nothing is."""
        wait = "waits" if self.unread == 1 else "wait"
        has = "has" if self.unwritten == 1 else "have"
        read = f"{counted(self.unread, 'caption')} {wait} for a second reader"
        write = f"{counted(self.unwritten, 'picture')} {has} no caption yet"
        return "; ".join([read] * bool(self.unread) + [write] * bool(self.unwritten))

    def became(self, taken: Taken) -> str:
        """What the needles have; "" where all is settled."""
        takes_unread = taken == "written"
        fate = "taken all the same" if takes_unread else "left out"
        read = f"captions that no second reader has read and that are {fate}: {self.unread:,}"
        write = f"needles for which nobody has written one: {self.unwritten:,}"
        with_alt_text = self.unwritten if takes_unread else self.num
        instead = f"needles with the alternative text instead: {with_alt_text:,}"
        told = [read] * bool(self.unread) + [write] * bool(self.unwritten) + [instead] * bool(with_alt_text)
        return "; ".join(told)


def left_by_finish(run_folder: Path) -> str:
    """What became of captions that were not settled when these needles were written; "" of none."""
    import pyarrow.parquet as pq  # here, for the command line knows this module and is to start quickly

    path, needles = run_folder / "review" / FINISHED, run_folder / "review" / "needles.parquet"
    if not path.exists() or not needles.exists():
        return ""
    told = json.loads(path.read_text(encoding="utf-8")).get("captions")
    # The recipe may decide in another way since: only people's needles tell who said what.
    if told is None or pq.read_table(needles, columns=["decisions"])["decisions"].null_count:
        return ""
    return Unsettled(told["unread"], told["unwritten"]).became(told["taken"])
