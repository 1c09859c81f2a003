"""Which picture gets which text and which fault: all decided before a pixel is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from photogenic.core.errors import PhotogenicError
from photogenic.core.run import seed_for
from photogenic.demo.sources.sticker import Sticker

# Parts of the spoiled pictures, in percent of all when 30 % are spoiled.
SHARES = {
    "overlaid_text": 4.0,
    "blur": 3.5,
    "heavy_jpeg": 2.5,
    "over_exposed": 2.0,
    "under_exposed": 2.0,
    "washed_out": 2.0,
    "grey": 2.0,
    "cut_off": 3.0,
    "tiny": 2.0,
    "exact_duplicate": 2.0,
    "near_duplicate": 2.5,
    "wrong_caption": 1.5,
    "truncated": 1.0,
}
DUPLICATES = ("exact_duplicate", "near_duplicate")


@dataclass(frozen=True)
class Plan:
    """One picture of the haystack, still to be drawn."""

    sticker: Sticker
    key: str
    kind: str  # "clean" or one of SHARES
    of_key: str | None  # of a duplicate: the key of the clean picture
    alt_text: str
    tags: tuple[str, ...]
    size_px: int  # longer side of the drawing
    seed: int

    @property
    def clean_key(self) -> str:
        """The key whose composition this picture has: a duplicate is composed as its original."""
        return self.of_key or self.key


def draw_plans(
    stickers: Sequence[Sticker],
    num_samples: int | None,
    spoiled_ratio: float,
    seed: int,
    sizes_px: tuple[int, int],
) -> list[Plan]:
    """The plans, sorted by key.

    Everything about a picture comes from (seed, key): neither the order of the sources nor the number of
    workers changes it.

    Raises:
        PhotogenicError: there are fewer stickers than pictures asked for, or the ratio is out of range.
    """
    if not 0.0 <= spoiled_ratio <= 0.8:  # above, too few clean pictures are left to be duplicated
        raise PhotogenicError(f"spoiled_ratio is {spoiled_ratio}; it must be between 0 and 0.8.")
    if num_samples is not None and num_samples < 1:
        raise PhotogenicError(f"num_samples is {num_samples}; it must be at least 1.")
    num_all, num_by_kind = _counts(len(stickers), num_samples, spoiled_ratio)
    num_duplicates = sum(num_by_kind[kind] for kind in DUPLICATES)
    if num_all - num_duplicates > len(stickers):
        raise PhotogenicError(
            f"{num_all} pictures need {num_all - num_duplicates} drawings, but there are {len(stickers)}.",
            "Lower num_samples or add a source.",
        )
    chosen = sorted(stickers, key=lambda sticker: seed_for(seed, "choose", sticker.key))
    chosen = chosen[: num_all - num_duplicates]
    kinds = [kind for kind, count in num_by_kind.items() if kind not in DUPLICATES for _ in range(count)]
    spoiled, clean = chosen[: len(kinds)], chosen[len(kinds) :]
    copied = [kind for kind in DUPLICATES for _ in range(num_by_kind[kind])]

    plans = [_plan(sticker, "clean", seed, sizes_px) for sticker in clean]
    plans += [_plan(sticker, kind, seed, sizes_px) for sticker, kind in zip(spoiled, kinds, strict=True)]
    originals = _copiable(clean, stickers, len(copied))
    plans += [_copy(sticker, kind, seed, sizes_px) for sticker, kind in zip(originals, copied, strict=True)]
    plans = [_miscaptioned(plan, chosen) if plan.kind == "wrong_caption" else plan for plan in plans]
    return sorted(plans, key=lambda plan: plan.key)


def _copiable(clean: Sequence[Sticker], stickers: Sequence[Sticker], count: int) -> list[Sticker]:
    """The first `count` clean stickers, without those whose copy would take another one's key."""
    keys = {sticker.key for sticker in stickers}
    free = [sticker for sticker in clean if _copy_key(sticker) not in keys]
    return free[:count]


def _copy_key(sticker: Sticker) -> str:
    return f"{sticker.key}-2"


def _counts(num_stickers: int, num_samples: int | None, spoiled_ratio: float) -> tuple[int, dict[str, int]]:
    """Number of pictures in all, and of each kind of spoiling."""
    share_of_copies = spoiled_ratio * sum(SHARES[kind] for kind in DUPLICATES) / sum(SHARES.values())
    num_all = num_samples if num_samples is not None else int(num_stickers / (1.0 - share_of_copies))
    num_spoiled = round(num_all * spoiled_ratio)
    # Largest remainders: the counts add up to num_spoiled exactly.
    exact = {kind: num_spoiled * share / sum(SHARES.values()) for kind, share in SHARES.items()}
    counts = {kind: int(value) for kind, value in exact.items()}
    by_remainder = sorted(exact, key=lambda kind: counts[kind] - exact[kind])
    for kind in by_remainder[: num_spoiled - sum(counts.values())]:
        counts[kind] += 1
    return num_all, counts


def _plan(sticker: Sticker, kind: str, seed: int, sizes_px: tuple[int, int]) -> Plan:
    rng = np.random.default_rng(seed_for(seed, "plan", sticker.key))
    size_px = int(rng.integers(sizes_px[0], sizes_px[1] + 1))
    return Plan(sticker, sticker.key, kind, None, web_text(sticker, rng), sticker.tags, size_px, seed)


def _copy(sticker: Sticker, kind: str, seed: int, sizes_px: tuple[int, int]) -> Plan:
    original = _plan(sticker, kind, seed, sizes_px)
    key = _copy_key(sticker)
    alt_text = web_text(sticker, np.random.default_rng(seed_for(seed, "plan", key)))
    return Plan(sticker, key, kind, sticker.key, alt_text, sticker.tags, original.size_px, seed)


def _miscaptioned(plan: Plan, stickers: Sequence[Sticker]) -> Plan:
    """With text and tags of a concept of another group."""
    rng = np.random.default_rng(seed_for(plan.seed, "miscaption", plan.key))
    others = [one for one in stickers if one.group != plan.sticker.group]
    if not others:
        others = [one for one in stickers if one.name != plan.sticker.name]
    if not others:
        raise PhotogenicError("A wrong caption needs pictures of more than one name.")
    other = others[int(rng.integers(len(others)))]
    alt_text = web_text(other, rng)
    return Plan(plan.sticker, plan.key, plan.kind, None, alt_text, other.tags, plan.size_px, plan.seed)


def web_text(sticker: Sticker, rng: np.random.Generator) -> str:
    """As web pages describe pictures: the name, sometimes with tags, a capital or a word of packaging."""
    name, style = sticker.name, rng.random()
    if style < 0.5 or (style < 0.75 and not sticker.tags):
        return name
    if style < 0.75:
        num_tags = min(len(sticker.tags), int(rng.integers(1, 3)))
        tags = rng.choice(sticker.tags, size=num_tags, replace=False)
        return ", ".join((name, *map(str, tags)))
    if style < 0.87:
        return name[:1].upper() + name[1:]
    return f"{name} {rng.choice(['sticker', 'icon', 'clip art', 'picture'])}"
