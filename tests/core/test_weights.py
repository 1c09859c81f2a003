from pathlib import Path

import pytest

from photogenic.core.errors import MissingModelError
from photogenic.core.weights import PACKAGED, packaged_weights, weights_folder


def test_a_folder_is_itself(tmp_path: Path) -> None:
    assert weights_folder(tmp_path) == tmp_path
    assert weights_folder(str(tmp_path)) == tmp_path


def test_packaged_names_are_folders_of_the_package() -> None:
    for name in packaged_weights():
        assert weights_folder(name) == PACKAGED / name


def test_what_is_neither_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingModelError, match="'no-such-model'") as caught:
        weights_folder("no-such-model")
    assert "Packaged:" in caught.value.fix
    assert "hf download" not in caught.value.fix
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingModelError) as caught:
        weights_folder("somebody/some-model")
    assert "hf download somebody/some-model --local-dir models/some-model" in caught.value.fix
    with pytest.raises(MissingModelError) as caught:
        weights_folder("models/some-model")
    assert "hf download" not in caught.value.fix
    (tmp_path / "own").mkdir()
    assert weights_folder("own") == Path("own")
