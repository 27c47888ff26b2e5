"""What is fuzzed: honest inputs of each kind, how they are changed, and the readers that get them.

A case is bytes whatever its kind, so that a finding is one file:

    gsv       a stream                          segments  length of the init segment u32 | init | media segment
    mp4       a file                            hls, dash name of the changed file of a folder | NUL | its content
"""

from __future__ import annotations

import contextlib
import io
import shutil
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import fuzz_mutations as mutations
from fuzz_mutations import Rng
from packaged import write_clip
from streams import make_stream, shared_header
from test_damage import GRAINED

from gvideo import VideoDecoder
from gvideo.bitstream import units
from gvideo.bitstream.headers import SequenceHeader
from gvideo.cli import main
from gvideo.decoder.survey import survey, trace
from gvideo.errors import BitstreamError, GVideoError
from packager.check import check_presentation
from packager.check.media import read_init as check_init
from packager.check.media import read_segment as check_segment
from player.presentation.captions import read_captions
from player.source import boxes
from player.source.fetch import Fetcher
from player.source.stream import open_stream, read_presentation

BINARY_WORDS = [*mutations.BOXES, units.SIGNATURE, b"\xff" * 9, b"\0" * 16, b"\x80" * 11, b"\0\0\0\x01", b"\0\0\0\0"]
_WORDS = """\
#EXTM3U|#EXT-X-ENDLIST|#EXT-X-DISCONTINUITY|#EXT-X-GAP|#EXTINF:|#EXTINF:nan,|#EXTINF:-1,|#EXT-X-MAP:|
#EXT-X-MAP:URI=""|#EXT-X-MAP:URI="/dev/zero"|#EXT-X-BYTERANGE:9999999999@|#EXT-X-KEY:METHOD=AES-128,URI="k"|
#EXT-X-STREAM-INF:|#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=x|#EXT-X-MEDIA:TYPE=AUDIO,URI="a"|
#EXT-X-PROGRAM-DATE-TIME:x|#EXT-X-DATERANGE:ID="x",START-DATE="y"|#EXT-X-PART:DURATION=x|#EXT-X-SKIP:SKIPPED=-1|
#EXT-X-MEDIA-SEQUENCE:-5|#EXT-X-TARGETDURATION:1e9|#EXT-X-DISCONTINUITY-SEQUENCE:x|#EXT-X-DEFINE:NAME="a"|
#EXT-X-SERVER-CONTROL:|#EXT-X-CUE-OUT:|#EXT-X-TILES:|#EXT-X-START:TIME-OFFSET=|#EXT-X-VERSION:|
/dev/zero|/dev/null|/|.|..|%00|%|%ff|http://127.0.0.1:1/x|http://[|file:///etc/passwd|data:,x||\0|٣|a"b|
<Period/>|<Period start="PT1S" duration="PT1S">|</Period>|<BaseURL>http://[</BaseURL>|<BaseURL>../</BaseURL>|
<SegmentTimeline><S d="1" r="-1"/></SegmentTimeline>|<S d="1" r="4294967295"/>|<S d="0"/>|<S/>|<!-- x -->|
<SegmentBase indexRange="0-1"/>|<SegmentBase indexRange="-"/>|<Initialization range="5-1"/>|<SegmentList/>|
<SegmentTemplate media="$Number%099d$"/>|<!DOCTYPE a [<!ENTITY b "c">]>|&b;|<?x?>|<AdaptationSet/>|<SegmentURL/>|
<Representation/>|type="dynamic"|availabilityStartTime="x"|mediaPresentationDuration="P9999999D"|r="99999999999"|
#EXT-X-DEFINE:NAME="a",VALUE="b"|#EXT-X-DEFINE:IMPORT="a"|#EXT-X-DEFINE:QUERYPARAM="a"|{$a}|{$|?a=1|
startNumber="-1"|presentationTimeOffset="-1"|timescale="0"|PT0S|P1Y|$Time$|$RepresentationID$|$Bandwidth%02d$|
indexRange="5-"|mediaRange="x-y"|duration="0"|endNumber="99999999999"|id="x"|id="1"|codecs=""|NONE|YES"""
TEXT_WORDS = [w.strip("\n").encode() for w in _WORDS.split("|")]


@dataclass(frozen=True)
class Target:
    """seeds: honest cases. mutate: one change of a case. read: raises whatever the readers raise. documented: what they
    may. folder: of the files beside, for readers in other languages."""

    seeds: list[bytes]
    mutate: Callable[[bytes, Rng, Sequence[bytes]], bytes]
    read: Callable[[bytes], None]
    documented: tuple[type[Exception], ...]
    folder: Path


def streams() -> list[bytes]:
    """Streams of every kind."""
    made = [
        make_stream(num_segments=2, num_layers=3, count=12),
        make_stream(count=8, index=True, durations=(40, 41, 39, 40, 40, 40), extra_units=True),
        make_stream(count=12, sequence=shared_header(1)),
        make_stream(count=30, num_control=6, refinement=7, num_trajectories=9, num_frames=20),
        GRAINED,
    ]
    return [m.data for m in made]


