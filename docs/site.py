"""What the documentation site takes from outside docs/: README, SYNTAX.md and others as pages, folders as lists.

Documents link to each other as files of the repository. Links that lead out of docs/ are turned to the pages made of
their targets; one that leads to nothing on the site is a warning, which `mkdocs build --strict` does not let through.
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
#: Page of the site -> file of the repository.
PAGES = {
    "index.md": "README.md",
    "changes.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "syntax.md": "gvideo/bitstream/SYNTAX.md",
    "samples.md": "samples/README.md",
    "deploy.md": "deploy/README.md",
    "corpus.md": "tests/corpus/README.md",
    "licence.md": "LICENSE",
}
#: Folders of results that get a page with their files, by their place in docs/.
FOLDERS = [path for path in (ROOT / "docs" / "results").rglob("*") if path.is_dir()] + [ROOT / "docs" / "results"]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_log = logging.getLogger("mkdocs.hooks.site")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds the pages that come from elsewhere."""
    for page, source in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text("utf-8")))
    for folder in FOLDERS:
        name = folder.relative_to(ROOT / "docs").as_posix()
        lines = [f"# {name}\n", *sorted(f"- [{p.name}]({p.name}{_index(p)})" for p in folder.iterdir())]
        files.append(File.generated(config, f"{name}/index.md", content="\n".join(lines) + "\n"))
    scripts = sorted((ROOT / "examples").glob("*.py"))
    parts = [f"## {path.stem.replace('_', ' ')}\n\n```python\n{path.read_text('utf-8')}```\n" for path in scripts]
    files.append(File.generated(config, "examples.md", content="\n".join(["# Examples\n", *parts])))
    return files


def _index(path: Path) -> str:
    return "/index.md" if path.is_dir() else ""


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns links between files of the repository into links between pages."""
    uri = page.file.src_uri
    source = PAGES.get(uri, f"docs/{uri}")
    return _LINK.sub(lambda found: f"]({_link(found[1], source, uri, files)})", markdown)


def _link(link: str, source: str, uri: str, files: Files) -> str:
    if re.match(r"\w+:|#", link):
        return link
    name, mark, anchor = link.partition("#")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), name))
    page = next((p for p, file in PAGES.items() if file == target), None) or target.removeprefix("docs/")
    if target == "examples":
        page = "examples.md"
    elif (ROOT / target).is_dir():
        page = f"{page}/index.md"
    if files.get_file_from_path(page) is None:
        _log.warning("%s: %s is not on the site", source, link)
    return posixpath.relpath(page, posixpath.dirname(uri) or ".") + mark + anchor
