"""Subtitles: cues from WebVTT and SRT files or from the text streams of a video, to WebVTT cut at the video's cuts.

Sources: WebVTT (W3C), SubRip as players read it. A cue that lasts over a cut stands in both segments; players show
equal cues once. X-TIMESTAMP-MAP says that local time 0 is media time 0.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import av.error

from gvideo.errors import MediaError
from gvideo.media.reading.beside import TEXT_CODECS
from packager.languages import language_name, short_tag

_TIME = r"(?:(\d{1,6}):)?(\d{1,2}):(\d{2})[.,](\d{1,3})"
_ARROW = re.compile(rf"^\s*{_TIME}\s*-->\s*{_TIME}(.*)$")
_MAP = "X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000"


@dataclass(frozen=True, slots=True)
class Cue:
    """Text from start to end (s); settings: WebVTT's, such as `line:0`."""

    start: Fraction
    end: Fraction
    text: str
    settings: str = ""


@dataclass(frozen=True, slots=True)
class CueList:
    """All cues of a language."""

    language: str
    name: str
    cues: tuple[Cue, ...]
    styles: tuple[str, ...] = ()


def read_subtitles(path: str | os.PathLike[str], language: str = "") -> CueList:
    """Cues of a .vtt or .srt file."""
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MediaError(f"{path}: subtitles must be UTF-8 text; convert the file first") from None
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror or error})") from error
    cues, styles = parse_cues(text)
    if not cues:
        raise MediaError(f"{path}: holds no cue; WebVTT or SRT wanted")
    tag = short_tag(language or _language_in(path))
    return CueList(tag, language_name(tag), cues, styles)


def _language_in(path: Path) -> str:
    """`film.de.vtt` says its language."""
    parts = path.name.split(".")
    return parts[-2] if len(parts) > 2 and 2 <= len(parts[-2]) <= 3 and parts[-2].isalpha() else "und"


def parse_cues(text: str) -> tuple[tuple[Cue, ...], tuple[str, ...]]:
    """(cues, STYLE blocks) of WebVTT or SRT. Blocks that are neither are left out, as players do."""
    cues, styles = [], []
    for block in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        lines = block.strip("\n").split("\n")
        if lines[0].startswith("STYLE"):
            styles.append("\n".join(lines))
            continue
        for number, line in enumerate(lines[:2]):  # an identifier may stand before the times
            found = _ARROW.match(line)
            if found:
                start, end = _seconds(found.groups()[:4]), _seconds(found.groups()[4:8])
                words = "\n".join(lines[number + 1 :])
                if end > start and words:
                    cues.append(Cue(start, end, words, found.group(9).strip()))
                break
    return tuple(sorted(cues, key=lambda c: (c.start, c.end))), tuple(styles)


def _seconds(groups: Sequence[str | None]) -> Fraction:
    hours, minutes, seconds, thousandths = groups
    assert minutes is not None
    assert seconds is not None
    assert thousandths is not None
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return whole + Fraction(int(thousandths.ljust(3, "0")), 1000)


def subtitles_within(path: str | os.PathLike[str], zero: Fraction) -> list[CueList]:
    """Cues of every text stream of a video file; zero: seconds in its time. Pictures (DVD, Blu-ray) are left out."""
    found = []
    try:
        with av.open(os.path.abspath(path), metadata_errors="ignore") as container:
            streams = [
                s for s in container.streams.subtitles if s.codec_context and s.codec_context.name in TEXT_CODECS
            ]
            cues: dict[int, list[Cue]] = {s.index: [] for s in streams}
            for packet in container.demux(streams) if streams else ():
                if packet.pts is None or not packet.size or packet.time_base is None:
                    continue
                seconds = (packet.duration or 0) * packet.time_base
                cue = cue_of(packet.decode(), packet.pts * packet.time_base - zero, seconds)
                if cue is not None:
                    cues[packet.stream_index].append(cue)
            for stream in streams:
                tag = short_tag(stream.metadata.get("language"))
                name = stream.metadata.get("title") or language_name(tag)
                if cues[stream.index]:
                    found.append(CueList(tag, name, tuple(cues[stream.index])))
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(
            f"{path}: its subtitles cannot be read ({getattr(error, 'strerror', None) or error})"
        ) from error
    return found


def cue_of(lines: Iterable[object], start: Fraction, seconds: Fraction) -> Cue | None:
    """The cue of what FFmpeg decoded, from `start` on for so long; None if nothing would be seen of it."""
    text = "\n".join(_dialogue(line) for line in lines).strip()
    end = start + seconds
    return Cue(max(start, Fraction(0)), end, text) if text and end > start and end > 0 else None


def _dialogue(line: object) -> str:
    """Plain text of a subtitle that FFmpeg hands over as a line of ASS."""
    raw = getattr(line, "dialogue", b"") or b""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    text = re.sub(r"\{[^}]*\}", "", text).replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")
    return re.sub(r"\n{2,}", "\n", text.replace("&", "&amp;").replace("<", "&lt;"))


def format_webvtt(cues: Iterable[Cue], styles: Sequence[str] = (), *, mapped: bool = False) -> bytes:
    """A WebVTT file. mapped: as a segment of HLS, with the map of times."""
    blocks = [f"WEBVTT\n{_MAP}" if mapped else "WEBVTT", *styles]
    for cue in cues:
        settings = f" {cue.settings}" if cue.settings else ""
        blocks.append(f"{_clock(cue.start)} --> {_clock(cue.end)}{settings}\n{cue.text}")
    return ("\n\n".join(blocks) + "\n").encode()


def _clock(seconds: Fraction) -> str:
    thousandths = round(seconds * 1000)
    return (
        f"{thousandths // 3_600_000:02}:{thousandths // 60_000 % 60:02}:{thousandths // 1000 % 60:02}"
        f".{thousandths % 1000:03}"
    )


def cut_cues(cues: Sequence[Cue], cuts: Sequence[Fraction]) -> list[list[Cue]]:
    """The cues that are on screen in every segment; cuts: seconds at which segments end."""
    bounds = [Fraction(0), *cuts]
    return [[c for c in cues if c.start < end and c.end > start] for start, end in itertools.pairwise(bounds)]


def clipped(found: CueList, end: Fraction) -> CueList:
    """Cues that begin before the end of the video."""
    return replace(found, cues=tuple(c for c in found.cues if c.start < end))
