import pytest

from photogenic.curate.captions import measure_text


@pytest.mark.parametrize(
    "text",
    [
        "A red bridge over a river, seen from below",
        "Stock markets fall as traders leave",
        "Two cats; one of them sleeps. The other doesn't",
        "Ein altes Haus am See, im Nebel",
        "富士山と桜",
    ],
)
def test_a_caption_is_no_boilerplate(text: str) -> None:
    values = measure_text(text)
    assert values["num_boilerplate"] == 0
    assert (values["caption_repeated_ratio"] or 0) < 0.3
    assert (values["caption_capitals_ratio"] or 0) < 0.3


@pytest.mark.parametrize(
    "text",
    [
        "Royalty-free stock photo of a dog",
        "holiday_2014.JPG",
        "DSC_0123",
        "IMG 4711",
        "Click here for more http://example.com",
        "Mountains &amp; lakes",
        "<b>Sale</b> of the week",
        "© all rights reserved",
    ],
)
def test_what_no_caption_says_is_found(text: str) -> None:
    assert measure_text(text)["num_boilerplate"] >= 1


def test_length_shouting_and_repetition() -> None:
    assert measure_text("a dog's red-brown ear")["num_caption_words"] == 4
    assert measure_text("")["num_caption_words"] == 0
    assert measure_text("BEST PRICES NOW")["caption_capitals_ratio"] == 1.0
    assert measure_text("UFO")["caption_capitals_ratio"] is None
    assert measure_text("dog dog dog dog")["caption_repeated_ratio"] == 0.75
