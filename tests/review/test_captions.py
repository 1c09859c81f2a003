from __future__ import annotations

import pytest

from photogenic.review.captions import caption_for, clean_alt_text


@pytest.mark.parametrize(
    ("alt_text", "expected"),
    [
        ("a red fox", "a red fox"),
        ("  a\tred\n fox ", "a red fox"),
        ("salt &amp; pepper", "salt & pepper"),
        ("<b>bold</b> fox<br/>", "bold fox"),
        ("&lt;i&gt;fox&lt;/i&gt;", "fox"),
        ("fox https://example.org/fox?id=1 in snow", "fox in snow"),
        ("www.example.org", ""),
        ("I <3 foxes, 2 < 3 > 1", "I <3 foxes, 2 < 3 > 1"),
        ("DSC_0123.JPG", ""),
        ("red fox in snow.jpg", "red fox in snow.jpg"),
        ("cafe\u0301\u200b noir\x00", "caf\u00e9 noir"),
        ("", ""),
    ],
)
def test_alt_text_is_cleaned_and_its_words_are_kept(alt_text: str, expected: str) -> None:
    assert clean_alt_text(alt_text) == expected


def test_what_a_writer_wrote_is_kept_word_for_word() -> None:
    assert caption_for("ignored", " <fox> & hound ") == ("<fox> & hound", "writer")


def test_blank_writing_falls_back_to_the_alt_text() -> None:
    assert caption_for("fox &amp; hound", "  ") == ("fox & hound", "alt_text")
    assert caption_for(None, None) == ("", "alt_text")
