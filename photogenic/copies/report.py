"""RUN/copies/report.html and copies.json: the numbers, and the nearest pictures themselves."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from photogenic.copies.findings import QUANTILE, Diversity, Findings
from photogenic.copies.gallery import Gallery
from photogenic.copies.rulers import Ruler
from photogenic.core.console import console
from photogenic.core.run import Run
from photogenic.core.shards import atomic_path, write_json
from photogenic.evaluate.marks import number
from photogenic.evaluate.results import estimate_json
from photogenic.web.page import render, thumbnail_uri

TEMPLATE = Path(__file__).with_name("report.html.j2")
THUMBNAIL_PX = 160
NUM_NAMES, NUM_REAL = 8, 4  # names shown with drawings beside real pictures, and how many of these
GROUPS = {
    "drawn": "drawings",
    "held_out": "real pictures that were held out from training",
    "same_names": "real training pictures of the drawn names, each against all others",
}


def write_report(findings: Findings, run: Run, model: str, num_shown: int, remark: str) -> Path:
    """Write both; the page's path."""
    told = as_json(findings, model)
    write_json(run.folder / "copies.json", told)
    page = render(
        TEMPLATE,
        f"Copies: does {model} draw its training pictures?",
        told=told,
        words={ruler.name: ruler.words for ruler in findings.rulers},
        groups=GROUPS,
        number=number,
        remark=remark,
        nearest={"Near-copies, the nearest of them": _near_copies(findings, num_shown)}
        | {
            f"The nearest of all, by {ruler.words}": _nearest(findings, ruler, num_shown)
            for ruler in findings.rulers
        },
        names=_names(findings),
    )
    path = run.folder / "report.html"
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    console.print(sentence(told))
    return path


def as_json(findings: Findings, model: str) -> dict[str, Any]:
    """All numbers; what is unknown is None."""
    return {
        "model": model,
        "seed": findings.settings.seed,
        "measured_at_px": findings.training.rgb.shape[1],
        "num_names": len(set(findings.drawn.texts)),
        "num_training": len(findings.training),
        "num_held_out": len(findings.held_out),
        "num_held_out_concepts": len(set(findings.held_out.concepts)),
        "near_copy": findings.limits.model_dump(),
        "quantile": QUANTILE,
        "groups": {name: _group(findings, name) for name in GROUPS},
        "rulers": {
            ruler.name: {
                "words": ruler.words,
                "limit": findings.limit[ruler.name],
                "nearer_to_training": asdict(findings.odds(ruler.name)),
                "diversity": _diversity(findings.diversity(ruler)),
            }
            for ruler in findings.rulers
        },
    }


def sentence(told: dict[str, Any]) -> str:
    """The near-copies, in words."""
    groups = told["groups"]
    share = {name: f"{100 * group['near_copies']['mean']:.1f} %" for name, group in groups.items()}
    return (
        f"{share['drawn']} of {groups['drawn']['num']} drawings are near-copies of a training picture; of"
        f" real pictures that were held out {share['held_out']}, and of training pictures of the same names,"
        f" each against all others, {share['same_names']}."
    )


def _group(findings: Findings, name: str) -> dict[str, Any]:
    group = findings.groups[name]
    return {
        "num": len(group.labels),
        "near_copies": estimate_json(findings.near_copies(name)),
        "nearer_than_limit": {
            ruler.name: estimate_json(findings.nearer(name, ruler.name)) for ruler in findings.rulers
        },
        "median_distance": {
            ruler.name: float(np.median(group.distance[ruler.name])) if group.labels else None
            for ruler in findings.rulers
        },
    }


def _diversity(found: Diversity | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "drawn": estimate_json(found.drawn),
        "real": estimate_json(found.real),
        "difference": estimate_json(found.difference),
        "num_names": found.num_texts,
    }


def _near_copies(findings: Findings, num_shown: int) -> list[dict[str, Any]]:
    """Near-copies and what they are copies of, the nearest first."""
    copies = findings.groups["drawn"].copies
    order = copies.nearest_first()[: min(num_shown, int(copies.is_copy.sum()))]
    return [_pair(findings, row, copies.needle[row], f"{copies.num_bits[row]} bits") for row in order]


def _nearest(findings: Findings, ruler: Ruler, num_shown: int) -> list[dict[str, Any]]:
    """The drawings that are nearest to a training picture, and that picture."""
    group = findings.groups["drawn"]
    distance, neighbour = group.distance[ruler.name], group.neighbour[ruler.name]
    order = np.argsort(distance, kind="stable")[:num_shown]
    return [_pair(findings, row, neighbour[row], number(float(distance[row]))) for row in order]


def _pair(findings: Findings, row: Any, neighbour: Any, distance: str) -> dict[str, Any]:
    return {
        "prompt": findings.drawn.texts[row],
        "drawn": _thumbnail(findings.drawn, int(row)),
        "training": _thumbnail(findings.training, int(neighbour)),
        "text": findings.training.texts[neighbour],
        "distance": distance,
    }


def _names(findings: Findings) -> list[dict[str, Any]]:
    """A few names, evenly spaced: all drawings of each, and real pictures."""
    texts = list(dict.fromkeys(findings.drawn.texts))
    chosen = np.unique(np.linspace(0, len(texts) - 1, min(len(texts), NUM_NAMES)).round().astype(np.int64))
    return [
        {
            "text": texts[place],
            "drawn": [
                _thumbnail(findings.drawn, row)
                for row, text in enumerate(findings.drawn.texts)
                if text == texts[place]
            ],
            "real": [
                _thumbnail(findings.training, row) for row in findings.real_rows(texts[place])[:NUM_REAL]
            ],
        }
        for place in chosen
    ]


def _thumbnail(gallery: Gallery, row: int) -> str:
    [rgb] = gallery.rgb[row : row + 1]
    return thumbnail_uri(rgb, THUMBNAIL_PX)
