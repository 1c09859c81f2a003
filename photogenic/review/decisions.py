"""The bodies of the events of a review, and what each one answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Text = Annotated[str, Field(max_length=4000)]
Star = Annotated[int, Field(ge=1, le=5)]
Milliseconds = Annotated[int, Field(ge=0, le=86_400_000)]
Verdict = Literal["keep", "drop", "unsure"]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Criteria(Body):
    """The paper's five, one to five stars each."""

    composition: Star | None = None
    lighting: Star | None = None
    colour_contrast: Star | None = None
    subject_background: Star | None = None
    story: Star | None = None


class Decide(Body):
    verdict: Verdict
    criteria: Criteria | None = None
    reason: Annotated[str, Field(max_length=200)] | None = None
    words: Annotated[str, Field(max_length=1000)] | None = (
        None  # why, at length: for decisions made elsewhere
    )
    bulk: bool = False  # rejected with a whole screen, not looked at alone
    guidelines_version: int | None = None
    active_ms: Milliseconds | None = None
    screen: Annotated[str, Field(max_length=20)] | None = None


class Checklist(Body):
    subject: bool = False
    setting: bool = False
    light: bool = False
    composition: bool = False
    style: bool = False


class Caption(Body):
    text: Annotated[str, Field(min_length=1, max_length=4000)]
    source: Literal["writer"] = "writer"
    draft: Text | None = None
    draft_by: Annotated[str, Field(max_length=80)] | None = None  # the model whose draft it was
    checklist: Checklist | None = None
    guidelines_version: int | None = None
    active_ms: Milliseconds | None = None
    screen: Annotated[str, Field(max_length=20)] | None = None


class Approve(Body):
    caption_event_id: Annotated[str, Field(max_length=36)]
    active_ms: Milliseconds | None = None


class Return(Body):
    caption_event_id: Annotated[str, Field(max_length=36)]
    words: Annotated[str, Field(min_length=1, max_length=1000)]
    active_ms: Milliseconds | None = None


class Adjudicate(Body):
    verdict: Literal["keep", "drop"]
    words: Annotated[str, Field(max_length=1000)] = ""
    active_ms: Milliseconds | None = None


def read_decision(kind: str, body: Mapping[str, Any]) -> str:
    """The verdict of a `decide` or `adjudicate` event.

    Raises:
        ValueError: a sentence that says what is wrong.
    """
    model: type[Body] = Decide if kind == "decide" else Adjudicate
    return str(_checked(model, body).verdict)


def read_caption(kind: str, body: Mapping[str, Any]) -> str:
    """caption, approve or return.

    Raises:
        ValueError: a sentence that says what is wrong.
    """
    models: dict[str, type[Body]] = {"caption": Caption, "approve": Approve, "return": Return}
    if kind not in models:
        raise ValueError("Captions are not adjudicated; a second reader returns them.")
    checked = _checked(models[kind], body)
    if isinstance(checked, Caption) and not checked.text.strip():
        raise ValueError("The caption is empty.")
    return kind


def _checked(model: type[Body], body: Mapping[str, Any]) -> Any:
    try:
        return model.model_validate(dict(body))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "body"
        raise ValueError(f"{place}: {first['msg']}.") from error
