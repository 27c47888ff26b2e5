"""The tables of docs/licences.md: what gvideo brings along when it is installed, and under which licences.

    python tests/licences.py            prints them, of the packages that are installed here
    python tests/licences.py --write    puts them into docs/licences.md

Versions are left out: the page is about names and licences, which tests/test_licences.py compares with pyproject.toml.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "licences.md"
#: Extras that users install; those of developers are not shipped.
EXTRAS = ("encode", "cuda", "eval", "server", "store", "cluster", "play")
BEGIN, END = "<!-- begin: python tests/licences.py --write -->", "<!-- end -->"
#: Words of classifiers and of free text, as SPDX has them.
SPDX = {
    "Apache Software License": "Apache-2.0", "Apache 2.0": "Apache-2.0", "BSD License": "BSD", "MIT License": "MIT",
    "3-Clause BSD License": "BSD-3-Clause", "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "GNU Library or Lesser General Public License (LGPL)": "LGPL", "OSI Approved; MIT License": "MIT",
}  # fmt: skip


def canonical(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def direct() -> dict[str, str]:
    """Packages that pyproject.toml names, and the extra that brings them, "" of all installs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lists = {"": project["dependencies"], **{e: project["optional-dependencies"][e] for e in EXTRAS}}
    found: dict[str, str] = {}
    for extra, requirements in lists.items():
        for requirement in requirements:
            name = canonical(Requirement(requirement).name)
            if name != "gvideo":
                found.setdefault(name, extra)
    return found


def licence_of(found: Distribution) -> str:
    """As the package says it, in SPDX's words where they are known."""
    said = found.metadata.get("License-Expression")
    if not said:
        classifiers = found.metadata.get_all("Classifier") or []
        kinds = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith("License ::")]
        said = "; ".join(kinds) or (found.metadata.get("License") or "").strip().partition("\n")[0]
    return SPDX.get(said, said) or "not said"


def behind(names: list[str]) -> dict[str, Distribution]:
    """The installed packages of these names and all that they need here."""
    found: dict[str, Distribution] = {}
    while names:
        name = canonical(names.pop())
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            print(f"{name} is not installed; left out", file=sys.stderr)
            continue
        for line in found[name].requires or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                names.append(requirement.name)
    return found


def tables() -> str:
    """Both tables in Markdown."""
    named = direct()
    installed = behind(list(named))
    lines = ["| package | comes with | licence |", "|---|---|---|"]
    for name, extra in named.items():
        if name in installed:
            comes = f"`gvideo[{extra}]`" if extra else "`gvideo`"
            lines.append(f"| {name} | {comes} | {licence_of(installed[name])} |")
    lines += ["", "Behind these:", "", "| licence | packages |", "|---|---|"]
    others: dict[str, list[str]] = {}
    for name, found in sorted(installed.items()):
        if name not in named:
            others.setdefault(licence_of(found), []).append(name)
    lines += [f"| {licence} | {', '.join(names)} |" for licence, names in sorted(others.items())]
    return "\n".join(lines)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true")
    found = tables()
    if parser.parse_args().write:
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{found}\n\n{END}{rest.partition(END)[2]}", "utf-8")
    else:
        print(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
