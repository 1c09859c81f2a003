"""What all tests share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from nursery import Nursery

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line sets it; read when torch is loaded

settings.register_profile("no-deadline", deadline=None)  # how long an example takes depends on the machine
settings.load_profile("no-deadline")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser of all tests in this process: Playwright cannot be started twice in one thread."""
    playwright = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Starts processes that need not import torch and its friends first."""
    started = Nursery(tmp_path_factory.mktemp("nursery"))
    yield started
    started.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a skipped test fails the run")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--no-skips") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
