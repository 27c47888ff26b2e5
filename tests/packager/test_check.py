"""The check finds planted faults: a table of edits to a folder that is right, each with words of the fault to find."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gvideo.cli import main
from packager.check import check_presentation
from packager.isobmff import fragments, movie
from packager.isobmff.box import Box, Container, find_all, format_boxes, parse_boxes
from packager.isobmff.entries import GaussianConfiguration, VisualSampleEntry

Edit = Callable[[Path], None]


def text(name: str, pattern: str, replacement: str, count: int = 0) -> Edit:
    """Replaces in a text file."""

    def edit(folder: Path) -> None:
        before = (folder / name).read_text()
        after = re.sub(pattern, replacement, before, count=count)
        assert after != before
        (folder / name).write_text(after)

    return edit


def boxes(glob: str, change: Callable[[list[Box]], None], place: int = 0) -> Edit:
    """Changes the boxes of a file."""

    def edit(folder: Path) -> None:
        path = sorted(folder.glob(glob))[place]
        found = parse_boxes(path.read_bytes())
        before = format_boxes(found)
        change(found)
        assert format_boxes(found) != before
        path.write_bytes(format_boxes(found))

    return edit


def remove(glob: str) -> Edit:
    return lambda folder: sorted(folder.glob(glob))[0].unlink()


def shorten(glob: str, count: int) -> Edit:
    def edit(folder: Path) -> None:
        path = sorted(folder.glob(glob))[0]
        path.write_bytes(path.read_bytes()[:-count])

    return edit


def add(cls: type, field: str, amount: int) -> Callable[[list[Box]], None]:
    """Adds to a field of the first box of a class."""

    def change(found: list[Box]) -> None:
        box = find_all(found, cls)[0]
        setattr(box, field, getattr(box, field) + amount)

    return change


def sample(**changes: int) -> Callable[[list[Box]], None]:
    """Changes the first sample of the first run."""

    def change(found: list[Box]) -> None:
        first = find_all(found, fragments.TrackRun)[0].samples[0]
        for name, value in changes.items():
            setattr(first, name, value)

    return change


def flip_payload(found: list[Box]) -> None:
    data = bytearray(find_all(found, fragments.MediaData)[0].data)
    data[len(data) // 2] ^= 1
    find_all(found, fragments.MediaData)[0].data = bytes(data)


def cut_codebooks(found: list[Box]) -> None:
    config = find_all(found, GaussianConfiguration)[0]
    config.sequence_unit = config.sequence_unit[:-6]


def smaller_reference(found: list[Box]) -> None:
    find_all(found, fragments.SegmentIndex)[0].references[0].duration -= 1


def smaller_range(found: list[Box]) -> None:
    ranges = find_all(found, fragments.SubsegmentIndex)[0].subsegments[0].ranges
    ranges[0].num_bytes -= 4
    ranges[1].num_bytes += 4


def no_leva(found: list[Box]) -> None:
    extends = next(b for b in find_all(found, Container) if b.kind == "mvex")
    extends.children = [b for b in extends.children if b.kind != "leva"]


def with_edit_list(found: list[Box]) -> None:
    trak = next(b for b in find_all(found, Container) if b.kind == "trak")
    trak.children.insert(1, Container("edts", [movie.EditList(edits=[movie.Edit(0, 512)])]))


def old_run(found: list[Box]) -> None:
    find_all(found, fragments.TrackRun)[0].version = 0


FAULTS: dict[str, tuple[Edit, str]] = {
    "no signature": (text("master.m3u8", "#EXTM3U\n", ""), "does not begin with #EXTM3U"),
    "old version": (text("master.m3u8", "VERSION:7", "VERSION:4"), "EXT-X-VERSION: at least 7"),
    "not independent": (text("master.m3u8", "#EXT-X-INDEP.*\n", ""), "EXT-X-INDEPENDENT-SEGMENTS is missing"),
    "peak too low": (text("master.m3u8", r"BANDWIDTH=\d+,AV", "BANDWIDTH=9000,AV", 1), "is below the measured peak"),
    "wrong average": (text("master.m3u8", r"AVERAGE-BANDWIDTH=\d+", "AVERAGE-BANDWIDTH=9", 1), "10 % off"),
    "no codecs": (text("master.m3u8", r"CODECS=\"[^\"]*\",", "", 1), "CODECS is missing"),
    "wrong codecs": (text("master.m3u8", r"gsv1\.00\.10\.08", "gsv1.00.10.10", 1), "the init segments say gsv1"),
    "wrong size": (text("master.m3u8", "RESOLUTION=64x48", "RESOLUTION=64x40", 1), "the init segment says 64x48"),
    "rounded rate": (text("master.m3u8", "FRAME-RATE=25.000", "FRAME-RATE=25", 1), "three decimals"),
    "some scores": (text("master.m3u8", "SCORE=4,", "", 1), "SCORE: on some variants only"),
    "captions": (text("master.m3u8", ",CLOSED-CAPTIONS=NONE", "", 1), "CLOSED-CAPTIONS is missing"),
    "no such group": (text("master.m3u8", 'AUDIO="audio"', 'AUDIO="sound"', 1), "AUDIO group sound does not exist"),
    "two defaults": (text("master.m3u8", "DEFAULT=NO", "DEFAULT=YES", 1), "more than one default"),
    "two of a name": (text("master.m3u8", 'NAME="Deutsch"', 'NAME="English"'), "a name is there twice"),
    "missing playlist": (remove("v1.m3u8"), "v1.m3u8 cannot be read"),
    "missing segment": (remove("v1-*/seg_2.m4s"), "seg_2.m4s cannot be read"),
    "missing init": (remove("v0-*/init.mp4"), "init.mp4 cannot be read"),
    "short segment": (shorten("v1-*/seg_3.m4s", 9), "9 byte\\(s\\) missing"),
    "wrong length": (text("v1.m3u8", "EXTINF:2.000000", "EXTINF:1.960000", 1), "EXTINF 1.960000 s, its samples last 2"),
    "short target": (text("v1.m3u8", "TARGETDURATION:2", "TARGETDURATION:1"), "beyond EXT-X-TARGETDURATION"),
    "no end": (text("v1.m3u8", "#EXT-X-ENDLIST\n", ""), "EXT-X-ENDLIST is missing"),
    "no map": (text("v1.m3u8", "#EXT-X-MAP.*\n", ""), "EXT-X-MAP is missing"),
    "cut in a layer": (text("v0_2.m3u8", r"BYTERANGE:(\d+)@", r"BYTERANGE:1\1@", 1), "bytes at 0"),
    "prefix too short": (text("v0_1.m3u8", r"BYTERANGE:\d+@0", "BYTERANGE:400@0", 1), "missing|cut within a layer"),
    "missing rung segment": (text("v0_1.m3u8", r"#EXTINF.*\n#EXT-X-BYTERANGE.*\n.*seg_3.m4s\n", ""), "not cut like"),
    "key range": (text("v0_1_iframes.m3u8", r"BYTERANGE:\d+@(\d+)", r"BYTERANGE:40@\1", 1), "missing"),
    "no key mark": (text("v1_iframes.m3u8", "#EXT-X-I-FRAMES-ONLY\n", ""), "EXT-X-I-FRAMES-ONLY is missing"),
    "time jumps": (boxes("v1-*/seg_2.m4s", add(fragments.FragmentTime, "time", 512)), "tfdt 26112, 25600 wanted"),
    "sample too short": (boxes("v1-*/seg_1.m4s", sample(duration=25088)), "trun.sample_duration: 25088 ticks"),
    "sample size": (boxes("v1-*/seg_1.m4s", sample(num_bytes=5)), "trun.sample_size"),
    "no sync": (boxes("v1-*/seg_1.m4s", sample(sample_flags=fragments.DELTA_FLAGS)), "no sync sample"),
    "wrong offset": (boxes("v1-*/seg_1.m4s", add(fragments.TrackRun, "data_offset", -4)), "trun.data_offset"),
    "old run": (boxes("v1-*/seg_1.m4s", old_run), "trun.version: 0"),
    "absolute base": (boxes("v1-*/seg_1.m4s", add(fragments.TrackFragmentHeader, "flags", -0x20000)), "default-base"),
    "damaged payload": (boxes("v1-*/seg_1.m4s", flip_payload), "the checksum differs"),
    "sidx duration": (boxes("v0-*/seg_1.m4s", smaller_reference), "sidx: 25599 ticks"),
    "ssix range": (boxes("v0-*/seg_1.m4s", smaller_range), "ssix: a range does not end where a layer ends"),
    "edit list": (boxes("v1-*/init.mp4", with_edit_list), "must not have an edit list"),
    "missing codebooks": (boxes("v1-*/init.mp4", cut_codebooks), r"gsvC: sequence unit: \d+ byte\(s\) missing"),
    "entry size": (boxes("v1-*/init.mp4", add(VisualSampleEntry, "width", 2)), "size is not that of its seq"),
    "timescale": (boxes("v1-*/init.mp4", add(movie.MediaHeader, "timescale", 1)), "mdhd.timescale"),
    "no levels": (boxes("v0-*/init.mp4", no_leva), "leva: not one level"),
    "no trex": (boxes("v1-*/init.mp4", add(fragments.TrackExtends, "track_id", 1)), "not one trex"),
    "no XML": (text("manifest.mpd", "</MPD>", ""), "is no XML"),
    "MPD peak": (text("manifest.mpd", r'bandwidth="\d+"', 'bandwidth="900"', 1), "@bandwidth 900 is below"),
    "MPD duration": (text("manifest.mpd", "Duration=\"PT6S", "Duration=\"PT7S"), "lasts 6.000 s"),
    "MPD timeline": (text("manifest.mpd", 'S d="25600"', 'S d="25088"'), "S@d 25088"),
    "MPD codecs": (text("manifest.mpd", 'codecs="avc1[^"]*"', 'codecs="avc1.42001e"'), "the init segment says avc1.64"),
    "MPD range": (text("manifest.mpd", r'mediaRange="0-(\d)', r'mediaRange="7-\1', 1), "missing|header|bytes at 7"),
    "MPD start number": (text("manifest.mpd", 'startNumber="1">', 'startNumber="2">', 1), "seg_4.m4s cannot be read"),
    "MPD ids": (text("manifest.mpd", 'id="v1"', 'id="v0_1"'), "the id is there twice"),
    "MPD list": (text("manifest.mpd", r"<SegmentURL [^>]*>", "", 1), "2 SegmentURLs, the timeline has 3"),
    "no WebVTT": (text("s0/seg_1.vtt", "WEBVTT", "SRT"), "is no WebVTT"),
    "no time map": (text("s0/seg_2.vtt", "X-TIMESTAMP-MAP.*\n", ""), "X-TIMESTAMP-MAP is missing"),
    "short subtitles": (text("s0.m3u8", r"#EXTINF.*\ns0/seg_3.vtt\n", ""), "s0.m3u8: lasts 4.000 s"),
    "short audio": (text("a0.m3u8", r"#EXTINF.*\na0.*seg_3.m4s\n", ""), "audio lasts"),
}  # fmt: skip


def test_playlists_with_variables(published, tmp_path):
    folder = tmp_path / "out"
    shutil.copytree(published, folder)
    define = '#EXTM3U\n#EXT-X-DEFINE:NAME="rung",VALUE="v1"\n'
    text("master.m3u8", "#EXTM3U\n", define)(folder)
    text("master.m3u8", r"\nv1\.m3u8", r"\n{$rung}.m3u8?width=64")(folder)
    text("v1.m3u8", "#EXTM3U\n", '#EXTM3U\n#EXT-X-DEFINE:IMPORT="rung"\n#EXT-X-DEFINE:QUERYPARAM="width"\n')(folder)
    text("v1.m3u8", r"\nv1(-.*/seg_2.m4s)", r"\n{$rung}\1?width={$width}")(folder)
    assert check_presentation(str(folder))[0] == []
    text("v1.m3u8", "#EXT-X-DEFINE:IMPORT.*\n", "")(folder)
    faults, _ = check_presentation(str(folder))
    assert faults[0] == "v1.m3u8?width=64: the variable rung is used before EXT-X-DEFINE defines it"


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name, published, tmp_path):
    edit, words = FAULTS[name]
    folder = tmp_path / "out"
    shutil.copytree(published, folder)
    edit(folder)
    faults, _ = check_presentation(str(folder))
    found = [f for f in faults if re.search(words, f)]
    assert found, faults
    assert name not in RULES or found[0].endswith(f" [{RULES[name]}]")


#: Rules that faults of the table above name.
RULES = {
    "no signature": "RFC 8216 4.3.1.1", "old version": "RFC 8216 7", "not independent": "Apple 9.11",
    "peak too low": "Apple 9.13", "wrong average": "Apple 1.26", "no codecs": "Apple 9.1", "rounded rate":
    "RFC 8216 4.3.4.2", "some scores": "Apple 9.19", "two defaults": "RFC 8216 4.3.4.1.1", "wrong length": "Apple 8.1",
    "short target": "RFC 8216 4.3.3.1", "no map": "Apple 8.20", "missing rung segment": "RFC 8216 6.2.4",
    "no key mark": "Apple 6.8", "time jumps": "Apple 7.3", "no WebVTT": "Apple 5.2", "no time map": "Apple 5.3",
    "short subtitles": "Apple 5.5", "short audio": "Apple 8.3", "MPD peak": "ISO/IEC 23009-1 5.3.5",
    "MPD duration": "DASH-IF timing 9.2.1", "MPD timeline": "ISO/IEC 23009-1 5.3.9.6", "MPD codecs":
    "ISO/IEC 23009-1 5.3.7", "MPD ids": "ISO/IEC 23009-1 5.3.5", "MPD list": "ISO/IEC 23009-1 5.3.9.3",
}  # fmt: skip


def test_the_table_is_long_enough():
    assert len(FAULTS) >= 40
    assert RULES.keys() <= FAULTS.keys()


def test_the_command_lists_faults_and_says_so(published, tmp_path, capsys):
    shutil.copytree(published, tmp_path / "out")
    text("v1.m3u8", "#EXT-X-ENDLIST\n", "")(tmp_path / "out")
    assert main(["package", "--check", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr()
    assert captured.out == "v1.m3u8: EXT-X-ENDLIST is missing [RFC 8216 4.3.3.4]\n"
    assert "1 fault(s)" in captured.err
    assert main(["package", "--check", str(published)]) == 0
    assert "no fault" in capsys.readouterr().err
