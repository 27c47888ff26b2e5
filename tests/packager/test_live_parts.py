"""A live stream in parts (LL-HLS): what playlists name, restarts, ends, the check, players."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import m3u8
import numpy as np
import pytest
from packaged import endless, quick_segment, write_clip, write_stream

from gvideo import VideoDecoder
from gvideo.cli import main
from gvideo.errors import OptionError
from packager.check import check_presentation
from packager.gsv import GsvFile
from packager.isobmff.box import find_all, parse_boxes
from packager.isobmff.fragments import FragmentHeader
from packager.live import LivePublisher
from packager.sink import LocalSink
from packager.subtitles import Cue
from player.presentation.stream_reel import open_reel

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PART, SEGMENT = Fraction(1, 2), Fraction(2)
#: Frames of a coded segment: 0.48 s, four of which are a segment.
FRAMES = 12


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> GsvFile:
    path = tmp_path_factory.mktemp("parts") / "short.gsv"
    return GsvFile(write_stream(path, num_segments=10, num_frames=FRAMES, count=8))


def publisher(folder: Path, later: float = 0, window: int | None = None, **options: object) -> LivePublisher:
    at = STARTED + timedelta(seconds=later)
    options = {"partial": PART, **options}
    return LivePublisher(LocalSink(folder), at, SEGMENT, window and Fraction(window), **options)  # type: ignore[arg-type]


def feed(live: LivePublisher, stream: GsvFile, count: int, begin: bool = True) -> None:
    if begin:
        live.begin(stream.track())
    for _, piece in zip(range(count), endless(stream), strict=False):
        live.add(piece)


def listed(folder: Path, name: str = "v0") -> tuple[list[tuple[str, list[str]]], list[str], str]:
    """(segments with the parts that they are offered in; parts of the one in progress; what is to come next)."""
    segments, parts, hint = [], [], ""
    for line in (folder / f"{name}.m3u8").read_text().splitlines():
        if line.startswith("#EXT-X-PART:"):
            assert "INDEPENDENT=YES" in line
            parts.append(re.search(r'URI="(.*?)"', line)[1])
        elif line.startswith("#EXT-X-PRELOAD-HINT:TYPE=PART"):
            hint = re.search(r'URI="(.*?)"', line)[1]
        elif not line.startswith("#"):
            segments.append((line, parts))
            parts = []
    return segments, parts, hint


def test_parts_are_named_as_they_come(stream, tmp_path):
    """Each part is the one that was promised; a segment is its parts' bytes; old parts are not named."""
    live = publisher(tmp_path)
    live.begin(stream.track(), stream.track())
    hint = ""
    for number, piece in zip(range(22), endless(stream), strict=False):
        live.add(piece, piece)
        assert (tmp_path / "v0.m3u8").exists() == (number >= 3)  # a master needs a measured segment
        if number < 3:
            continue
        segments, parts, promised = listed(tmp_path)
        assert (len(segments), len(parts)) == divmod(number + 1, 4)
        latest = parts[-1] if parts else segments[-1][1][-1]
        assert hint in ("", latest)
        hint = promised
        assert not (tmp_path / hint).exists()
        for uri, own in segments:
            if own:
                assert (tmp_path / uri).read_bytes() == b"".join((tmp_path / p).read_bytes() for p in own)
                assert len(own) == 4
        # each segment lasts 1.92 s: those that end less than three target durations (6 s) before the end have parts
        behind = [0.48 * len(parts) + 1.92 * n for n in reversed(range(len(segments)))]
        assert [bool(own) for _, own in segments] == [b < 6 for b in behind]
        last = f'#EXT-X-RENDITION-REPORT:URI="v1.m3u8",LAST-MSN={len(segments) + bool(parts)},LAST-PART={number % 4}'
        assert last in (tmp_path / "v0.m3u8").read_text().splitlines()
        assert check_presentation(str(tmp_path))[0] == []
    text = (tmp_path / "v0.m3u8").read_text()
    assert "#EXT-X-VERSION:9\n" in text
    assert "#EXT-X-PART-INF:PART-TARGET=0.500\n" in text
    assert "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.000,PART-HOLD-BACK=1.500\n" in text
    live.end()
    segments, parts, hint = listed(tmp_path)
    assert (len(segments), parts, hint) == (6, [], "")
    playlist = m3u8.load(str(tmp_path / "v0.m3u8"))
    assert playlist.is_endlist
    assert [s.duration for s in playlist.segments] == [1.92] * 5 + [0.96]
    assert "RENDITION-REPORT" not in (tmp_path / "v0.m3u8").read_text()
    assert check_presentation(str(tmp_path))[0] == []
    wanted = VideoDecoder(stream.path).get_all_frames().data
    for name in ("master.m3u8", "manifest.mpd"):
        frames = VideoDecoder(tmp_path / name).get_all_frames().data
        np.testing.assert_array_equal(frames, np.concatenate([wanted, wanted, wanted])[: 22 * FRAMES])
    reel = open_reel(str(tmp_path))
    assert [len(reel.piece(n).times) - 1 for n in range(len(reel.starts))] == [48] * 5 + [24]
    assert reel.end == pytest.approx(22 * 0.48)
    reel.close()


