"""The page of licences lists every package that an install brings, and none whose licence forbids what gvideo does."""

from __future__ import annotations

import re

import licences
import pytest

#: Words of licences under which a package may be imported and gvideo stay under its own.
ALLOWED = re.compile(r"BSD|MIT|Apache|MPL-2\.0|PSF|LGPL|0BSD|Zlib|CC0|ISC|BSL|HPND|Unlicense")


def rows() -> dict[str, tuple[str, str]]:
    """Package to (extra, licence) of the page's first table."""
    text = licences.PAGE.read_text("utf-8").partition(licences.BEGIN)[2].partition("Behind these")[0]
    found = re.findall(r"^\| ([\w.-]+) \| `gvideo(?:\[(\w+)\])?` \| (.+) \|$", text, re.MULTILINE)
    return {name: (extra, licence) for name, extra, licence in found}


def test_every_package_is_listed():
    assert {name: extra for name, (extra, _) in rows().items()} == licences.direct()


def test_licences_allow_it():
    refused = {name: licence for name, (_, licence) in rows().items() if not ALLOWED.search(licence)}
    assert refused == {}


@pytest.mark.parametrize("name", ["numpy", "av", "uvicorn"])
def test_packages_say_what_the_page_says(name):
    """Of some that are always installed; versions may word it otherwise."""
    (found,) = [d for n, d in licences.behind([name]).items() if n == name]
    assert licences.licence_of(found).split("-")[0] == rows()[name][1].split("-")[0]
