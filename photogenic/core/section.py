"""A section of a recipe, and what of it a fingerprint counts."""

from __future__ import annotations

from typing import Any

from pydantic import SerializationInfo, SerializerFunctionWrapHandler, model_serializer

from photogenic.core.config import StrictModel
from photogenic.core.shards import FOR_FINGERPRINT

# Marks of fields, for `Section`: LATER ones were added when results without them existed, NEVER ones
# change no result.
LATER: dict[str, Any] = {"counts": "unless default"}
NEVER: dict[str, Any] = {"counts": "never"}


class Section(StrictModel):
    """A part of the configuration whose fingerprint leaves out what changes no result.

    So a new field with a default that changes nothing leaves valid what was made without it.
    """

    @model_serializer(mode="wrap")
    def _serialise(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        if info.context != FOR_FINGERPRINT:
            return values
        return {name: value for name, value in values.items() if self._counts(name)}

    def _counts(self, name: str) -> bool:
        field = type(self).model_fields[name]
        extra = field.json_schema_extra
        mark = extra.get("counts") if isinstance(extra, dict) else None
        if mark == "unless default":
            return bool(getattr(self, name) != field.get_default(call_default_factory=True))
        return mark != "never"

    def counted(self, exclude: set[str] | None = None) -> dict[str, Any]:
        """What a fingerprint counts of it, as JSON."""
        return self.model_dump(mode="json", exclude=exclude, context=FOR_FINGERPRINT)