def test_files_of_parts_go_as_those_of_segments_do(stream, tmp_path):
    live = publisher(tmp_path, window=4)
    feed(live, stream, 80)
    segments, _, _ = listed(tmp_path)
    assert len(segments) == 6
    named = {uri for _, own in segments for uri in own}
    assert all((tmp_path / uri).exists() for uri in named)
    numbers = sorted(int(p.stem.removeprefix("part_")) for p in tmp_path.rglob("part_*.m4s"))
    assert numbers[-1] == 80
    # older than three target durations, and a whole playlist of 4 s and seven target durations: 24 s of 38
    assert 38.4 - 0.48 * numbers[0] == pytest.approx(24, abs=2)
    assert check_presentation(str(tmp_path))[0] == []


@pytest.mark.parametrize("end", [True, False], ids=["ended", "killed"])
def test_a_restart_makes_whole_what_was_in_progress(end, stream, tmp_path):
    live = publisher(tmp_path)
    feed(live, stream, 6)
    if end:
        live.end()
    first = listed(tmp_path)
    again = publisher(tmp_path, later=100)
    again.begin(stream.track())
    again.add(next(endless(stream)))
    segments, parts, hint = listed(tmp_path)
    assert [len(own) for _, own in segments] == [0, 0] if end else [4, 2]  # of 100 s ago, or not yet
    assert (tmp_path / segments[1][0]).read_bytes().count(b"moof") == 2
    assert parts != first[1]
    assert len(parts) == 1
    assert (tmp_path / parts[0]).exists()
    assert Path(hint).name == "part_8.m4s"
    text = (tmp_path / "v0.m3u8").read_text()
    assert text.index("seg_2.m4s") < text.index("#EXT-X-DISCONTINUITY\n") < text.index(parts[0])
    assert text.count("#EXT-X-MAP") == 2
    assert "#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:05:45.000Z\n#EXT-X-PART" in text
    assert check_presentation(str(tmp_path))[0] == []
    again.end()
    playlist = m3u8.load(str(tmp_path / "v0.m3u8"))
    assert [s.duration for s in playlist.segments] == [1.92, 0.96, 0.48]
    assert [s.discontinuity for s in playlist.segments] == [False, False, True]
    assert check_presentation(str(tmp_path))[0] == []
    assert len(VideoDecoder(tmp_path)) == 7 * FRAMES


def test_parts_that_somebody_removed_are_not_offered(stream, tmp_path):
    feed(publisher(tmp_path), stream, 10)
    segments, parts, _ = listed(tmp_path)
    (tmp_path / parts[0]).unlink()
    (tmp_path / segments[1][1][2]).unlink()
    torn = (tmp_path / parts[0]).with_name("part_11.m4s")
    torn.write_bytes(b"half a part")
    feed(publisher(tmp_path, later=5), stream, 4)
    assert [len(own) for _, own in listed(tmp_path)[0]] == [4, 0, 4]
    assert not torn.exists()
    assert check_presentation(str(tmp_path))[0] == []


def test_other_parts_are_refused(stream, tmp_path):
    feed(publisher(tmp_path), stream, 5)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    for partial in (None, Fraction(1)):
        with pytest.raises(OptionError, match=r"--part: the live stream in this folder has parts of 0\.5 s"):
            publisher(tmp_path, later=10, partial=partial)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_a_part_that_is_too_long_is_a_segment_without_parts(stream, tmp_path):
    """A frame that stands for a second; what was in progress is whole before it."""
    live = publisher(tmp_path)
    live.begin(stream.track())
    pieces = endless(stream)
    for _ in range(5):
        live.add(next(pieces))
    p = next(pieces)
    chunks = tuple(replace(c, samples=(replace(c.samples[0], duration=12800),)) for c in p.chunks)
    live.add(replace(p, duration=12800, chunks=chunks))
    late = 12800 - p.duration
    p = next(pieces)
    live.add(replace(p, start=p.start + late, chunks=tuple(replace(c, start=c.start + late) for c in p.chunks)))
    segments, parts, _ = listed(tmp_path)
    assert [len(own) for _, own in segments] == [4, 1, 0]
    assert len(parts) == 1
    boxes = [b for uri in [*(s for s, _ in segments), *parts] for b in parse_boxes((tmp_path / uri).read_bytes())]
    numbers = [h.sequence_number for h in find_all([b for b in boxes if b.kind == "moof"], FragmentHeader)]
    assert len(numbers) == 7
    assert numbers == sorted(set(numbers))
    assert check_presentation(str(tmp_path))[0] == []


