"""What a recipe may say under `pool`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from photogenic.core.config import StrictModel
from photogenic.core.run import OWN_NEEDLES
from photogenic.core.storage import RemotePath, Root, literal_secrets

Format = Literal["folder", "webdataset", "parquet"]
Url = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*://")]


class SourceConfig(StrictModel):
    """Pictures: a folder of them (with metadata or side-cars), tars, or parquet files."""

    path: Url | Path = Field(
        description="The folder, or one tar or parquet file; a relative path starts at the working directory."
        " Or a URL: s3://bucket/folder."
    )
    storage_options: dict[str, Any] = Field(
        default_factory=dict,
        description="For a URL: what fsspec's file system is opened with, such as an endpoint. Secrets are"
        " written `${NAME}` and stay in the environment.",
    )
    format: Format | None = Field(
        None, description="folder, webdataset or parquet; without it, what lies there tells."
    )
    bytes_column: str | None = Field(
        None, description="parquet: the column of the pictures' bytes (`image.bytes` is a child of a struct)."
    )
    path_column: str | None = Field(
        None, description="parquet: the column of the pictures' paths, from the source's folder."
    )
    key: str = Field("key", description="The field that holds the source's own key; without it, the path.")
    alt_text: tuple[str, ...] = Field(
        ("alt_text", "text", "caption"),
        description="The fields that may hold the text; the first one that is there counts.",
    )

    @property
    def root(self) -> Root:
        """Where it lies."""
        if isinstance(self.path, str):
            return RemotePath.at(self.path, self.storage_options)
        return self.path.expanduser().resolve()

    @model_validator(mode="after")
    def _secrets_stay_outside(self) -> Self:
        if self.storage_options and not isinstance(self.path, str):
            raise ValueError("storage_options are for a URL, and path is none")
        if named := list(literal_secrets(self.storage_options)):
            raise ValueError(
                f"storage_options.{named[0]} would be written down with the recipe: put it into the"
                " environment and write `${NAME}` here"
            )
        if isinstance(self.path, str) and "@" in self.path.split("/")[2]:
            raise ValueError("the URL holds a name or a password: give them in storage_options as `${NAME}`")
        return self

    @model_validator(mode="after")
    def _columns_are_of_parquet(self) -> Self:
        named = [name for name in ("bytes_column", "path_column") if getattr(self, name) is not None]
        if len(named) == 2:
            raise ValueError("give bytes_column or path_column, not both")
        if named and self.format not in (None, "parquet"):
            raise ValueError(f"{named[0]} is for the format parquet, not {self.format}")
        return self


class PoolConfig(StrictModel):
    """The haystack: named sources."""

    sources: dict[str, SourceConfig] = Field(
        description="Name -> source. Tables speak of a source by its name, so folders can move.", min_length=1
    )
    rows_per_shard: int = Field(10_000, gt=0, description="Samples per shard of the pool manifest.")

    @field_validator("sources")
    @classmethod
    def _review_keeps_its_name(cls, sources: dict[str, SourceConfig]) -> dict[str, SourceConfig]:
        if OWN_NEEDLES in sources:
            raise ValueError(f"`{OWN_NEEDLES}` is what review calls a folder of your own; take another name")
        return sources

    @field_validator("sources", mode="before")
    @classmethod
    def _a_bare_path_is_a_source(cls, sources: object) -> object:
        if not isinstance(sources, dict):
            return sources
        return {
            name: {"path": source} if isinstance(source, str | Path) else source
            for name, source in sources.items()
        }
