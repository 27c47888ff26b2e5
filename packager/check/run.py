"""The whole check: HLS, DASH, and where there is a server, its answers."""

from __future__ import annotations

from collections.abc import Iterator

from packager.check.dash_rules import check_dash
from packager.check.hls_rules import check_hls
from packager.check.moments import is_same, read_moment
from packager.check.places import MissingError, Place, open_place
from packager.check.playlists import parse_master
from packager.check.reading import Library
from packager.dash import MANIFEST
from packager.hls import MASTER
from packager.sink import MEDIA_TYPES

#: A presentation with faults that has changed meanwhile is checked again, so often in all.
_TRIES = 4


def check_presentation(place: str) -> tuple[list[str], str]:
    """Checks a published folder as a client gets it: playlists, manifest, boxes and sizes agree.

    Args:
        place: a folder or a URL.

    Returns:
        (faults, a line a fault; what was read, in words).

    Raises:
        MediaError: there is no such place.

    Example:
        >>> _ = packager.package_streams(packager.open_rungs(["clip.gsv"]), packager.open_sink("stream"))
        >>> packager.check_presentation("stream")[0]
        []
    """
    opened = open_place(place)
    moment = read_moment(opened)
    for _ in range(_TRIES):
        library = Library(opened, moment)
        found = [*check_hls(library), *check_dash(library), *_server_faults(opened, library)]
        faults = list(dict.fromkeys([*library.faults, *found]))
        # files that a publisher was about to replace at that moment: its next one is whole
        before, moment = moment, read_moment(opened) if faults else moment
        if is_same(before, moment):
            break
    return faults, f"{library.num_segments} segment(s) and prefixes of segments"


def _server_faults(place: Place, library: Library) -> Iterator[str]:
    """Types, CORS and compression, on the manifests and one media playlist."""
    names = [MASTER, MANIFEST]
    master = library.text(MASTER)
    if master:
        names += [uri for _, uri in parse_master(master).variants[:1]]
    for name in names:
        try:
            headers = place.headers(name)
        except MissingError:
            continue  # noted where it was read
        if headers is None:
            return
        wanted = MEDIA_TYPES["." + name.rpartition(".")[2]]
        if headers.get("Content-Type", "").split(";")[0] != wanted:
            yield f"{name}: Content-Type {headers.get('Content-Type')}, {wanted} wanted [Apple 10.4]"
        if headers.get("Access-Control-Allow-Origin") != "*":
            yield f"{name}: Access-Control-Allow-Origin is not *"
        if headers.get("Content-Encoding") != "gzip":
            yield f"{name}: is not compressed for clients that accept gzip [Apple 10.1]"
