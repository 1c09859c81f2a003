"""Prompts out of every kind of file, with ids that last."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from photogenic.core.errors import RecipeError
from photogenic.core.prompts import Prompt, prompt_id_for, read_prompts

PARTI = (
    "Prompt\tCategory\tChallenge\tNote\n"
    "bond\tAbstract\tBasic\tBiology-inspired concepts\n"
    'A robot. The words "Fly an airplane" are on the wall.\tOutdoor Scenes\tWriting & Symbols\t\n'
    '"Hello" written, in chalk\tArts\tQuantity\t\n'
)


def texts(prompts: list[Prompt]) -> list[str]:
    return [prompt.text for prompt in prompts]


def test_text_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes("\ufeffred apple\r\n\r\n  grinning face \r\nein grüner Baum".encode())
    assert texts(read_prompts(path)) == ["red apple", "grinning face", "ein grüner Baum"]


def test_partiprompts_keep_their_quotation_marks(tmp_path: Path) -> None:
    path = tmp_path / "PartiPrompts.tsv"
    path.write_text(PARTI, encoding="utf-8")
    prompts = read_prompts(path)
    assert [(prompt.category, prompt.challenge) for prompt in prompts] == [
        ("Abstract", "Basic"),
        ("Outdoor Scenes", "Writing & Symbols"),
        ("Arts", "Quantity"),
    ]
    assert texts(prompts)[1:] == [
        'A robot. The words "Fly an airplane" are on the wall.',
        '"Hello" written, in chalk',
    ]


def test_csv_is_unquoted_and_columns_may_lack(tmp_path: Path) -> None:
    path = tmp_path / "prompts.csv"
    path.write_text('id,caption,Category\n1,"a cat, a dog ""and"" me",Animals\n2,a tree\n3,,None\n')
    prompts = read_prompts(path)
    assert texts(prompts) == ['a cat, a dog "and" me', "a tree"]
    assert [(prompt.category, prompt.challenge) for prompt in prompts] == [("Animals", ""), ("", "")]


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "prompts.parquet"
    table = pa.table({"text": ["ignored", "x"], "prompt": ["a fox", None], "challenge": ["Basic", None]})
    pq.write_table(table, path)
    assert [(p.text, p.category, p.challenge) for p in read_prompts(path)] == [("a fox", "", "Basic")]


def test_ids_come_from_the_text_and_are_never_shared() -> None:
    before = read_prompts(["a cat", "a dog"])
    after = read_prompts(["a new one", "a dog", "a cat", "a cat"])
    ids = {prompt.text: prompt.prompt_id for prompt in reversed(after)}
    assert [ids[prompt.text] for prompt in before] == [prompt.prompt_id for prompt in before]
    assert [prompt.prompt_id for prompt in after][2:] == [ids["a cat"], f"{ids['a cat']}-2"]
    assert prompt_id_for("A cat!") != prompt_id_for("a cat")
    assert prompt_id_for("A cat!").startswith("a-cat-")


@pytest.mark.parametrize("text", ["../../etc/passwd", "寿司", "x" * 500, "a\x00b/c\\d", "🙂", "CON"])
def test_an_id_is_always_fit_for_a_file(text: str, tmp_path: Path) -> None:
    prompt_id = prompt_id_for(text)
    assert set(prompt_id) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") and 8 <= len(prompt_id) <= 49
    (tmp_path / prompt_id).touch()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.txt", b"\n \n", "no prompt"),
        ("latin.txt", "gr\u00fcn".encode("latin-1"), "cannot be read"),
        ("wrong.csv", b"a,b\n1,2\n", r"no column `prompt`"),
        ("empty.tsv", b"", "no prompt"),
        ("broken.parquet", b"PAR1 no", "cannot be read"),
    ],
)
def test_mistakes_are_sentences(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RecipeError, match=words):
        read_prompts(tmp_path / name)


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        read_prompts(tmp_path / "absent.txt")


def test_the_projects_own_list_reads() -> None:
    prompts = read_prompts(Path(__file__).parents[2] / "recipes" / "prompts" / "emu-tiny.txt")
    assert len(prompts) >= 55 and len({prompt.text for prompt in prompts}) == len(prompts)


def test_blank_prompts_alone_are_no_prompts() -> None:
    assert texts(read_prompts(["", "a fox", "  "])) == ["a fox"]
    with pytest.raises(RecipeError, match="There is no prompt: all are empty"):
        read_prompts([" ", ""])