def gsv(folder: Path) -> Target:
    """Streams through VideoDecoder, and through what `gvideo info` asks for."""

    def mutate(case: bytes, rng: Rng, seeds: Sequence[bytes]) -> bytes:
        change = mutations.unit_parts if rng.random() < 0.75 else mutations.blind
        return change(case, rng, seeds, BINARY_WORDS)

    def read(case: bytes) -> None:
        decoder = VideoDecoder(case)
        list(trace(decoder.stream))
        survey(decoder.stream)
        draw(case)

    return Target(streams(), mutate, read, (BitstreamError,), folder)


def segments(folder: Path) -> Target:
    """Init and media segments: the player's reader, what it hands on to the decoder, and the rules of --check."""
    published = publish(folder)
    pairs = []
    for part in sorted({p.parent for p in published.rglob("*.m4s")}):
        inits = sorted(part.glob("*init*.mp4"))
        pairs += [(inits[0], media) for media in sorted(part.glob("*.m4s"))[:2] if inits]
    seeds = [joined(init.read_bytes(), media.read_bytes()) for init, media in pairs]

    def mutate(case: bytes, rng: Rng, others: Sequence[bytes]) -> bytes:
        first = rng.random() < 0.4
        parts = list(parted(case))
        change = mutations.boxes if rng.random() < 0.7 else mutations.blind
        parts[not first] = change(parts[not first], rng, [parted(o)[not first] for o in others], BINARY_WORDS)
        return joined(*parts)

    def read(case: bytes) -> None:
        first, media = parted(case)
        facts = check_init(first)
        check_segment(media, facts)
        init = boxes.read_init(first)
        for size in (64, 1024, len(media)):
            with contextlib.suppress(BitstreamError):
                boxes.read_head(media[:size], init, 64)
        draw(units.SIGNATURE + init.sequence_unit + b"".join(boxes.read_units(media, init)))

    return Target(seeds, mutate, read, (BitstreamError,), folder)


def joined(init: bytes, media: bytes) -> bytes:
    """A case of two segments."""
    return len(init).to_bytes(4, "big") + init + media


def parted(case: bytes) -> tuple[bytes, bytes]:
    """The two segments of a case."""
    size = int.from_bytes(case[:4], "big")
    return case[4 : 4 + size], case[4 + size :]


def mp4(folder: Path) -> Target:
    """Single files, with sound and without, through the reader of files."""
    paths = [folder / "plain.mp4", folder / "sound.mp4"]
    best, small = sources(folder)
    _run("package", best, "-o", paths[0])
    _run("package", small, "-o", paths[1], "--source", write_clip(folder / "clip.mp4", 1.0))
    place = folder / "case.mp4"

    def mutate(case: bytes, rng: Rng, seeds: Sequence[bytes]) -> bytes:
        change = mutations.boxes if rng.random() < 0.7 else mutations.blind
        return change(case, rng, seeds, BINARY_WORDS)

    def read(case: bytes) -> None:
        place.write_bytes(case)
        read_presentation(str(place), Fetcher(), kinds=("video", "audio"))
        decode_first(place)

    return Target([p.read_bytes() for p in paths], mutate, read, (GVideoError,), folder)


def hls(folder: Path) -> Target:
    """Playlists of a folder: the player's reader and the rules of --check."""
    return _manifests(folder, ".m3u8")


def dash(folder: Path) -> Target:
    """MPDs of a folder: the player's reader and the rules of --check."""
    return _manifests(folder, ".mpd")


def _manifests(folder: Path, suffix: str) -> Target:
    published = publish(folder)
    names = sorted(p for p in published.rglob("*" + suffix))
    seeds = [str(p.relative_to(published)).encode() + b"\0" + p.read_bytes() for p in names]
    seeds += [s for s in foreign(suffix) for _ in range(2)]

    def mutate(case: bytes, rng: Rng, others: Sequence[bytes]) -> bytes:
        name, _, content = case.partition(b"\0")
        change = mutations.text if rng.random() < 0.85 else mutations.blind
        return name + b"\0" + change(content, rng, [o.partition(b"\0")[2] for o in others], TEXT_WORDS)

    def read(case: bytes) -> None:
        name, _, content = case.partition(b"\0")
        place = published / name.decode()
        before = place.read_bytes()
        try:
            place.write_bytes(content)
            check_presentation(str(place.parent))
            fetcher = Fetcher(attempts=1, timeout_seconds=0.2)
            found, _ = read_presentation(str(place), fetcher, kinds=("video", "audio", "subtitles"))
            for seconds in (found.target_seconds, found.update_seconds, found.delay_seconds):
                float(seconds)
            for track in found.tracks:
                sum(float(s.seconds) + float(s.origin) for s in track.segments)
            decode_first(place)
        finally:
            place.write_bytes(before)

    return Target(seeds, mutate, read, (GVideoError,), published)


