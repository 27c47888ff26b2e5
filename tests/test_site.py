"""The documentation site builds without a warning, with every page and every public name; lost links are warnings."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import gvideo

pytest.importorskip("mkdocs")
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(target)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return target


def test_every_page_of_the_contents_is_there(site):
    named = re.findall(r": ([\w/]+)\.md$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert len(named) > 20
    for name in named:
        page = site / ("index.html" if name == "index" else f"{name.removesuffix('/index')}/index.html")
        assert page.stat().st_size > 1000, name


def test_the_reference_has_every_public_name(site):
    text = (site / "api" / "index.html").read_text()
    names = [name for name in gvideo.__all__ if not isinstance(getattr(gvideo, name), ModuleType)]
    for name in [*names, "VideoDecoder.get_frames_played_in_range"]:
        assert f'id="gvideo.{name}"' in text, name


def test_results_and_examples_are_on_it(site):
    assert (site / "results" / "0.1.0" / "speed.tsv").read_bytes() == (
        ROOT / "docs" / "results" / "0.1.0" / "speed.tsv"
    ).read_bytes()
    assert "DataLoader" in (site / "examples" / "index.html").read_text()


def test_links_between_files_become_links_between_pages():
    pytest.importorskip("mkdocs.structure.files")
    spec = importlib.util.spec_from_file_location("site_hook", ROOT / "docs" / "site.py")
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)

    class Known:
        pages = ("rates.md", "index.md", "syntax.md", "tutorials/encode.md", "results/0.1.0/index.md")

        def get_file_from_path(self, path):
            return path if path in self.pages else None

    warned = []
    hook._log.warning = lambda *words: warned.append(words)
    assert hook._link("docs/rates.md#layers", "README.md", "index.md", Known()) == "rates.md#layers"
    assert hook._link("../README.md", "docs/rates.md", "rates.md", Known()) == "index.md"
    assert hook._link("../../README.md", "docs/tutorials/encode.md", "tutorials/encode.md", Known()) == "../index.md"
    assert hook._link("results/0.1.0", "docs/rates.md", "rates.md", Known()) == "results/0.1.0/index.md"
    assert hook._link("https://example.org/a", "README.md", "index.md", Known()) == "https://example.org/a"
    assert warned == []
    hook._link("docs/none.md", "README.md", "index.md", Known())
    assert len(warned) == 1
