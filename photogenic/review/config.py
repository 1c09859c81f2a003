"""What a recipe may say under `review`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from photogenic.core.config import StrictModel

Weight = Annotated[float, Field(gt=0)]
Ratio = Annotated[float, Field(ge=0, le=1)]
Criterion = Literal["composition", "lighting", "colour_contrast", "subject_background", "story"]
Screen = Literal["grid", "loupe", "captions"]


class RoundConfig(StrictModel):
    """One round: who looks at what was kept so far, how often, and how many shall be left."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,60}$", description="As people see it.")
    screen: Screen = Field(
        "grid",
        description="`grid`: many at a time, mark the minority. `loupe`: one at a time, with criteria."
        " `captions`: write what is to be seen.",
    )
    keep: int | None = Field(
        None, gt=0, description="How many are wanted; told to the lead, nobody is cut off by it."
    )
    overlap: int = Field(
        1,
        ge=1,
        le=9,
        description="Judgments of each picture. With 2: two that agree settle it, else a third person is"
        " asked, and then the lead.",
    )
    gold_ratio: Ratio = Field(
        0.04, le=0.2, description="Pictures with a known answer mixed in, as a share of the work."
    )
    calibration: int = Field(
        0, ge=0, le=200, description="Pictures with a known answer that everybody sees first, with feedback."
    )
    relook_ratio: Ratio = Field(
        0.05, description="Share of the pictures rejected in bulk that come back one by one."
    )
    order: Literal["shuffled", "taste", "manifest"] = Field(
        "shuffled",
        description="`shuffled`; `taste`: the likeliest first, as learnt from decisions so far;"
        " `manifest`: as the candidates are.",
    )
    random_ratio: Ratio = Field(
        0.1, description="With `taste`: the share that stands at random places, to see what it misses."
    )
    balance: str | None = Field(
        None, description="A column or side-car field whose groups take turns, so that none comes in a lump."
    )
    group_duplicates: bool = Field(True, description="Show near-duplicates next to one another.")
    second_reader: bool = Field(True, description="With `captions`: another writer approves each caption.")
    mark: Literal["keep", "drop"] = Field(
        "keep",
        description="With `grid`: what a mark means; the rest of a screen is the opposite.",
    )
    criteria: tuple[Criterion, ...] = Field(
        ("composition", "lighting", "colour_contrast", "subject_background", "story"),
        description="With `loupe`: what keepers are judged by; the paper's five.",
    )
    roles: tuple[Literal["generalist", "specialist", "writer"], ...] | None = Field(
        None, description="Who may work here; default: grid generalists, loupe specialists, captions writers."
    )


class DraftingConfig(StrictModel):
    """An OpenAI-compatible endpoint that drafts captions; local servers of captioning models speak it too."""

    url: str = Field(pattern=r"^https?://", description="Such as http://127.0.0.1:8080/v1.")
    model: str = Field(min_length=1, max_length=80, description="As the endpoint names it.")
    key_env: str | None = Field(
        None, description="The environment variable that holds the key; the recipe itself holds no secret."
    )
    prompt: str = Field(
        "Describe this picture in one or two plain sentences: subject, setting, light, composition, style."
        " Say only what can be seen.",
        description="What the model is asked.",
    )
    max_tokens: int = Field(160, gt=0, le=2000, description="Of the answer.")


ROUNDS = (
    RoundConfig(name="Cull", screen="grid", keep=20_000),
    RoundConfig(name="Finest", screen="loupe", keep=2_000, overlap=2),
    RoundConfig(name="Captions", screen="captions"),
)


class ReviewConfig(StrictModel):
    """Who decides which candidates are needles, and how many there shall be."""

    decisions: Literal["auto", "people", "stars"] | Path = Field(
        "auto",
        description="`auto`: the best by score, nobody looks. `people`: the rounds below, in the browser."
        " `stars`: the ratings that a photographer gave in XMP. Or decisions made elsewhere: a CSV, JSONL or"
        " parquet table with a column sample_id, key or file_name, a column `keep` and if you like `caption`;"
        " a folder of your own needles.",
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
    min_stars: int = Field(
        4, ge=1, le=5, description="With `stars`: how many a picture needs, in its side-car or in the file."
    )
    rounds: tuple[RoundConfig, ...] = Field(
        ROUNDS,
        min_length=1,
        description="With `people`: what is done, one round after another.",
    )
    database: str | None = Field(
        None,
        description="With `people`: postgresql://user:password@host/name for a team; default: SQLite"
        " in the run folder.",
    )
    cost_per_hour: float | None = Field(
        None, gt=0, description="With `people`: what an hour of work costs; the lead sees what a round costs."
    )
    gold: Path | None = Field(
        None,
        description="With `people`: a table of pictures with known answers (as for `decisions`); they become"
        " gold and calibration items.",
    )
    taste: Path | None = Field(
        None,
        description="With `people`: a taste learnt elsewhere, for rounds in its order; default: the run's,"
        " RUN/review/taste.json, once `--learn` has written it.",
    )
    drafts: Path | None = Field(
        None,
        description="With `people`: a table (sample_id, key or file_name; `caption`; `by`) of captions that a"
        " model has drafted; writers start from them, marked as a model's.",
    )
    drafting: DraftingConfig | None = Field(
        None, description="With `people`: an endpoint that drafts captions, asked by `--draft`."
    )
    forbidden_phrases: tuple[str, ...] = Field(
        ("image of", "photo of", "picture of", "stock photo", "getty", "shutterstock"),
        description="With `people`: the caption desk warns when a caption has one of these.",
    )

    @model_validator(mode="after")
    def _captions_come_last(self) -> Self:
        names = [one.name for one in self.rounds]
        if len(set(names)) < len(names):
            raise ValueError("two rounds have the same name")
        if any(one.screen == "captions" for one in self.rounds[:-1]) or self.rounds[0].screen == "captions":
            raise ValueError("a round of captions comes last, after one that decides")
        return self
