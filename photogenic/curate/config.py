"""What a recipe may say under `pool` and `curate`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from photogenic.core.config import StrictModel


class SourceConfig(StrictModel):
    """A folder of pictures, with `metadata.jsonl|csv|parquet` or with `.txt` and `.json` side-cars."""

    path: Path = Field(description="The folder; a relative path starts at the working directory.")
    key: str = Field("key", description="The field that holds the source's own key; without it, the path.")
    alt_text: tuple[str, ...] = Field(
        ("alt_text", "text", "caption"),
        description="The fields that may hold the text; the first one that is there counts.",
    )


class PoolConfig(StrictModel):
    """The haystack: named sources, each a folder."""

    sources: dict[str, SourceConfig] = Field(
        description="Name -> folder. Tables speak of a source by its name, so folders can move.", min_length=1
    )
    rows_per_shard: int = Field(10_000, gt=0, description="Samples per shard of the pool manifest.")

    @field_validator("sources", mode="before")
    @classmethod
    def _a_bare_path_is_a_source(cls, sources: object) -> object:
        if not isinstance(sources, dict):
            return sources
        return {
            name: {"path": source} if isinstance(source, str | Path) else source
            for name, source in sources.items()
        }
