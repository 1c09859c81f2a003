"""The exception tree.

PhotogenicError               something the user can act upon; printed as a sentence, without a traceback
|-- RecipeError               the recipe is wrong: file, line, key, nearest valid key
|-- RunError                  the run folder is not in the state that a stage needs
|-- StorageError              bytes could not be read or written; trying again may help -> `failed`
|-- DecodeError               bytes were read but are no picture we can decode -> `dropped` at step `read`
|-- MissingModelError         a model's files are not where the recipe says
|-- MissingExtraError         an optional dependency is not installed
|-- DivergedError             training produced NaN or an exploding loss
`-- WorkerError               a worker process died or hung
"""

from __future__ import annotations


class PhotogenicError(Exception):
    """Says what happened (`what`) and what to do about it (`fix`)."""

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(f"{what}\n{fix}" if fix else what)
        self.what = what
        self.fix = fix

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process boundaries; the default pickling would pass the joined text as `what`.
        return type(self), (self.what, self.fix)


class RecipeError(PhotogenicError):
    """The recipe is wrong."""


class RunError(PhotogenicError):
    """The run folder is not in the state that a stage needs."""


class StorageError(PhotogenicError):
    """Bytes could not be read or written; trying again may help."""


class DecodeError(PhotogenicError):
    """Bytes were read, but they are no picture that can be decoded."""


class MissingModelError(PhotogenicError):
    """A model's files are not where the recipe says."""


class MissingExtraError(PhotogenicError):
    """An optional dependency is not installed."""

    def __init__(self, extra: str, what: str) -> None:
        super().__init__(
            f"{what} needs the extra [{extra}].", f"Install it: pip install 'photogenic[{extra}]'"
        )
        self.extra = extra
        self.needed_by = what

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.extra, self.needed_by)


class DivergedError(PhotogenicError):
    """Training produced NaN or an exploding loss."""


class WorkerError(PhotogenicError):
    """A worker process died or hung."""