def foreign(suffix: str) -> list[bytes]:
    """Manifests with what ours do not use: the files that they name need not exist."""
    found = {
        ".m3u8": [
            "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-DISCONTINUITY-SEQUENCE:2\n"
            '#EXT-X-MAP:URI="a.mp4",BYTERANGE="700@0"\n#EXTINF:2.5,title\n#EXT-X-BYTERANGE:500@700\na.mp4\n'
            "#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:00:00Z\n#EXTINF:2.5,\n"
            "#EXT-X-BYTERANGE:500\na.mp4\n#EXT-X-GAP\n#EXTINF:1,\nb.m4s\n",
            '#EXTM3U\n#EXT-X-VERSION:11\n#EXT-X-DEFINE:NAME="a",VALUE="v1"\n'
            '#EXT-X-STREAM-INF:BANDWIDTH=9,CODECS="gsv1.00.10.08"\n{$a}.m3u8?x={$a}\n',
        ],
        ".mpd": [
            '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime="2024-01-01T00:00:00Z" '
            'timeShiftBufferDepth="PT20S" minimumUpdatePeriod="PT2S"><Period id="0" start="PT0S" duration="PT10S">'
            '<AdaptationSet contentType="video" mimeType="video/mp4"><SegmentTemplate duration="2" startNumber="1" '
            'initialization="$RepresentationID$/i.mp4" media="$RepresentationID$/$Number%05d$.m4s"/>'
            '<Representation id="a" bandwidth="9" codecs="gsv1"/></AdaptationSet></Period><Period id="1">'
            '<AdaptationSet contentType="video"><SegmentList timescale="10" duration="20"><Initialization '
            'sourceURL="i.mp4"/><SegmentURL media="1.m4s"/><SegmentURL media="2.m4s"/></SegmentList>'
            '<Representation id="a" bandwidth="9" codecs="gsv1"/></AdaptationSet></Period></MPD>'
        ],
    }
    name = {".m3u8": "master.m3u8", ".mpd": "manifest.mpd"}[suffix]
    return [name.encode() + b"\0" + text.encode() for text in found[suffix]]


def captions(folder: Path) -> Target:
    """WebVTT as the player reads it."""
    seed = b"""WEBVTT
X-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000

one
00:00.500 --> 00:01.500 line:0
Hello <i>there</i> &amp; you

01:00:00.000 --> 01:00:02.000
Two
lines
"""

    def mutate(case: bytes, rng: Rng, seeds: Sequence[bytes]) -> bytes:
        return mutations.text(case, rng, seeds, TEXT_WORDS)

    def read(case: bytes) -> None:
        read_captions(case.decode("utf-8", "replace"))

    # Captions._read notes both, and shows no cue
    return Target([seed], mutate, read, (GVideoError, ValueError), folder)


def draw(data: bytes) -> None:
    """The first, the middle and the last frame of a stream, small whatever its header says."""
    decoder = VideoDecoder(data, size=(48, 32))
    wanted = [0, len(decoder) // 2, len(decoder) - 1]
    if max(decoder.stream.header.width, decoder.stream.header.height) <= 1024:
        assert decoder.get_frames_at(wanted).data.shape == (3, 3, 32, 48)
    else:
        for number in {0, len(decoder.stream.segments) - 1}:
            decoder.stream.decode_segment(number)
    assert decoder.metadata.duration_seconds > 0
    assert len(decoder.pts) == len(decoder)


def decode_first(place: Path) -> None:
    """The first segment of a published stream."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stream = open_stream(place, fetcher=Fetcher(attempts=1, timeout_seconds=0.2))
        stream.decode_segment(0)


def sources(folder: Path) -> tuple[Path, Path]:
    """A layered stream and a small one with the same times."""
    best, small = folder / "best.gsv", folder / "small.gsv"
    sequence = SequenceHeader(48, 32, 1000, 40, matrix=6, primaries=6, transfer=6)
    best.write_bytes(make_stream(num_segments=3, num_layers=3, count=30, sequence=sequence).data)
    small.write_bytes(make_stream(num_segments=3, count=8, seed=1, sequence=sequence).data)
    return best, small


def publish(folder: Path) -> Path:
    """A folder published a file a segment, with one published a file a rung in it."""
    best, small = sources(folder)
    out = folder / "published"
    text = folder / "en.vtt"
    text.write_text("WEBVTT\n\n00:00.000 --> 00:00.400\nHello\n")
    _run("package", best, small, "-o", out, "--subtitles", text)
    _run("package", best, small, "-o", out / "single", "--single-file")
    return out


def _run(*words: object) -> None:
    assert main([str(w) for w in words]) == 0


TARGETS = {"gsv": gsv, "segments": segments, "mp4": mp4, "hls": hls, "dash": dash, "captions": captions}


def make(kind: str, folder: Path) -> Target:
    """The target of a kind, its honest cases read once without a fault: they compile what is compiled."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with contextlib.redirect_stdout(io.StringIO()):
        target = TARGETS[kind](folder)
    good = 0
    for seed in target.seeds:
        with contextlib.suppress(
            GVideoError
        ):  # names that a server makes up, and files of foreign manifests, are missing
            target.read(seed)
            good += 1
    assert good >= max(1, len(target.seeds) // 4), "honest cases are not read"
    return target
