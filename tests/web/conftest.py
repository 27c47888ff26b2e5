"""A browser, a server and streams for tests of the page."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def _sibling(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"web_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, started once; skips where it cannot be had."""
    module = _sibling("browser")
    reason = module.missing()
    if reason:
        pytest.skip(reason)
    started = module.Browser()
    yield started
    started.close()


@pytest.fixture(scope="session")
def write_folder() -> Callable[..., None]:
    """hls_folder.write_folder."""
    written: Callable[..., None] = _sibling("hls_folder").write_folder
    return written


@pytest.fixture(scope="session")
def windows() -> Callable[..., Callable[..., str]]:
    """hls_folder.windows."""
    made: Callable[..., Callable[..., str]] = _sibling("hls_folder").windows
    return made


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """The folder that the server shows under /media/."""
    folder = tmp_path / "media"
    folder.mkdir()
    return folder


@pytest.fixture
def server(media: Path) -> Iterator[Any]:
    """The page under /, streams under /media/, golden ones under /golden/."""
    started = _sibling("server").WebServer(
        {"player": ROOT / "player" / "web", "media": media, "golden": ROOT / "tests" / "golden", "tests": HERE}
    )
    yield started
    started.close()


@pytest.fixture
def open_player(browser: Any, server: Any) -> Iterator[Callable[..., Any]]:
    """Opens a bare page whose window.player plays an address, at the video's own size."""
    pages = []

    def opened(path: str, options: str = '{resolution: "source"}', wait: bool = True) -> Any:
        page = browser.open(f"{server.url}/tests/embed.html")
        pages.append(page)
        page.evaluate(f'window.open_player("{path}", {options});')
        if wait:
            page.wait("events.includes('ready') || failed")
            assert page.evaluate("return failed") is None
        return page

    yield opened
    for page in pages:
        page.close()
