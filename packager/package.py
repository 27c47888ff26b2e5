"""Streams, sound and subtitles to a published folder, or to one fragmented MP4 file: the order of the work.

.gsv rungs + fallback track + audio + subtitles + pictures --> files in a sink --> PublishedPresentation --> manifests
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from gvideo.errors import MediaError, OptionError
from packager.audio import audio_tracks, has_audio
from packager.gsv import GsvFile
from packager.pictures import PreviewPictures, publish_pictures
from packager.presentation import PublishedPresentation, Representation, Subtitles, SubtitleSegment
from packager.publish import check_cuts, publish_manifests, publish_track, scored
from packager.sink import Sink
from packager.subtitles import CueList, clipped, cut_cues, format_webvtt, read_subtitles, subtitles_within
from packager.tracks import MediaTrack
from packager.virtual import has_rungs, publish_virtual


@dataclass(frozen=True, slots=True)
class Extras:
    """What goes with the video.

    Args:
        source: the file that the streams were encoded from, whose sound and subtitles are taken, in its own time.
        audio: (file, language or "") of further files that begin with the first frame.
        subtitles: (file, language or "") of .vtt or .srt files that begin with the first frame.
        single_file: a file a representation, with byte ranges, not one a segment.
        title: of the whole.

    Example:
        >>> packager.Extras(title="Clip").single_file
        False
    """

    source: Path | None = None
    audio: tuple[tuple[Path, str], ...] = ()
    subtitles: tuple[tuple[Path, str], ...] = ()
    single_file: bool = False
    title: str = ""


@dataclass(frozen=True, slots=True)
class Sounds:
    """Tracks and cues that were read for a presentation."""

    audio: tuple[MediaTrack, ...]
    subtitles: tuple[CueList, ...]


def open_rungs(paths: Sequence[str | os.PathLike[str]]) -> list[GsvFile]:
    """The streams of a ladder.

    Args:
        paths: .gsv files of the same content, the best first.

    Returns:
        A GsvFile each, in the same order.

    Raises:
        OptionError: there is none, or they are not cut alike.
        BitstreamError: one is damaged.

    Example:
        >>> [rung.header.width for rung in packager.open_rungs(["clip.gsv"])]
        [64]
    """
    if not paths:
        raise OptionError("package: no stream given")
    rungs = [GsvFile(path) for path in paths]
    check_cuts([(str(r.path), r.cuts) for r in rungs])
    return rungs


def read_sounds(rung: GsvFile, extras: Extras) -> Sounds:
    """Sound and subtitles of all sources, with the stream's zero and cuts."""
    zero = Fraction(rung.start, rung.header.timescale)
    end = rung.cuts[-1]
    audio: list[MediaTrack] = []
    cues: list[CueList] = []
    if extras.source is not None:
        if not extras.source.is_file():
            raise MediaError(f"{extras.source}: no such file")
        if has_audio(extras.source):
            audio += audio_tracks(extras.source, zero, rung.cuts)
        cues += subtitles_within(extras.source, zero)
    for path, language in extras.audio:
        audio += audio_tracks(path, Fraction(0), rung.cuts, language=language)
    cues += [read_subtitles(path, language) for path, language in extras.subtitles]
    shown = (clipped(c, end) for c in cues)
    codecs = {t.codecs for t in audio}
    if len(codecs) > 1:
        raise OptionError(
            f"--audio: all audio must have one codec, these have {', '.join(sorted(codecs))}; convert some"
        )
    return Sounds(_distinct(audio), tuple(c for c in shown if c.cues))


def _distinct(tracks: Sequence[MediaTrack]) -> tuple[MediaTrack, ...]:
    """Tracks with names that differ: players list them by name."""
    seen: dict[str, int] = {}
    found = []
    for track in tracks:
        seen[track.name] = seen.get(track.name, 0) + 1
        again = seen[track.name]
        found.append(track if again == 1 else replace(track, name=f"{track.name} {again}"))
    return tuple(found)


def package_streams(
    rungs: Sequence[GsvFile],
    sink: Sink,
    extras: Extras | None = None,
    *,
    fallback: Sequence[MediaTrack] = (),
    pictures: PreviewPictures | None = None,
) -> PublishedPresentation:
    """Writes a presentation, manifests last, each at once.

    Args:
        rungs: of open_rungs.
        sink: where files go, of open_sink.
        extras: sound, subtitles, title.
        fallback: H.264 tracks with the same cuts.
        pictures: for a poster and thumbnails.

    Returns:
        A PublishedPresentation: the record of what was written.

    Raises:
        OptionError: the ladder does not fit together.
        MediaError: a file cannot be read or written.
        BitstreamError: a stream is damaged.

    Example:
        >>> presentation = packager.package_streams(packager.open_rungs(["clip.gsv"]), packager.open_sink("stream"))
        >>> presentation.duration
        Fraction(8, 5)
    """
    extras = extras or Extras()
    sounds = read_sounds(rungs[0], extras)
    coded: list[Representation] = []
    for number, rung in enumerate(rungs):
        coded += publish_track(sink, rung.track(), f"v{number}", single_file=extras.single_file)
    known = [
        rung
        for number, track in enumerate(fallback)
        for rung in publish_track(sink, track, f"f{number}", single_file=extras.single_file)
    ]
    audio = [
        publish_track(sink, track, f"a{number}", single_file=extras.single_file)[0]
        for number, track in enumerate(sounds.audio)
    ]
    cuts = rungs[0].cuts
    subtitles = [_publish_cues(sink, cues, f"s{number}", cuts) for number, cues in enumerate(sounds.subtitles)]
    thumbnails = publish_pictures(sink, pictures) if pictures else None
    presentation = PublishedPresentation(
        scored(known, coded), tuple(audio), tuple(subtitles), thumbnails, title=extras.title
    )
    if has_rungs(presentation):
        publish_virtual(sink, presentation)
    publish_manifests(sink, presentation)
    return presentation


def _publish_cues(sink: Sink, found: CueList, name: str, cuts: Sequence[Fraction]) -> Subtitles:
    whole = format_webvtt(found.cues, found.styles)
    sink.put(f"{name}/all.vtt", [whole])
    segments = []
    start = Fraction(0)
    for number, (cues, end) in enumerate(zip(cut_cues(found.cues, cuts), cuts, strict=True), 1):
        uri = f"{name}/seg_{number}.vtt"
        sink.put(uri, [format_webvtt(cues, found.styles, mapped=True)])
        segments.append(SubtitleSegment(uri, end - start))
        start = end
    return Subtitles(name, found.language, found.name, f"{name}/all.vtt", tuple(segments), len(whole))
