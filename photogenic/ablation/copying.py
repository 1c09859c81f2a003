"""Does a variant draw from memory what it was tuned on? Near-copies of its own pictures.

The untuned base has seen none of them: its near-copies of the same pictures tell how many chance makes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from photogenic.ablation.config import BASE
from photogenic.core.errors import DecodeError, StorageError
from photogenic.core.run import Run
from photogenic.evaluate.compare import Settings, share_estimate
from photogenic.evaluate.config import NearCopyConfig
from photogenic.evaluate.copies import Looks, joined, looks_of, nearest_needles
from photogenic.evaluate.pictures import PICTURES_AT_ONCE, Item, needle_items
from photogenic.evaluate.results import Drawn, estimate_json
from photogenic.evaluate.space import Space, fits
from photogenic.measures.decode import Rgb, centre, decode, square
from photogenic.train.data import DECODE_MARGIN, Fit


def own_copies(
    sources: Mapping[str, str],
    tuned_on: Mapping[str, Looks],
    drawn: Mapping[str, Drawn],
    limits: NearCopyConfig,
    settings: Settings,
) -> dict[str, dict[str, Any] | None]:
    """Variant -> share of its drawings that are near-copies of what it was tuned on, and the base's share.

    Args:
        sources: variant -> the variant that was tuned for it.
        tuned_on: tuned variant -> its pictures; where one is missing, nothing can be told: None.
    """

    def share(model: str, looks: Looks) -> dict[str, float | None]:
        of = drawn[model]
        nearest = nearest_needles(
            of.measured.looks, looks, max_bits=limits.max_bits, min_cosine=limits.min_cosine
        )
        return estimate_json(share_estimate(nearest.is_copy, of.prompt_ids, settings))

    return {
        name: {
            **share(name, tuned_on[source]),
            "base": share(BASE, tuned_on[source]),
            "num_drawn": len(drawn[name].rows),
        }
        if source in tuned_on and name in drawn
        else None
        for name, source in sources.items()
    }


def looks_of_tuned(run: Run, fit: Fit, size_px: int, space: Space | None) -> Looks | None:
    """The pictures of a tuning as it saw them: cropped or padded, and small. None: they cannot be read.

    A CLIP that does not know them is not asked: hashes alone decide then.
    """
    items = needle_items(run)
    try:
        parts = [
            looks_of([_seen(item, fit, size_px) for item in items[begin : begin + PICTURES_AT_ONCE]], space)
            for begin in range(0, len(items), PICTURES_AT_ONCE)
        ]
    except (DecodeError, StorageError) as error:
        run.log.info("ablation: near-copies cannot be told: %s", error.what)
        return None
    if not parts:
        return None
    looks = joined(parts)
    if space is None or looks.embeds is None:
        return looks
    fit_for_them, _ = fits(space, looks.embeds, [item.text for item in items])
    return looks if fit_for_them else Looks(looks.hashes, None)


def _seen(item: Item, fit: Fit, size_px: int) -> Rgb:
    rgb = decode(item.read(), min_long_side_px=DECODE_MARGIN * size_px).rgb
    return square(rgb if fit == "pad" else centre(rgb), size_px)
