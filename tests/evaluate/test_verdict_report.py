from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from photogenic.core.records import Vote
from photogenic.evaluate.verdict import judge
from photogenic.evaluate.verdict_report import write_verdict
from photogenic.evaluate.votes import write_votes

from .raters_of_known_strength import cast, vote


class Text(HTMLParser):
    """What a reader sees, without the styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.inside: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "style" not in self.inside and "title" not in self.inside:
            self.words.append(data)


def page_text(path: Path) -> str:
    return " ".join(" ".join(Text(path.read_text(encoding="utf-8")).words).split())


def written(folder: Path, votes: list[Vote], **told: Any) -> tuple[str, dict[str, Any]]:
    page = write_verdict(folder, judge(votes, **told))
    return page_text(page), json.loads((folder / "verdict.json").read_text(encoding="utf-8"))


def test_the_page_and_its_numbers_agree(tmp_path: Path) -> None:
    votes = cast({"base": 0.0, "tuned": 1.0}, num_prompts=60)
    text, numbers = written(tmp_path, votes)
    (panel,) = numbers["panels"]
    (contest,) = panel["contests"]
    pairs = contest["pairs"]
    assert pairs["wins"] + pairs["ties"] + pairs["losses"] == 60
    counted = f"won {pairs['wins']}, tied {pairs['ties']}, lost {pairs['losses']}"
    assert f"Visual appeal, tuned against base: people prefer tuned ({counted}; p < 0.001)." in text
    assert f"{100 * pairs['win_rate_without_ties']:.0f} %" in text
    assert contest["sentence"] in text
    assert "300 votes by 5 people on 60 prompts." in text and "5 is the most usual number" in text
    assert (panel["raters_a_pair"], panel["raters_a_pair_planned"]) == (5, False)
    assert numbers["num_people"] == 5 and numbers["num_models_voting"] == 0
    assert numbers["reproduce"]["votes_fingerprint"] in text
    assert panel["strengths"] is None and "one scale" not in text
    assert "NaN" not in json.dumps(numbers) and "nan" not in text


def test_a_model_is_never_called_a_person(tmp_path: Path) -> None:
    text, numbers = written(tmp_path, cast({"base": 0.0, "tuned": 1.0}, num_prompts=20, kind="model"))
    assert text.startswith("What the raters say No person voted.")
    assert "150 votes" not in text and "100 votes by 5 models on 20 prompts." in text
    assert "0 people voted" in text and "judged by people" not in text and "people prefer" not in text
    assert numbers["num_people"] == 0 and numbers["num_models_voting"] == 5


def test_three_models_and_both_questions(tmp_path: Path) -> None:
    votes = cast({"base": 0.0, "sdxl": 0.2, "tuned": 1.0}, num_prompts=40)
    votes += cast({"base": 0.0, "tuned": 0.0}, num_prompts=40, num_raters=3, question="text_faithfulness")
    text, numbers = written(tmp_path, votes)
    strengths = numbers["panels"][0]["strengths"]
    assert sum(one["log_strength"] for one in strengths["models"].values()) == pytest.approx(0)
    assert strengths["models"]["tuned"]["ranks"] == [1, 1]
    assert "All models on one scale" in text and "people do not tell them apart" in text
    assert "so are the answers both and neither" in text


def test_one_vote_alone(tmp_path: Path) -> None:
    text, numbers = written(tmp_path, [vote()], planned={"visual_appeal": 5})
    contest = numbers["panels"][0]["contests"][0]
    assert contest["net_win"] == {"mean": 1.0, "low": None, "high": None}
    assert contest["agreement"] == {"num_pairs": 0, "percent": None, "alpha": None, "ac1": None}
    assert "people do not tell them apart (won 1, tied 0, lost 0; p = 1.000)" in text
    assert "too few prompts for an interval" in text and "1 of 1 pairs have fewer than 5 votes" in text
    assert "1 vote by 1 person on 1 prompt." in text and "Planned were 5 raters a pair." in text


def test_only_ties(tmp_path: Path) -> None:
    _, numbers = written(tmp_path, [vote(answer="tie"), vote(vote_id="v2", rater="bob", answer="tie")])
    contest = numbers["panels"][0]["contests"][0]
    assert contest["win_rate_without_ties"]["mean"] is None
    assert contest["p_value"] == 1.0 and numbers["panels"][0]["left_share"]["mean"] is None


def test_names_stay_names(tmp_path: Path) -> None:
    votes = [
        replace(v, prompt="<script>alert(1)</script>", prompt_id="x", rater=f"<b>{v.rater}")
        for v in cast({"base": 0.0, "tuned & co": 1.0}, num_prompts=1)
    ]
    write_verdict(tmp_path, judge(votes))
    html = (tmp_path / "verdict.html").read_text(encoding="utf-8")
    assert "<script" not in html and "<b>person" not in html and "tuned &amp; co" in html
    assert not re.search(r"""(src|href)=["']?(https?:|//)""", html)


def test_the_command_rebuilds_it_from_any_format(tmp_path: Path) -> None:
    votes = cast({"base": 0.0, "tuned": 0.6}, num_prompts=12)
    write_votes(tmp_path / "votes.csv", list(reversed(votes)))
    told = ("--appeal-raters", "7")
    said = photogenic(
        "verdict", "votes.csv", "--out", "one", "--export", "votes.parquet", *told, cwd=tmp_path
    )
    assert "Visual appeal, tuned against base: people" in said and "one/verdict.html" in said
    photogenic("verdict", "votes.parquet", "--out", "two", *told, cwd=tmp_path)
    assert "12 of 12 pairs have fewer than 7 votes." in page_text(tmp_path / "one" / "verdict.html")
    for name in ("verdict.html", "verdict.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def photogenic(*arguments: str, cwd: Path) -> str:
    command = [sys.executable, "-m", "photogenic", *arguments]
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, timeout=120).stdout


def test_json_has_no_infinite_number(tmp_path: Path) -> None:
    _, numbers = written(tmp_path, cast({"base": 0.0, "tuned": 0.6}, num_prompts=2))

    def finite(value: Any) -> bool:
        if isinstance(value, dict):
            return all(finite(one) for one in value.values())
        if isinstance(value, list):
            return all(finite(one) for one in value)
        return not isinstance(value, float) or math.isfinite(value)

    assert finite(numbers)
