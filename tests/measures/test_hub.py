from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from photogenic.core.errors import MissingModelError
from photogenic.measures import hub
from photogenic.measures.hub import model_folder

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def save_weights(folder: Path, value: float = 1.0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"weight": np.full((1, 2), value)}, folder / "model.safetensors")
    return folder


def test_a_folder_is_told_by_its_files(tmp_path: Path) -> None:
    first, copy, other = (
        save_weights(tmp_path / name, value) for name, value in zip("abc", (1, 1, 2), strict=True)
    )
    (first / "README.md").write_text("Words change nothing.")
    revisions = [model_folder(str(folder)).revision for folder in (first, copy, other)]
    assert revisions[0] == revisions[1] != revisions[2]


def test_the_packaged_clip_is_told_by_its_own_files() -> None:
    model = model_folder("emu-tiny")
    assert model.path.name == "emu-tiny" and len(model.revision) == 16


def test_pickles_are_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(MissingModelError, match=r"pickled weights only \(pytorch_model\.bin\).*refused"):
        model_folder(str(tmp_path))
    (tmp_path / "head.pth").write_bytes(b"\x80\x04")
    with pytest.raises(MissingModelError, match="refused"):
        model_folder(str(tmp_path / "head.pth"))


def test_an_empty_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(MissingModelError, match="neither ONNX nor safetensors"):
        model_folder(str(tmp_path))


def test_a_hub_id_is_taken_from_the_cache_with_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--some--clip"
    save_weights(repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    model = model_folder("some/clip")
    assert (model.revision, model.name) == (COMMIT, "some/clip")
    assert model_folder(f"some/clip@{COMMIT}").path == model.path


def test_an_id_that_cannot_be_fetched_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    hub._resolved.cache_clear()
    with pytest.raises(MissingModelError, match="some/other is neither on this machine nor can it be"):
        model_folder("some/other")
    with pytest.raises(MissingModelError, match="no Hugging Face id"):
        model_folder("no such thing")
