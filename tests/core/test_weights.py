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
    assert "hf download somebody/some-model --include '*.safetensors'" in caught.value.fix
    with pytest.raises(MissingModelError) as caught:
        weights_folder("models/some-model")
    assert "hf download" not in caught.value.fix
    (tmp_path / "own").mkdir()
    assert weights_folder("own") == Path("own")


def test_what_the_cache_of_the_hub_holds_is_found_by_its_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    commit = "a" * 40
    cached = tmp_path / "models--somebody--some-model"
    snapshot = cached / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "model_index.json").write_text("{}", encoding="utf-8")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit, encoding="utf-8")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert weights_folder("somebody/some-model") == snapshot
    assert weights_folder(f"somebody/some-model@{commit}") == snapshot
    with pytest.raises(MissingModelError) as caught:
        weights_folder("somebody/some-model@other")
    assert "hf download somebody/some-model --revision other" in caught.value.fix
