"""Documents name files that exist, and their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "deploy/*.md", "gvideo/**/*.md", "samples/*.md", "tests/**/README.md")
    for path in ROOT.glob(pattern)
    if "node_modules" not in path.parts
)
#: Folders whose files documents name with their whole path.
TOP = ("gvideo/", "packager/", "player/", "tests/", "samples/", "docs/", ".ci/", ".github/")


def anchors_of(text: str) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_that_are_named_exist(document):
    named = re.findall(r"`([\w./-]+\.(?:py|js|md|tsv|sh|bin|yml|toml|json))`", document.read_text(encoding="utf-8"))
    missing = [name for name in named if name.startswith(TOP) and not (ROOT / name).exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    text = document.read_text(encoding="utf-8")
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = document if not name else (document.parent / name).resolve()
        lost = (
            anchor
            and target.suffix == ".md"
            and target.exists()
            and anchor not in anchors_of(target.read_text("utf-8"))
        )
        if lost or not target.exists():
            broken.append(link)
    assert broken == []


def test_there_are_documents():
    assert len(DOCUMENTS) > 10
