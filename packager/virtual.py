"""Manifests in which every rung of a layered file has names of its own, `r2/v0-.../seg_7.m4s`, for clients that know
no byte ranges; the server answers them with the first layers of the segment (server/files.py).

Such a presentation is plain SegmentTemplate and plain HLS; caches keep every rung apart.
"""

from __future__ import annotations

from dataclasses import replace

from packager import dash, hls
from packager.presentation import PublishedPresentation, Representation
from packager.sink import Sink

SUFFIX = "_rungs"
MASTER, MANIFEST = f"master{SUFFIX}.m3u8", f"manifest{SUFFIX}.mpd"


def has_rungs(p: PublishedPresentation) -> bool:
    """Whether there is a layered representation in one file a segment."""
    return any(r.layer is not None and r.init_place is None for r in p.video)


def virtual(p: PublishedPresentation) -> PublishedPresentation:
    """The same presentation with names for the rungs of layered files."""
    return replace(p, video=tuple(_named(r) for r in p.video))


def _named(r: Representation) -> Representation:
    if r.layer is None or r.init_place is not None:
        return r
    folder = r.init.rpartition("/")[0]
    return replace(
        r,
        id=f"{r.id}{SUFFIX}",
        layer=None,
        template=f"r{r.layer}/{folder}/seg_$Number$.m4s",
        segments=tuple(replace(s, uri=f"r{r.layer}/{s.uri}", place=None, key=None) for s in r.segments),
    )


def publish_virtual(sink: Sink, p: PublishedPresentation) -> None:
    """Writes the additional playlists and manifests."""
    named = virtual(p)
    for r in named.video:
        if r.id.endswith(SUFFIX):
            sink.put(hls.media_name(r), [hls.media_playlist(r).encode()])
    sink.put(MANIFEST, [dash.manifest(named).encode()])
    sink.put(MASTER, [hls.master_playlist(named).encode()])
