from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from photogenic.evaluate.space import Space, fits, open_space

from .conftest import COLOURS, SHAPES, shape


@pytest.fixture
def space(clip_folder: Path) -> Space:
    space, sentence = open_space(str(clip_folder))
    assert space is not None
    assert sentence == ""
    return space


def embeds_of(space: Space, colours: list[str]) -> np.ndarray:
    pictures = [np.asarray(shape(colour, SHAPES[i % 5], i)) for i, colour in enumerate(colours)]
    return space.clip.embed_images(pictures)


def test_agreement_is_the_clip_score(space: Space) -> None:
    colours = ["teal", "gold", "teal"]
    pictures = [np.asarray(shape(colour, "disc", 1)) for colour in colours]
    texts = ["a teal disc", "a teal disc", "a gold disc"]
    agreement = space.agreement(space.clip.embed_images(pictures), texts)
    assert agreement == pytest.approx(space.clip.score(pictures, texts), abs=1e-4)
    assert agreement[0] > agreement[2]


def test_a_picture_without_a_text_agrees_with_nothing(space: Space) -> None:
    embeds = embeds_of(space, ["teal", "gold"])
    assert np.isnan(space.agreement(embeds, ["", "a gold disc"])).tolist() == [True, False]
    assert np.isnan(space.agreement(embeds, ["", " "])).all()


def test_a_clip_that_knows_the_needles_fits(space: Space) -> None:
    colours = [COLOURS[i % 8] for i in range(32)]
    assert fits(space, embeds_of(space, colours), [f"a {colour} thing" for colour in colours]) == (True, "")


def test_a_clip_that_prefers_wrong_captions_does_not(lost_clip_folder: Path) -> None:
    space, _ = open_space(str(lost_clip_folder))
    assert space is not None
    colours = [COLOURS[i % 8] for i in range(32)]
    fit, remark = fits(space, embeds_of(space, colours), [f"a {colour} thing" for colour in colours])
    assert not fit
    assert "does not know what the needles show" in remark


@pytest.mark.parametrize("captions", [[""] * 32, ["the same"] * 32, ["a teal disc", "a gold disc"] * 5])
def test_too_few_captions_prove_nothing(space: Space, captions: list[str]) -> None:
    embeds = embeds_of(space, [COLOURS[i % 8] for i in range(len(captions))])
    fit, remark = fits(space, embeds, captions)
    assert fit
    assert "was not checked" in remark


def test_a_clip_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    assert open_space(None) == (None, open_space(None)[1])
    (tmp_path / "empty").mkdir()
    for name in ("no-such-model", str(tmp_path / "empty")):
        space, sentence = open_space(name)
        assert space is None
        assert sentence.startswith("CLIP score, Frechet distance, CMMD and diversity are left out: ")