def test_subtitles_are_whole_segments(stream, tmp_path):
    """A cue over two parts is in the segment once, also where a killed run had taken it."""
    cue = Cue(Fraction(1, 4), Fraction(3, 4), "over the parts")
    live = publisher(tmp_path)
    live.begin(stream.track(), texts=[("en", "English")])
    pieces = endless(stream)
    for number in range(4):
        live.add(next(pieces), texts=[[cue] if number < 2 else []])
    late = Cue(Fraction(2), Fraction(5, 2), "killed")
    live.add(next(pieces), texts=[[late]])
    again = publisher(tmp_path, later=10)
    again.begin(stream.track(), texts=[("en", "English")])
    files = [s.uri for s in m3u8.load(str(tmp_path / "s0.m3u8")).segments]
    assert [(tmp_path / uri).read_text().count("over the parts") for uri in files] == [1, 0]
    assert [(tmp_path / uri).read_text().count("killed") for uri in files] == [0, 1]


def spoil(folder: Path, change: Callable[[str], str]) -> None:
    path = folder / "v0.m3u8"
    text = path.read_text()
    assert change(text) != text
    path.write_text(change(text))


FAULTS = {
    "beyond": (lambda t: t.replace("PART-TARGET=0.500", "PART-TARGET=0.400"), "is beyond PART-TARGET 0.4"),
    "no target": (lambda t: re.sub("#EXT-X-PART-INF.*\n", "", t), "EXT-X-PART-INF is missing"),
    "hold back": (lambda t: t.replace("BACK=1.500", "BACK=1.400"), "PART-HOLD-BACK 1.400: 3 part targets"),
    "no hold back": (lambda t: t.replace(",PART-HOLD-BACK=1.500", ""), "PART-HOLD-BACK is missing"),
    "skip": (lambda t: t.replace("UNTIL=12.000", "UNTIL=11"), "CAN-SKIP-UNTIL 11: 6 target durations"),
    "sum": (lambda t: re.sub("#EXT-X-PART:.*\n", "", t, count=1), "EXTINF 1.920000 s, its parts last 1.440000 s"),
    "order": (lambda t: t.replace("part_2.m4s", "part_3.m4s", 1), "is not what its parts are"),
    "duration": (lambda t: t.replace("DURATION=0.480000", "DURATION=0.470000", 1), "its samples last 0.480000 s"),
    "dependent": (lambda t: t.replace("DURATION=0.480000", "DURATION=0.200000", 1).replace(",INDEPENDENT=YES", ""),
                  "is below 85 % of PART-TARGET"),
    "hint": (lambda t: t.replace("TYPE=PART,", ""), "EXT-X-PRELOAD-HINT: TYPE and URI wanted"),
    "hint at the end": (lambda t: t + "#EXT-X-ENDLIST\n", "nothing follows EXT-X-ENDLIST"),
    "number": (lambda t: t.replace("PART-TARGET=0.500", "PART-TARGET=half"), "PART-TARGET is missing, or no number"),
}  # fmt: skip


@pytest.fixture(scope="module")
def whole(stream, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    feed(publisher(folder), stream, 9)
    return folder


@pytest.mark.parametrize("name", FAULTS)
def test_planted_faults_are_found(name, whole):
    change, message = FAULTS[name]
    text = (whole / "v0.m3u8").read_text()
    try:
        spoil(whole, change)
        assert any(message in fault for fault in check_presentation(str(whole))[0])
    finally:
        (whole / "v0.m3u8").write_text(text)
    assert check_presentation(str(whole))[0] == []


def test_the_command_publishes_parts(tmp_path, monkeypatch):
    """Two rungs, sound and H.264 in parts alike, to the end of the input."""
    monkeypatch.setattr("gvideo.encoder.jobs.pool.encode_segment", quick_segment)
    clip, folder = write_clip(tmp_path / "clip.mkv", 3.2), tmp_path / "out"
    arguments = ["encode", str(clip), "-o", f"{folder}/", "--live", "--segment", "1", "--idle", "0.1", "--no-keep-up"]
    assert main([*arguments, "--part", "0.5", "--ladder", "32x24:30,64x48:30", "--fallback", "avc"]) == 0
    assert check_presentation(str(folder))[0] == []
    counts = {name: [len(own) for _, own in listed(folder, name)[0]] for name in ("v0", "v1", "f0", "a0")}
    assert len(set(map(tuple, counts.values()))) == 1
    assert max(counts["v0"]) >= 2
    assert len(VideoDecoder(folder)) == 80
    assert main(["package", "--check", str(folder)]) == 0
    for wrong in (["--part", "0.6"], ["--part", "0.01"], ["--part", "0.5", "--layers", "2"]):
        assert main([*arguments, "--anew", *wrong]) == 2
