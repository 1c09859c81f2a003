"""The web room under test."""

from __future__ import annotations

from pathlib import Path

import pytest

from .office import Office, office_at


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return office_at(tmp_path)
