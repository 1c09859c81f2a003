"""What may fail for a while is tried again after a pause; what cannot be reached then is a StorageError."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import TypeVar

from photogenic.core.errors import PhotogenicError, StorageError

PAUSES_S = (0.2, 1.0, 4.0)  # between the tries of one read

# Errors of a local file system that another try may not meet: a network mount that hangs, a busy device.
PASSING = frozenset(
    (
        errno.EIO,
        errno.EAGAIN,
        errno.EBUSY,
        errno.ETIMEDOUT,
        errno.ESTALE,
        errno.ENOTCONN,
        errno.ECONNRESET,
        errno.ECONNREFUSED,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.EREMOTEIO,
    )
)
FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, NotImplementedError)

R = TypeVar("R")

_SILENT: set[str] = set()  # storages that failed last: nothing there is tried twice


def patiently(action: Callable[[], R], shown: str, storage: str) -> R:
    """The result of `action`, tried again after pauses where that may help.

    storage: while one does not answer at all, each of its files gets a single try, or a pool of a million
    would take weeks to fail.

    Raises:
        StorageError: it failed for good.
    """
    pauses = iter(() if storage in _SILENT else PAUSES_S)
    while True:
        try:
            result = action()
        except PhotogenicError:
            raise
        except Exception as error:  # each fsspec file system has errors of its own
            pause = next(pauses, None) if _may_pass(error) else None
            if pause is None:
                if _may_pass(error):
                    _SILENT.add(storage)
                raise StorageError(f"Cannot read {shown}: {_in_words(error)}.") from error
            time.sleep(pause)
        else:
            _SILENT.discard(storage)
            return result


def for_good(error: Exception, shown: str) -> str:
    """Why a file cannot be read, where no other try will help.

    Raises:
        StorageError: one may help. Whoever left the file out now would never look for it again.
    """
    if isinstance(error, StorageError):
        if isinstance(error.__cause__, Exception) and _may_pass(error.__cause__):
            raise error
        return error.what.rstrip(".")
    if isinstance(error, OSError) and error.errno in PASSING:
        raise StorageError(f"Cannot read {shown}: {_in_words(error)}.") from error
    return _in_words(error)


def _may_pass(error: Exception) -> bool:
    if isinstance(error, FINAL) or type(error).__name__ == "NoCredentialsError":
        return False
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in PASSING
    return not isinstance(error, ValueError | TypeError | KeyError)


def _in_words(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.strip().rstrip(".") or type(error).__name__
