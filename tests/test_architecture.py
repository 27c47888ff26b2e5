"""Directions of imports that must also hold for packages that do not exist yet, and what a light start may load."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FORBIDDEN = {  # package: what none of its modules may import, not even lazily
    "packager": ("torch", "gvideo.encoder", "gvideo.decoder", "gvideo.model", "gvideo.raster"),
    "player": ("torch", "gvideo.encoder", "packager.hls", "packager.dash", "packager.presentation"),
    "gvideo/media": ("torch", "gvideo.encoder", "gvideo.decoder"),
    "gvideo/decoder": ("torch", "gvideo.encoder"),
    "gvideo/bitstream": ("torch", "numpy", "gvideo.encoder", "gvideo.decoder"),
}


def imported_names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        for name in imported_names(path):
            for forbidden in FORBIDDEN[package]:
                assert not f"{name}.".startswith(f"{forbidden}."), f"{path} imports {name}"


def test_media_loads_no_torch_and_no_compiler() -> None:
    code = "import sys, gvideo.media; print([m for m in ('torch', 'numba', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_modules_stay_small() -> None:
    for path in (p for name in ("gvideo", "packager", "player") for p in (ROOT / name).rglob("*.py")):
        assert len(path.read_text().splitlines()) <= 450, path


def test_folders_stay_small() -> None:
    folders = [p.parent for name in ("gvideo", "packager", "player") for p in (ROOT / name).rglob("__init__.py")]
    assert len(folders) > 20
    for folder in folders:
        modules = [p for p in folder.glob("*.py") if p.name != "__init__.py"]
        assert len(modules) <= 20, folder


def test_scripts_of_the_page_stay_small_and_ask_no_other_server() -> None:
    scripts = [p for p in (ROOT / "player" / "web").rglob("*") if p.suffix in (".js", ".html", ".css")]
    assert len(scripts) > 20
    for path in scripts:
        lines = path.read_text().splitlines()
        assert len(lines) <= 450, path
        assert max(map(len, lines)) <= (120 if path.suffix == ".js" else 200), path
        for line in lines:
            assert "://" not in line.replace("http://www.w3.org/2000/svg", ""), f"{path}: {line}"
