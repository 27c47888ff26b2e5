"""Tracks to files in a sink: first all media, then the playlists, last the manifests that name them.

    v0-1f0c9a22b7/init.mp4 seg_1.m4s seg_2.m4s ...   or   v0-1f0c9a22b7.mp4 (single file)

Names hold a digest of the content, so a file never changes under its name, caches may keep it for ever, and an
interrupted run goes on where it stopped. Files that no manifest names any more stay until somebody removes them:
viewers may still hold the old manifest.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from gvideo.errors import OptionError
from packager import dash, hls, segmenter
from packager.presentation import ByteRange, PublishedPresentation, PublishedSegment, Representation
from packager.segmenter import Rates, SegmentBytes
from packager.sink import Sink
from packager.tracks import MediaTrack

#: Hexadecimal digits of the digest in names.
_DIGITS = 10


@dataclass(frozen=True, slots=True)
class MeasuredTrack:
    """A track's segments, formatted once to know their sizes: what init segments, indices and names depend on."""

    starts: tuple[int, ...]
    durations: tuple[int, ...]
    sizes: tuple[int, ...]
    ends: tuple[tuple[int, ...], ...]
    keys: tuple[tuple[int, int], ...]
    digest: str
    rates: Rates

    @property
    def duration(self) -> int:
        """Ticks of all segments."""
        return sum(self.durations)


def measure(track: MediaTrack, *, bare: bool = False) -> MeasuredTrack:
    """Formats every segment, keeps none."""
    digest = hashlib.sha256()
    starts, durations, sizes, ends, keys = [], [], [], [], []
    for piece, data in _formatted(track, bare):
        starts.append(piece[0])
        durations.append(piece[1])
        sizes.append(len(data.data))
        ends.append(data.ends)
        keys.append(data.key)
        digest.update(data.data)
    if not sizes:
        raise OptionError(f"{track.codecs}: the track holds no segment")
    peak = max(math.ceil(8 * n * track.timescale / d) for n, d in zip(sizes, durations, strict=True))
    rates = Rates(peak, math.ceil(8 * sum(sizes) * track.timescale / sum(durations)))
    digest.update(segmenter.format_init(track, sum(durations), rates))
    return MeasuredTrack(
        tuple(starts), tuple(durations), tuple(sizes), tuple(ends), tuple(keys), digest.hexdigest()[:_DIGITS], rates
    )


def _formatted(track: MediaTrack, bare: bool) -> Iterator[tuple[tuple[int, int], SegmentBytes]]:
    for number, piece in enumerate(track.pieces(), 1):
        yield (piece.start, piece.duration), segmenter.format_segment(track, piece, number, bare=bare)


def publish_track(sink: Sink, track: MediaTrack, name: str, *, single_file: bool = False) -> tuple[Representation, ...]:
    """Writes a track; one representation, or one for every layer, the least first. name: short, unique."""
    bare = single_file and track.num_layers == 1
    m = measure(track, bare=bare)
    init = segmenter.format_init(track, m.duration, m.rates)
    if single_file:
        return _publish_file(sink, track, name, m, init)
    folder = f"{name}-{m.digest}"
    _put_once(sink, f"{folder}/init.mp4", [init])
    uris = [f"{folder}/seg_{n}.m4s" for n in range(1, len(m.sizes) + 1)]
    for uri, (_, data) in zip(uris, _formatted(track, bare), strict=True):
        _put_once(sink, uri, [data.data])
    segments = [
        PublishedSegment(uri, start, duration, size, None, _key(track, 0, key))
        for uri, start, duration, size, key in zip(uris, m.starts, m.durations, m.sizes, m.keys, strict=True)
    ]
    whole = Representation(name, track, f"{folder}/init.mp4", tuple(segments), template=f"{folder}/seg_$Number$.m4s")
    return _rungs(whole, m, [0] * len(segments)) if track.num_layers > 1 else (whole,)


