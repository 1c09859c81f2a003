"""What a recipe may say under `review`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from photogenic.core.config import StrictModel

Weight = Annotated[float, Field(gt=0)]


class ReviewConfig(StrictModel):
    """Who decides which candidates are needles, and how many there shall be."""

    decisions: Literal["auto"] | Path = Field(
        "auto",
        description="`auto`: the best by score, nobody looks. Or decisions made elsewhere: a CSV with a"
        " column sample_id, key or file_name, a column `keep` and if you like `caption`; or a folder of your"
        " own needles.",
    )
    num_needles: int = Field(
        2000, gt=0, description="With `auto`: how many needles to take. The paper took 2,000."
    )
    by: str | Annotated[dict[str, Weight], Field(min_length=1)] = Field(
        "appeal_score",
        description="With `auto`: the score column that ranks the candidates, or several with their weights"
        " (column: weight), blended by rank so that their units do not matter.",
    )
    balance: str | None = Field(
        None,
        description="With `auto`: the column or side-car field whose groups are to have equal shares, as far"
        " as their candidates go. Empty: no balance.",
    )
