from __future__ import annotations

import re
from html.parser import HTMLParser

import pyarrow as pa

from photogenic.core.run import Run
from photogenic.core.shards import read_table, write_table
from photogenic.evaluate.automatic import evaluate
from photogenic.evaluate.config import EvaluateConfig

from .conftest import draw_model, draw_pale, shape


class Page(HTMLParser):
    """Text in reading order, and where every picture comes from."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.pictures, self.open = "", [], []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.pictures.append(dict(attrs))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.open.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["title"]):
            self.text += data


def page_of(run: Run) -> Page:
    return Page((run.folder / "evaluate" / "report.html").read_text(encoding="utf-8"))


def test_the_page_says_first_that_no_person_judged(judged: Run) -> None:
    text = " ".join(page_of(judged).text.split())
    assert text.startswith("What the measures say No person has judged these pictures.")
    assert "They are no FID" in text
    assert "shapes CLIP, 64 px" in text
    assert "tuned is higher" in text
    assert not re.search(r"\bFID of|\bvotes? for|raters", text)


def test_every_picture_is_in_the_page_and_says_what_it_shows(judged: Run) -> None:
    pictures = page_of(judged).pictures
    assert all(picture["src"].startswith("data:image/webp;base64,") for picture in pictures)
    assert all(picture["alt"] for picture in pictures)
    # unselected; gains in appeal, gains and losses in agreement; the nearest needles of two models
    assert len(pictures) == 2 * (4 + 4 + 4 + 4 + 4 + 4)
    # They lie in the page already: lazy ones would be blank in a screenshot, and save nothing.
    assert not [picture for picture in pictures if "loading" in picture]


def test_gains_and_losses_are_the_largest_ones(judged: Run) -> None:
    text = page_of(judged).text
    gains = text.split("Largest gains in appeal_score")[1].split("Largest gains in clip_score")[0]
    changes = [float(after) - float(before) for before, after in re.findall(r"([\d.]+) → ([\d.]+)", gains)]
    assert len(changes) == 4
    assert changes == sorted(changes, reverse=True)
    assert "Largest losses in appeal_score" not in text  # there are none
    assert "Largest losses in clip_score" in text


def test_markup_in_a_prompt_stays_a_prompt(run: Run) -> None:
    draw_model(run, "base", draw_pale, num_prompts=2)
    draw_model(run, "tuned", shape, num_prompts=2)
    for model in ("base", "tuned"):
        path = run.folder / "generate" / model / "manifest.parquet"
        table = read_table(path)
        hostile = pa.array(['<script>alert("x")</script>'] * table.num_rows)
        write_table(path, table.set_column(table.column_names.index("prompt"), "prompt", hostile))
    evaluate(EvaluateConfig(clip=None), run, seed=0)
    html = (run.folder / "evaluate" / "report.html").read_text(encoding="utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_the_page_names_no_path_of_this_machine(judged: Run) -> None:
    for name in ("report.html", "measures.json"):
        assert str(judged.folder.parent) not in (judged.folder / "evaluate" / name).read_text(
            encoding="utf-8"
        )


def test_one_model_alone_gets_a_table(run: Run) -> None:
    draw_model(run, "base", shape, num_prompts=6)
    evaluate(EvaluateConfig(clip=None), run, seed=0)
    text = page_of(run).text
    assert "All models" in text
    assert "against" not in text.split("All models")[0].split("pictures by base")[1]
