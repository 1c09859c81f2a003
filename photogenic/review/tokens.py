"""How long a caption is for the text encoders of the model to be tuned."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

TOKENIZERS = ("tokenizer", "tokenizer_2", "tokenizer_3")
UNLIMITED = 100_000  # what tokenizers of models without a limit say is larger


def count_tokens(folder: Path, text: str) -> list[dict[str, Any]]:
    """[{name, tokens, limit}] for each tokenizer of a diffusers folder; special tokens count."""
    counted = []
    for name in TOKENIZERS:
        path = folder / name / "tokenizer.json"
        if path.is_file():
            label, limit = _told(folder / name, folder / name.replace("tokenizer", "text_encoder"))
            tokens = len(_tokenizer(path).encode(text).ids)
            counted.append({"name": label, "tokens": tokens, "limit": limit})
    return counted


@lru_cache(maxsize=8)
def _tokenizer(path: Path) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@lru_cache(maxsize=8)
def _told(tokenizer: Path, encoder: Path) -> tuple[str, int | None]:
    """The encoder's name and how many tokens it reads."""
    config = _json(encoder / "config.json")
    limit = _json(tokenizer / "tokenizer_config.json").get("model_max_length")
    name = "T5" if "t5" in str(config.get("model_type", "")) else "CLIP"
    return name, limit if isinstance(limit, int) and limit < UNLIMITED else None


def _json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
