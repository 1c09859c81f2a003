"""The run folder: where stages meet, and what they log."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import sys
from functools import cached_property
from pathlib import Path
from typing import Any

from photogenic.core.errors import RunError
from photogenic.core.shards import Sources, atomic_path, read_json
from photogenic.core.storage import root_from_json

OWN_NEEDLES = "own-needles"  # the source that review adds to the pool's: a folder of one's own needles


class Run:
    """A folder with one sub-folder per stage."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def stage(self, name: str) -> Path:
        """The stage's folder, made if need be."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def sources(self) -> Sources:
        """Where the pool's sources lie on this machine.

        Raises:
            RunError: the pool has not been indexed.
        """
        path = self.folder / "pool" / "sources.json"
        if not path.exists():
            raise RunError(f"{self.folder} has no indexed pool.", "Run `photogenic pool RECIPE` first.")
        return Sources({name: root_from_json(root) for name, root in read_json(path).items()})

    @cached_property
    def log(self) -> logging.Logger:
        """A logger that appends to RUN/log.txt."""
        self.folder.mkdir(parents=True, exist_ok=True)
        logger = logging.getLogger(f"photogenic.run.{self.folder.resolve()}")
        logger.setLevel(logging.INFO)
        logger.propagate = False
        if not logger.handlers:
            handler = _LogFile(self.folder / "log.txt", encoding="utf-8")
            handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
            logger.addHandler(handler)
        return logger


class _LogFile(logging.FileHandler):
    """On a full disk the log has nothing to say: its own traceback would bury the sentence that does."""

    def handleError(self, record: logging.LogRecord) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


class MetricsLog:
    """JSON lines, one per `write`, each with its global_step."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, global_step: int, **values: Any) -> None:
        """Append one line. A number that is not finite becomes null, for JSON knows no NaN."""
        row = {"global_step": global_step} | {name: _finite(value) for name, value in values.items()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def rewind(self, global_step: int) -> None:
        """Forget the lines after `global_step`: a resumed run writes them again."""
        rows = [row for row in self.rows() if row["global_step"] <= global_step]
        with atomic_path(self.path) as temporary:
            temporary.write_text(
                "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
            )

    def rows(self) -> list[dict[str, Any]]:
        """All complete lines; one cut off by a kill is left out."""
        if not self.path.exists():
            return []
        rows = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return rows


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def seed_for(*parts: Any) -> int:
    """A 63-bit seed from (seed, uid, step, ...): noise never depends on the order of work."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
