"""One fragmented MP4 with picture, sound and subtitles.

    ftyp moov sidx | video of segment 1, audio up to its end, text up to its end | segment 2 ... | moof mdat of the rest

The tracks are those of the published folder; subtitles are timed text (tx3g), which FFmpeg and most players read.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

from packager import segmenter
from packager.isobmff import movie
from packager.isobmff.entries import FontTable, TimedTextEntry
from packager.languages import short_tag
from packager.package import Sounds
from packager.segmenter import Rates
from packager.sink import Sink
from packager.subtitles import Cue, CueList
from packager.tracks import Chunk, MediaSample, MediaTrack, TrackSegment

BRANDS = ("iso6", "mp41", "dash")
_TEXT_TIMESCALE = 1000


def text_track(found: CueList, cuts: Sequence[Fraction]) -> MediaTrack:
    """Cues as timed text: one sample at a time, empty ones between cues, cut at the video's cuts."""
    pieces = _text_pieces(found.cues, cuts)
    return MediaTrack(
        "text", _TEXT_TIMESCALE, (TimedTextEntry([FontTable()]),), "tx3g", lambda: iter(pieces),
        language=short_tag(found.language), name=found.name,
    )  # fmt: skip


def _text_pieces(cues: Sequence[Cue], cuts: Sequence[Fraction]) -> list[TrackSegment]:
    bounds = [0, *(round(cut * _TEXT_TIMESCALE) for cut in cuts)]
    marks = sorted({*bounds, *(min(round(t * _TEXT_TIMESCALE), bounds[-1]) for c in cues for t in (c.start, c.end))})
    pieces = []
    for start, end in itertools.pairwise(bounds):
        own = [m for m in marks if start <= m <= end]
        samples = []
        for a, b in itertools.pairwise(own):
            middle = Fraction(a + b, 2 * _TEXT_TIMESCALE)
            text = "\n".join(_plain(c.text) for c in cues if c.start <= middle < c.end).encode()[:65535]
            samples.append(MediaSample(len(text).to_bytes(2, "big") + text, b - a))
        pieces.append(TrackSegment(start, end - start, (Chunk(tuple(samples), 0, start),)))
    return pieces


def _plain(text: str) -> str:
    """Text without the tags and character references of WebVTT."""
    out, within = [], False
    for c in text:
        within = c == "<" or (within and c != ">")
        if not within and c != ">":
            out.append(c)
    return "".join(out).replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", " ").replace("&amp;", "&")


def write_movie(sink: Sink, name: str, video: MediaTrack, sounds: Sounds, cuts: Sequence[Fraction]) -> int:
    """Writes the file; returns its bytes."""
    tracks = [video, *sounds.audio, *(text_track(c, cuts) for c in sounds.subtitles)]
    ids = [1]
    for track in tracks[:-1]:
        ids.append(ids[-1] + track.num_layers)
    sizes: list[int] = []
    durations: list[int] = []
    track_bytes = [0] * len(tracks)
    peaks = [Fraction(0)] * len(tracks)
    for group in _groups(tracks, ids):
        for place, piece, data in group:
            track_bytes[place] += len(data)
            peaks[place] = max(peaks[place], Fraction(8 * len(data) * tracks[place].timescale, max(1, piece.duration)))
        durations.append(group[0][1].duration)
        sizes.append(sum(len(data) for _, _, data in group))
    seconds = Fraction(sum(durations), video.timescale)
    rates = [Rates(math.ceil(p), math.ceil(8 * n / seconds)) for p, n in zip(peaks, track_bytes, strict=True)]
    head = segmenter.format_movie(
        tracks, rates, sum(durations), video.timescale, movie.FileType("ftyp", "iso6", BRANDS)
    ) + segmenter.format_file_index(video, list(zip(sizes, durations, strict=True)))

    def parts() -> Iterator[bytes]:
        yield head
        for group in _groups(tracks, ids):
            yield from (data for _, _, data in group)

    sink.put(name, parts())
    return len(head) + sum(sizes)


def _groups(tracks: Sequence[MediaTrack], ids: Sequence[int]) -> Iterator[list[tuple[int, TrackSegment, bytes]]]:
    """(track, piece, bytes) of everything that belongs to a segment of the video, which comes first."""
    others = [list(track.pieces()) for track in tracks[1:]]
    taken = [0] * len(others)
    segments = list(tracks[0].pieces())
    for number, piece in enumerate(segments, 1):
        data = segmenter.format_segment(tracks[0], piece, number, first_track_id=ids[0], bare=True).data
        group = [(0, piece, data)]
        end = Fraction(piece.start + piece.duration, tracks[0].timescale)
        for k, pieces in enumerate(others):
            track = tracks[k + 1]
            while taken[k] < len(pieces) and (
                number == len(segments)
                or Fraction(pieces[taken[k]].start - track.media_time, track.timescale) < end - Fraction(1, 20)
            ):
                other = pieces[taken[k]]
                taken[k] += 1
                data = segmenter.format_segment(track, other, taken[k], first_track_id=ids[k + 1], bare=True).data
                group.append((k + 1, other, data))
        yield group