def _publish_file(
    sink: Sink, track: MediaTrack, name: str, m: MeasuredTrack, init: bytes
) -> tuple[Representation, ...]:
    uri = f"{name}-{m.digest}." + ("m4a" if track.kind == "audio" else "mp4")
    layered = track.num_layers > 1
    index = b"" if layered else segmenter.format_file_index(
        track, list(zip(m.sizes, m.durations, strict=True)), earliest=m.starts[0]
    )  # fmt: skip
    segments, offsets, at = [], [], len(init) + len(index)
    for start, duration, size, key in zip(m.starts, m.durations, m.sizes, m.keys, strict=True):
        segments.append(PublishedSegment(uri, start, duration, size, ByteRange(at, size), _key(track, at, key)))
        offsets.append(at)
        at += size

    def parts() -> Iterator[bytes]:
        yield init + index
        for _, data in _formatted(track, not layered):
            yield data.data

    _put_once(sink, uri, parts())
    whole = Representation(
        name, track, uri, tuple(segments), ByteRange(0, len(init)), ByteRange(len(init), len(index)) if index else None
    )
    return _rungs(whole, m, offsets) if layered else (whole,)


def _key(track: MediaTrack, at: int, key: tuple[int, int]) -> ByteRange | None:
    return ByteRange(at + key[0], key[1]) if track.kind == "video" else None


def _rungs(whole: Representation, m: MeasuredTrack, offsets: Sequence[int]) -> tuple[Representation, ...]:
    """A rung for every prefix of the layers; the last fetches whole segments, yet by range like the others."""
    return tuple(
        replace(
            whole,
            id=f"{whole.id}_{layer}",
            template="",
            layer=layer,
            segments=tuple(
                replace(s, num_bytes=ends[layer - 1], place=ByteRange(at, ends[layer - 1]))
                for s, ends, at in zip(whole.segments, m.ends, offsets, strict=True)
            ),
        )
        for layer in range(1, whole.track.num_layers + 1)
    )


def _put_once(sink: Sink, name: str, parts: Iterable[bytes]) -> None:
    """Writes a file whose name says its content, unless an earlier run has."""
    if not sink.exists(name):
        sink.put(name, parts)


def publish_manifests(sink: Sink, presentation: PublishedPresentation) -> None:
    """Writes playlists, then the two manifests; each at once.

    Over an older publication there is a moment in which its master names new playlists. They lead to whole segments
    too, so players go on; only BANDWIDTH may be that of before.
    """
    for name, text in hls.playlists(presentation).items():
        if name != hls.MASTER:
            sink.put(name, [text.encode()])
    sink.put(dash.MANIFEST, [dash.manifest(presentation).encode()])
    sink.put(hls.MASTER, [hls.master_playlist(presentation).encode()])


def scored(fallback: Iterable[Representation], rungs: Iterable[Representation]) -> tuple[Representation, ...]:
    """Rungs with rising scores: the fallback's below all others, each group by its measured rate; the best first."""
    order = [*sorted(fallback, key=_average), *sorted(rungs, key=_average)]
    found = [replace(r, score=float(place)) for place, r in enumerate(order, 1)]
    return tuple(reversed(found))


def _average(r: Representation) -> int:
    return r.average_bps


def check_cuts(rungs: Sequence[tuple[str, Sequence[Fraction]]]) -> None:
    """Raises OptionError unless all rungs, each with its name and its cuts in seconds, are cut alike."""
    name, cuts = rungs[0]
    for other, others in rungs[1:]:
        for number, (a, b) in enumerate(zip(cuts, others, strict=False), 1):
            if a != b:
                raise OptionError(
                    f"{other}: segment {number} ends at {float(b):.3f} s, that of {name} at {float(a):.3f} s; "
                    "encode the rungs together with --ladder"
                )
        if len(cuts) != len(others):
            raise OptionError(f"{other}: {len(others)} segments, {name} has {len(cuts)}; encode both with --ladder")
