"""Does the recipe for one's own photographs find the good ones? A haystack of which the truth is known.

    python benchmarks/needles.py FOLDER             good photographs: no text, no frame, no two alike
    python benchmarks/needles.py                    the few that scikit-image and scikit-learn ship
    python benchmarks/needles.py FOLDER --rounds 5 --set curate.steps.ocr.max_words=5
    python benchmarks/needles.py FOLDER --intact 1        an intact crop of every photograph: easier
    python benchmarks/needles.py FOLDER --cleanvision     that ranking too (pip install cleanvision)

A third of the photographs, drawn anew each round, are needles: a crop of each lies in the haystack intact.
Of all photographs, the other two thirds too, three other crops lie there spoiled (`benchmarks/spoiling.py`),
so that a tenth are needles. With `--intact 1` every photograph has its needle, a quarter of all: what is
spoiled then lies beside a better one. Every one is a JPEG, its longer side at most 1400 px, its shorter at
least 320, saved at the quality of a camera, with a number for a name and likes that tell nothing. `photogenic
run recipes/own-photographs.yaml` then takes as many as there are needles; told is how many of these are
needles, and what a ranking by likes, bytes or saturation would have taken. Photographs whose shorter side has
less than 400 px are left out. From those that are shipped the finish score has learnt: with them this only
shows that it runs.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
import yaml
from PIL import Image, ImageOps
from shipped import photographs as shipped_photographs
from spoiling import KINDS, saved

from photogenic.core.shards import read_table
from photogenic.core.statistics import wilson_interval
from photogenic.recipe import find_recipe

RECIPE = "own-photographs"
STAGES = ("pool", "curate", "review")  # the needles are wanted, no model
NEEDLE = "needle"
SPOILED_PER_PHOTOGRAPH = 3
INTACT_SHARE = 1 / 3  # of the photographs have a needle: one picture in ten is one
MIN_SIDE_PX, LONG_SIDES_PX = 320, (512, 1400)
MIN_SOURCE_PX, MAX_SOURCE_PX = 400, 2000
MAX_ASPECT = 1.6
QUALITIES = (85, 95)
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")

Rng = np.random.Generator


@dataclass(frozen=True)
class Haystack:
    """A folder of pictures, and what each is: file name -> kind."""

    folder: Path
    kinds: Mapping[str, str]

    @property
    def num_needles(self) -> int:
        return Counter(self.kinds.values())[NEEDLE]


@dataclass
class Found:
    """What a round kept: shares of needles, and counts of kinds and steps."""

    share: float
    kept: Counter[str]  # kind -> how many were taken for needles
    lost_at: Counter[str]  # step -> needles that went there
    others: dict[str, float] = field(default_factory=dict)  # ranking -> its share


def main() -> None:
    options = _options()
    folders = [options.folder] if options.folder else []
    images = [image for image in opened(paths_in(folders)) if min(image.size) >= MIN_SOURCE_PX]
    if not images:
        raise SystemExit(f"No photograph there has {MIN_SOURCE_PX} px at its shorter side.")
    there, rounds = Counter[str](), []
    for seed in range(options.seed, options.seed + options.rounds):
        with tempfile.TemporaryDirectory(prefix="needles-") as name:
            haystack = make_haystack(images, Path(name) / "haystack", seed, options.intact)
            there.update(haystack.kinds.values())
            rounds.append(found_in(haystack, Path(name), options))
            if options.keep:
                shutil.copytree(name, options.keep / str(seed))
        print(f"seed {seed}: {told(rounds[-1], haystack)}", flush=True)
    print(summary(rounds, there))
    if options.json:
        options.json.write_text(json.dumps(as_json(rounds, there), indent=2) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", help="good photographs")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0, help="of the first round; the next ones follow")
    parser.add_argument(
        "--intact", type=share, default=INTACT_SHARE, help="share of the photographs that have a needle"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="as photogenic run has it"
    )
    parser.add_argument("--recipe", default=RECIPE)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cleanvision", action="store_true")
    parser.add_argument("--keep", type=Path, help="copy haystacks and run folders there")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def share(text: str) -> float:
    if not 0 < (value := float(text)) <= 1:
        raise argparse.ArgumentTypeError("a share is above 0 and at most 1")
    return value


# ---- the haystack


def paths_in(folders: list[Path]) -> list[Path]:
    """All pictures that lie in the folders; a folder without any is an error."""
    found = []
    for folder in folders:
        inside = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
        if not inside:
            raise SystemExit(f"There is no picture in {folder}; known are {', '.join(SUFFIXES)}.")
        found += inside
    return found


def opened(paths: list[Path]) -> Iterator[Image.Image]:
    """Each photograph upright, at most MAX_SOURCE_PX; those that are shipped where there are no paths."""
    for image in (Image.open(path) for path in paths) if paths else shipped_photographs():
        image.draft("RGB", (MAX_SOURCE_PX, MAX_SOURCE_PX))
        image = ImageOps.exif_transpose(image).convert("RGB")
        image.thumbnail((MAX_SOURCE_PX, MAX_SOURCE_PX), Image.Resampling.LANCZOS)
        yield image


def make_haystack(images: list[Image.Image], folder: Path, seed: int, intact_share: float) -> Haystack:
    """Write it."""
    rng = np.random.default_rng(seed)
    has_needle = rng.permutation(len(images)) < max(1, round(len(images) * intact_share))
    deck, pictures = Deck(rng), []
    for image, intact in zip(images, has_needle, strict=True):
        if intact:
            pictures.append((NEEDLE, file_of(image, NEEDLE, rng)))
        for _ in range(SPOILED_PER_PHOTOGRAPH):
            kind, data = next((kind, data) for kind in deck if (data := file_of(image, kind, rng)))
            pictures.append((kind, data))
    folder.mkdir(parents=True)
    kinds, rows = {}, []
    for number, place in enumerate(rng.permutation(len(pictures))):
        kind, data = pictures[place]
        name = f"{number:05d}.jpg"
        (folder / name).write_bytes(data)
        kinds[name] = kind
        rows.append(json.dumps({"file_name": name, "likes": int(rng.integers(10_000))}))
    (folder / "metadata.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return Haystack(folder, kinds)


class Deck:
    """All kinds in random order, again and again: as many of each."""

    def __init__(self, rng: Rng) -> None:
        self.rng = rng
        self.left: list[str] = []

    def __iter__(self) -> Iterator[str]:
        while True:
            if not self.left:
                self.left = self.rng.permutation(list(KINDS)).tolist()
            yield self.left.pop()


def file_of(image: Image.Image, kind: str, rng: Rng) -> bytes:
    """A crop of the photograph, spoiled unless it is a needle, as a file; empty when too small."""
    for _ in range(20):  # a tilted one is cut once more
        part = cropped(image, rng)
        part = part if kind == NEEDLE else KINDS[kind](part, rng)
        if min(part.size) >= MIN_SIDE_PX:
            return saved(part, int(rng.integers(QUALITIES[0], QUALITIES[1] + 1)))
    return b""


def cropped(image: Image.Image, rng: Rng) -> Image.Image:
    """Four to five fifths of each side, not too elongated, its longer side at most 512-1400 px."""
    share = rng.uniform(0.8, 1)
    width, height = int(image.width * share), int(image.height * share)
    if width > MAX_ASPECT * height:
        width = int(height * rng.uniform(1.25, MAX_ASPECT))
    elif height > MAX_ASPECT * width:
        height = int(width * rng.uniform(1.25, MAX_ASPECT))
    left, top = int(rng.integers(image.width - width + 1)), int(rng.integers(image.height - height + 1))
    return of_some_size(image.crop((left, top, left + width, top + height)), rng)


def of_some_size(image: Image.Image, rng: Rng) -> Image.Image:
    """Its longer side at most 512-1400 px."""
    side = int(rng.integers(*LONG_SIDES_PX))
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image


# ---- what is found in it


def found_in(haystack: Haystack, folder: Path, options: argparse.Namespace) -> Found:
    """Run the recipe and the rankings."""
    run = folder / "run"
    needles, steps = run_recipe(haystack, folder / "needles.yaml", run, options)
    kept = Counter(haystack.kinds[name] for name in needles)
    lost = [name for name, kind in haystack.kinds.items() if kind == NEEDLE and name not in needles]
    lost_at = Counter(steps[name] or "ranking" for name in lost)
    rankings = RANKINGS | ({"cleanvision": cleanvision} if options.cleanvision else {})
    others = {name: share_of(ranking(haystack), haystack) for name, ranking in rankings.items()}
    return Found(kept[NEEDLE] / haystack.num_needles, kept, lost_at, others)


def run_recipe(
    haystack: Haystack, recipe: Path, run: Path, options: argparse.Namespace
) -> tuple[frozenset[str], dict[str, str | None]]:
    """File names of those taken for needles; file name -> the step that dropped it."""
    whole = yaml.safe_load(find_recipe(options.recipe).read_text(encoding="utf-8"))
    part = {name: section for name, section in whole.items() if name in ("name", "seed", *STAGES)}
    part["pool"] = {"sources": {"mine": str(haystack.folder)}}
    part["review"] = (part.get("review") or {}) | {"num_needles": haystack.num_needles}
    recipe.write_text(yaml.safe_dump(part, sort_keys=False), encoding="utf-8")
    command = [sys.executable, "-m", "photogenic", "run", str(recipe), "--run", str(run)]
    command += ["--workers", str(options.workers)]
    command += [part for setting in options.set for part in ("--set", setting)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    needles = read_table(run / "review" / "needles.parquet", ["member"])["member"].to_pylist()
    verdicts = read_table(run / "curate" / "verdicts.parquet", ["key", "drop_step"]).to_pylist()
    return frozenset(needles), {f"{row['key']}.jpg": row["drop_step"] for row in verdicts}


Ranking = Callable[[Haystack], dict[str, float]]


def share_of(scores: Mapping[str, float], haystack: Haystack) -> float:
    """Needles among as many of the best as there are needles."""
    best = sorted(scores, key=lambda name: -scores[name])[: haystack.num_needles]
    return sum(haystack.kinds[name] == NEEDLE for name in best) / haystack.num_needles


def likes(haystack: Haystack) -> dict[str, float]:
    lines = (haystack.folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["file_name"]: row["likes"] for row in map(json.loads, lines)}


def num_bytes(haystack: Haystack) -> dict[str, float]:
    return {name: (haystack.folder / name).stat().st_size for name in haystack.kinds}


def saturation(haystack: Haystack) -> dict[str, float]:
    """Mean S of HSV."""
    scores = {}
    for name in haystack.kinds:
        image = Image.open(haystack.folder / name)
        image.draft("RGB", (256, 256))
        scores[name] = float(np.asarray(image.convert("HSV"))[..., 1].mean())
    return scores


def cleanvision(haystack: Haystack) -> dict[str, float]:
    """The fewest issues first, and of as many the one with the highest mean score."""
    if importlib.util.find_spec("cleanvision") is None:
        raise SystemExit("cleanvision is not installed: pip install cleanvision")
    from cleanvision import Imagelab

    lab = Imagelab(data_path=str(haystack.folder))
    lab.find_issues(n_jobs=1, verbose=False)
    issues = lab.issues
    flags = issues[[column for column in issues if column.startswith("is_")]].sum(axis=1)
    scores = issues[[column for column in issues if column.endswith("_score")]].mean(axis=1)
    return {Path(path).name: float(score - flags[path]) for path, score in scores.items()}


RANKINGS: dict[str, Ranking] = {"likes": likes, "bytes": num_bytes, "saturation": saturation}


# ---- telling


def told(found: Found, haystack: Haystack) -> str:
    num = haystack.num_needles
    low, high = wilson_interval(found.kept[NEEDLE], num)
    others = ", ".join(f"{name} {share:.0%}" for name, share in found.others.items())
    of = f"{found.kept[NEEDLE]} of {num} needles among {len(haystack.kinds)}"
    return f"{of}: {found.share:.0%} [{low:.0%}, {high:.0%}]; {others}"


def summary(rounds: list[Found], there: Counter[str]) -> str:
    """Median and range over the rounds, and sums over them by kind and by step."""
    lines = [f"needles among the kept: {spread([found.share for found in rounds])}"]
    for name in rounds[0].others:
        lines.append(f"  by {name}: {spread([found.others[name] for found in rounds])}")
    kept, lost_at = total(found.kept for found in rounds), total(found.lost_at for found in rounds)
    lines.append("needles lost at: " + ", ".join(f"{step} {num}" for step, num in lost_at.most_common()))
    lines.append(
        "taken for needles: "
        + ", ".join(
            f"{kind} {kept[kind]} of {num}"
            for kind, num in sorted(there.items(), key=lambda row: -kept[row[0]])
        )
    )
    return "\n".join(lines)


def spread(shares: list[float]) -> str:
    return f"median {median(shares):.0%}, {min(shares):.0%} to {max(shares):.0%} in {len(shares)} rounds"


def total(counters: Iterator[Counter[str]]) -> Counter[str]:
    return sum(counters, Counter[str]())


def as_json(rounds: list[Found], there: Counter[str]) -> dict[str, object]:
    return {
        "shares": [found.share for found in rounds],
        "others": [found.others for found in rounds],
        "there": there,
        "kept": total(found.kept for found in rounds),
        "lost_at": total(found.lost_at for found in rounds),
    }


if __name__ == "__main__":
    main()
