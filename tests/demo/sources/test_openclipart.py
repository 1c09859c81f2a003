from __future__ import annotations

from pathlib import Path

import pytest

from photogenic.demo.sources import openclipart
from photogenic.demo.sources.sticker import MissingSourceError

SVG = """<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<svg height="297mm" width="210mm" xmlns="http://www.w3.org/2000/svg">
  <metadata>
    <rdf:RDF xmlns:cc="http://web.resource.org/cc/" xmlns:dc="http://purl.org/dc/elements/1.1/"
             xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
      <cc:Work rdf:about="">
        <dc:title>{title}</dc:title>
        <dc:subject><rdf:Bag><rdf:li></rdf:li><rdf:li>animal</rdf:li><rdf:li>0xa11e</rdf:li></rdf:Bag></dc:subject>
        <dc:publisher><cc:Agent><dc:title>Open Clip Art Library</dc:title></cc:Agent></dc:publisher>
        <dc:creator><cc:Agent><dc:title>kesi &amp; gomu</dc:title></cc:Agent></dc:creator>
        <cc:license rdf:resource="{licence}"/>
      </cc:Work>
    </rdf:RDF>
  </metadata>
  <rect x="30" y="500" width="200" height="100" fill="#c00"/>
</svg>
"""
PUBLIC_DOMAIN = "http://web.resource.org/cc/PublicDomain"


def write(folder: Path, name: str, title: str, licence: str = PUBLIC_DOMAIN) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SVG.format(title=title, licence=licence), encoding="utf-8")
    return path


def test_words_come_from_the_metadata_and_the_path(tmp_path: Path) -> None:
    write(tmp_path, "animals/birds/crow_01.svg", "Clipart by kesi - crow_01")
    (sticker,) = openclipart.stickers(tmp_path)
    assert sticker.name == "crow"
    assert sticker.tags == ("animal",)
    assert (sticker.concept, sticker.group) == ("animals/birds/crow_01", "animals")
    assert sticker.key == "openclipart-animals-birds-crow_01"
    assert sticker.attribution == "kesi & gomu, Open Clip Art Library"


def test_a_drawing_on_a_page_is_cut_out(tmp_path: Path) -> None:
    write(tmp_path, "crow.svg", "crow")
    (sticker,) = openclipart.stickers(tmp_path)
    pixels = sticker.render(120)
    assert pixels.shape == (60, 120, 4)
    assert (pixels[2:-2, 2:-2] == (204, 0, 0, 255)).all()


def test_other_licences_flags_links_and_empty_titles(tmp_path: Path) -> None:
    write(tmp_path, "animals/gnu.svg", "gnu", "http://creativecommons.org/licenses/GPL/2.0/")
    write(tmp_path, "signs/flags/france.svg", "france")
    crow = write(tmp_path, "animals/crow_john_doe_02.svg", "")
    (tmp_path / "people").mkdir()
    (tmp_path / "people" / "crow.svg").symlink_to(crow)
    (sticker,) = openclipart.stickers(tmp_path)
    assert sticker.name == "crow john doe"


def test_titles_of_collections_give_way_to_file_names(tmp_path: Path) -> None:
    for letter in "abcdefghijklmnop":
        write(tmp_path, f"icons/{letter}.svg", "lemon svg theme")
    read = list(openclipart.stickers(tmp_path))
    assert [sticker.name for sticker in read[:10]] == ["lemon svg theme"] * 10
    assert len({sticker.name for sticker in read[10:]}) == 6
    for number in range(20):
        write(tmp_path, f"stars/star_{number}pt.svg", "gramastar")
    names = [sticker.name for sticker in openclipart.stickers(tmp_path)]
    assert names.count("gramastar") == names.count("star") == 10


def test_the_seed_draws_the_same_few_every_time(tmp_path: Path) -> None:
    for letter in "abcdefghijklmnop":
        write(tmp_path, f"animals/{letter}.svg", f"animal {letter}")
    draws = [[one.key for one in openclipart.stickers(tmp_path, limit=5, seed=seed)] for seed in (0, 0, 1)]
    assert len(draws[0]) == 5
    assert draws[0] == draws[1] != draws[2]


def test_the_missing_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingSourceError, match=r"apt-get install openclipart-svg"):
        openclipart.stickers(tmp_path / "nothing")
