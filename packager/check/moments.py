"""Playlists and manifest of a presentation as they were at one moment, also while it grows.

    all of them ─ the same? ─ all again ─ the same? ─ all again
                   └ no: one was changed between      └ yes: there was a moment when all were so

Parts do not count: they come several times a second, and no rule compares those of one playlist with another's.
"""

from __future__ import annotations

from collections.abc import Mapping

from gvideo.errors import InvalidError
from packager.check.places import MissingError, Place
from packager.check.playlists import parse_master
from packager.dash import MANIFEST
from packager.hls import MASTER
from packager.playlist_variables import substitute

#: Files by name, or why they cannot be read.
Moment = Mapping[str, str | MissingError]
#: A presentation that never is twice the same is taken as it was then.
_MOST_READINGS = 8
_OF_PARTS = ("#EXT-X-PART:", "#EXT-X-PRELOAD-HINT:", "#EXT-X-RENDITION-REPORT:")


def read_moment(place: Place) -> Moment:
    """The master playlist, what it names, and the manifest."""
    found = _read(place)
    for _ in range(_MOST_READINGS - 1):
        before, found = found, _read(place)
        if is_same(before, found):
            break
    return found


def is_same(one: Moment, other: Moment) -> bool:
    """Whether nothing was published between two moments, but for parts."""
    return {n: _lasting(t) for n, t in one.items()} == {n: _lasting(t) for n, t in other.items()}


def _lasting(text: str | MissingError) -> str | list[str]:
    if isinstance(text, MissingError):
        return str(text)
    return [line for line in text.splitlines() if not line.startswith(_OF_PARTS)]


def _read(place: Place) -> dict[str, str | MissingError]:
    found = {name: read_text(place, name) for name in (MASTER, MANIFEST)}
    found[MASTER], variables = _substituted(MASTER, found[MASTER], {})
    text = found[MASTER]
    if isinstance(text, MissingError):
        return found
    master = parse_master(text)
    names = [uri for _, uri in master.variants] + [a.get("URI", "") for a in (*master.renditions, *master.keys)]
    for name in dict.fromkeys(names):
        if name:
            found[name], _ = _substituted(name, read_text(place, name), variables)
    return found


def _substituted(
    name: str, text: str | MissingError, imported: Mapping[str, str]
) -> tuple[str | MissingError, Mapping[str, str]]:
    """A playlist with its variables in place, and these; why not, where one has no value."""
    if isinstance(text, MissingError):
        return text, {}
    try:
        return substitute(text, name, imported)
    except InvalidError as error:
        return MissingError(str(error)), {}


def read_text(place: Place, name: str) -> str | MissingError:
    """A text file, or why it is not there."""
    try:
        return place.read(name).decode("utf-8", "replace")
    except MissingError as error:
        return error
