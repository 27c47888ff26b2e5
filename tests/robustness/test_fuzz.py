"""A short run of every kind of fuzzing, and what long runs have found, each as a test of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import fuzz
import pytest
import silence
from fuzz_targets import foreign, publish
from packaged import package_plain, write_stream

from gvideo.cli import main
from gvideo.errors import InvalidError, MediaError, TruncatedError
from packager.check import check_presentation
from packager.check.media import read_init as check_init
from packager.isobmff.box import format_box, parse_boxes
from packager.isobmff.entries import VisualSampleEntry
from packager.isobmff.movie import FileType, SampleDescriptions
from player.presentation.captions import Caption, read_captions
from player.source.dash import read_dash
from player.source.fetch import Fetcher
from player.source.hls import read_hls
from player.source.movie import read_movie
from player.source.record import resolve
from player.source.stream import open_stream

ROOT = Path(__file__).parents[2]
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
needs_xml = pytest.mark.skipif(
    not (ROOT / "tests" / "web" / "node_modules" / "jsdom").is_dir(), reason="needs jsdom (npm ci in tests/web)"
)
#: A few seconds each.
CASES = {"gsv": 2500, "segments": 2000, "mp4": 1500, "hls": 1000, "dash": 600, "captions": 2000}
CASES |= {"js-gsv": 3000, "js-segments": 3000, "js-hls": 3000, "js-dash": 3000}
MARKS = {kind: [needs_node] for kind in fuzz.SCRIPTED} | {"js-dash": [needs_node, needs_xml]}


@pytest.mark.parametrize("kind", [pytest.param(k, marks=MARKS.get(k, [])) for k in fuzz.KINDS])
def test_nothing_but_documented_errors(kind, tmp_path):
    *_, result = fuzz.run(kind, tmp_path / "work", seed=1, cases=CASES[kind])
    assert result.findings == {}
    assert result.cases == CASES[kind]
    assert len(result.places) >= 3


def test_a_finding_is_found(tmp_path, monkeypatch):
    """The harness itself: an error that is not documented, more time than allowed, more memory than allowed."""

    def read(case: bytes) -> None:
        if case == b"error":
            raise KeyError(1)
        while case == b"slow":
            pass
        if case == b"large":
            bytearray(b"x") * (150_000_000 + int(fuzz.peak_mb() * 1e6))

    monkeypatch.setattr(fuzz, "MAX_GROWTH", 100.0)
    target = fuzz.Target([b"good"], lambda case, rng, seeds: case, read, (MediaError,), tmp_path)
    reader = fuzz.PythonReader(target)
    assert reader(b"good").fault == ""
    assert reader(b"error").fault.startswith("KeyError at ")
    assert reader(b"large").fault == "memory, ends at the end"
    monkeypatch.setattr(fuzz, "MAX_SECONDS", 0.1)
    assert reader(b"slow").fault.startswith("SlowError at ")
    assert reader(b"good").fault == ""


def test_a_process_that_waits_for_ever_hangs(tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "SILENCE_SECONDS", 0.2)
    reader = fuzz.NodeReader("gsv", fuzz.Target([], lambda case, rng, seeds: case, lambda case: None, (), tmp_path))
    reader._command = ["sleep", "600"]
    assert reader(b"").fault == "hangs"
    reader._command = ["false"]
    assert reader(b"").fault == "Node ended: without a word"


def test_a_process_without_a_processor_does_not_hang():
    """Two busy processes on one processor, of which one may only have what the other leaves."""
    busy = [sys.executable, "-c", "import os\nos.write(1, b'.')\nwhile True: pass"]
    children = [subprocess.Popen(busy, stdout=subprocess.PIPE) for _ in range(2)]
    try:
        for child in children:
            assert child.stdout.read(1) == b"."
            os.sched_setaffinity(child.pid, {min(os.sched_getaffinity(0))})
        favoured, starved = (c.pid for c in children)
        os.sched_setscheduler(starved, os.SCHED_IDLE, os.sched_param(0))
        silences, began = [silence.Silence(pid) for pid in (favoured, starved)], time.monotonic()
        before = silence.starved_seconds(starved)
        while silence.starved_seconds(starved) < before + 0.5:
            time.sleep(0.05)
        elapsed = time.monotonic() - began
        assert silences[1].seconds() < elapsed - 0.4
        assert silences[1].seconds() < silences[0].seconds()
    finally:
        for child in children:
            child.kill()
            child.communicate()
    assert silence.starved_seconds(starved) == 0.0


# --- found in boxes


def test_a_box_type_with_a_line_end_is_told_in_one_line():
    with pytest.raises(Exception, match=r"'\\nab\\x1b' at byte 0: 8 byte\(s\) missing") as caught:
        parse_boxes(b"\0\0\0\x10\nab\x1b")
    assert "\n" not in str(caught.value)


def test_a_box_of_a_movie_whose_type_has_a_line_end(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(format_box(FileType()) + b"\0\0\1\0X\nV ")
    with pytest.raises(TruncatedError, match=r"a\.mp4: 'X\\nV ' at byte \d+: 248 byte\(s\) missing") as caught:
        read_movie(str(path), Fetcher())
    assert "\n" not in str(caught.value)


def test_the_command_line_prints_nothing_that_acts_upon_a_terminal(tmp_path, capsys):
    assert main(["info", str(tmp_path / "a\x1b[2Jb\n.gsv")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "\x1b" not in said
    assert "a\N{REPLACEMENT CHARACTER}[2Jb" in said


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """A published folder. Not to be changed."""
    folder = tmp_path_factory.mktemp("plain")
    return package_plain(write_stream(folder / "a.gsv"), folder / "out")


def init_with(folder: Path, change) -> bytes:
    """The init segment of a folder, changed."""
    (path,) = folder.rglob("init.mp4")
    found = parse_boxes(path.read_bytes())
    change(found)
    return b"".join(format_box(b) for b in found)


def test_check_of_an_init_segment_without_tracks(plain):
    def no_tracks(found):
        found[1].children = [b for b in found[1].children if b.kind != "trak"]

    assert "moov: holds no trak" in check_init(init_with(plain, no_tracks)).faults


def test_check_of_a_track_without_entries_or_with_two(plain):
    def entries(count):
        def change(found):
            from packager.isobmff.box import find_one

            table = find_one(found, SampleDescriptions, "stsd")
            assert isinstance(table.children[0], VisualSampleEntry)
            table.children = table.children * count

        return change

    for count in (0, 2):
        assert check_init(init_with(plain, entries(count))).faults == [f"stsd: {count} sample entries, one wanted"]


# --- found in manifests


def edited(plain: Path, folder: Path, name: str, *changes: tuple[str, str]) -> Path:
    """A copy of a folder with one file changed."""
    shutil.copytree(plain, folder)
    text = (folder / name).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("name", "old", "new", "fault"),
    [
        ("v0.m3u8", "#EXTINF:2.000000", "#EXTINF:1e99999999", "v0.m3u8: #EXTINF:1e99999999,: cannot be read"),
        ("v0.m3u8", "#EXTINF:2.000000", "#EXTINF:1/0", "v0.m3u8: #EXTINF:1/0,: cannot be read"),
        ("v0.m3u8", "seg_1.m4s", "seg\0.m4s", "cannot be read (embedded null byte)"),
        ("v0.m3u8", "v0-", "/dev/zero", "lies outside the folder"),
        ("master.m3u8", "BANDWIDTH=", "BANDWIDTH=x", "master.m3u8: v0.m3u8: has a value that cannot be read"),
        ("manifest.mpd", ' d="', ' d="x', "Representation v0: has a value that cannot be read"),
        ("manifest.mpd", ' r="', ' r="99999999999" x="', "has a value that cannot be read (S@r 99999999999: more than"),
    ],
)
def test_check_names_what_cannot_be_read(name, old, new, fault, plain, tmp_path):
    found, _ = check_presentation(str(edited(plain, tmp_path / "out", name, (old, new))))
    assert any(fault in f for f in found), found


def test_devices_are_no_files(plain, tmp_path):
    """They have no end: a manifest that names one would fill the memory, a pipe would wait for ever."""
    with pytest.raises(MediaError, match="/dev/zero: is no file"):
        Fetcher().read("/dev/zero", 0, None)
    folder = edited(plain, tmp_path / "out", "v0.m3u8")
    (segment,) = folder.rglob("seg_1.m4s")
    segment.unlink()
    segment.symlink_to("/dev/zero")
    assert any(f.endswith("seg_1.m4s is no file") for f in check_presentation(str(folder))[0])


def test_ranges_of_a_folder_end_with_the_file(plain, tmp_path):
    """A range of terabytes is not set aside before the file is looked at."""
    from packager.check.places import Folder, MissingError
    from packager.presentation import ByteRange

    for part in (ByteRange(0, 10**15), ByteRange(10**18, 5)):
        with pytest.raises(MissingError, match=rf"has \d+ of the {part.size} bytes at {part.offset}"):
            Folder(plain).read("master.m3u8", part)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("500@700", "9" * 5000 + "@1"), "size@offset wanted"),
        (("500@700", "٣@1"), "size@offset wanted"),
        (("EXTINF:2.5,title", "EXTINF:" + "9" * 300), "a segment lasts 0 to"),
        (("EXTINF:2.5,title", "EXTINF:-1"), "a segment lasts 0 to"),
        (("\nb.m4s", "\nhttp://[/b.m4s"), r"names http://\[/b.m4s, which is no URL"),
    ],
)
def test_playlists_of_others(change, words, tmp_path):
    text = foreign(".m3u8")[0].partition(b"\0")[2].decode()
    assert change[0] in text
    (tmp_path / "a.m3u8").write_text(text)
    assert len(read_hls(str(tmp_path / "a.m3u8"), Fetcher()).tracks[0].segments) == 2
    (tmp_path / "b.m3u8").write_text(text.replace(*change))
    with pytest.raises(InvalidError, match=words):
        read_hls(str(tmp_path / "b.m3u8"), Fetcher())


def test_manifests_of_others(tmp_path):
    text = foreign(".mpd")[0].partition(b"\0")[2].decode()
    (tmp_path / "a.mpd").write_text('<?xml version="1.0" encoding="utf-99"?>' + text)
    with pytest.raises(InvalidError, match="the manifest is no XML"):
        read_dash(str(tmp_path / "a.mpd"), Fetcher())
    (tmp_path / "b.mpd").write_text(text.replace('timescale="10" duration="20"', f'timescale="1" duration="{1 << 50}"'))
    with pytest.raises(InvalidError, match=r"1\.m4s: a segment lasts 0 to"):
        read_dash(str(tmp_path / "b.mpd"), Fetcher())


def test_a_first_segment_that_is_missing_ends_a_long_stream(plain, tmp_path, monkeypatch):
    """The heads of all others, which may be 200 000, are not set about."""
    folder = edited(plain, tmp_path / "out", "manifest.mpd", (' r="', ' r="60000" x="'))
    (segment,) = folder.rglob("seg_1.m4s")
    segment.unlink()
    queued = []
    submit = ThreadPoolExecutor.submit
    monkeypatch.setattr(ThreadPoolExecutor, "submit", lambda *words: queued.append(words) or submit(*words))
    with pytest.raises(MediaError, match=r"seg_1\.m4s: cannot be read"):
        open_stream(folder / "manifest.mpd", fetcher=Fetcher(attempts=1))
    assert 1 <= len(queued) <= 1000


def test_addresses_that_are_none():
    with pytest.raises(InvalidError, match=r"names http://\[, which is no URL"):
        resolve("http://host/a.m3u8", "http://[")


def test_captions_with_times_beyond_all_clocks():
    cue = "{}:00:00.500 --> {}:00:01.500\nHello\n"
    late = "9" * 400
    assert read_captions("WEBVTT\n\n" + cue.format("1", "1")) == [Caption(3600.5, 3601.5, "Hello")]
    assert read_captions("WEBVTT\n\n" + cue.format(late, late)) == []
    with pytest.raises(ValueError, match="X-TIMESTAMP-MAP"):
        read_captions(f"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:{late},LOCAL:0:0\n\n" + cue.format("1", "1"))


# --- found in the page


def in_node(code: str) -> object:
    """What a module of the page gives for a line of code, or its error."""
    source = f"""
        import {{ parseInit, parseSamples }} from {json.dumps((ROOT / "player/web/source/boxes.js").as_uri())};
        import {{ parsePlaylist }} from {json.dumps((ROOT / "player/web/source/playlist.js").as_uri())};
        import {{ shortName }} from {json.dumps((ROOT / "player/web/source/http.js").as_uri())};
        const u32 = (n) => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
        const box = (type, ...body) => {{
          const flat = body.flat();
          return [...u32(8 + flat.length), ...[...type].map((c) => c.charCodeAt(0)), ...flat];
        }};
        let found;
        try {{ found = {code}; }} catch (error) {{ found = `${{error.name}}: ${{error.message}}`; }}
        console.log(JSON.stringify(found));
    """
    command = ["node", "--max-old-space-size=256", "--input-type=module", "--eval", source]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_node
def test_boxes_of_the_page_that_end_within_their_fields():
    tracks = "new Map([[1, { defaults: { duration: 0, size: 0 } }]])"
    found = in_node(f"parseSamples(new Uint8Array(box('moof', box('traf', box('tfhd', u32(0))))), {tracks})")
    assert found == "ContainerError: tfhd: ends within its fields"
    assert in_node("parseInit(new Uint8Array(box('moov', box('trak', box('tkhd')))))") == (
        "ContainerError: tkhd: ends within its fields"
    )


@needs_node
def test_samples_without_bytes_are_not_without_number():
    """Four thousand million of them in twenty bytes filled the memory."""
    traf = "box('traf', box('tfhd', u32(0), u32(1)), box('tfdt', u32(0), u32(0)), box('trun', u32(0), u32(0xffffffff)))"
    tracks = "new Map([[1, { defaults: { duration: 0, size: 0 } }]])"
    assert in_node(f"parseSamples(new Uint8Array(box('moof', {traf})), {tracks})") == (
        "ContainerError: trun: more samples than bytes"
    )


@needs_node
def test_addresses_of_the_page_that_are_none():
    media = "#EXTM3U\\n#EXTINF:1,\\nhttp://[/a"
    assert in_node(f"parsePlaylist('{media}', 'http://host/')") == "ContainerError: playlist: http://[/a is no address"
    assert in_node("shortName('http://host/a%ffb')") == "a%ffb"


def test_times_are_within_what_clocks_hold(tmp_path):
    from player.source.record import Presentation, Resource, Segment

    assert Presentation("a", (), update_seconds=Fraction(5)).update_seconds == 5
    with pytest.raises(InvalidError, match=f"a: times of 0 to {1 << 40} s wanted"):
        Presentation("a", (), target_seconds=Fraction(10) ** 400)
    assert Segment(Resource("a"), Resource("b"), Fraction(5), (None,)).seconds == 5
    with pytest.raises(InvalidError, match=f"b: a segment lasts 0 to {1 << 40} s"):
        Segment(Resource("a"), Resource("b"), Fraction(0), (None,), origin=Fraction(1 << 60))


def test_publish_gives_both_shapes(tmp_path):
    """The harness's own folder holds files of both kinds: else half of it is not tried."""
    out = publish(tmp_path)
    assert check_presentation(str(out))[0] == []
    assert check_presentation(str(out / "single"))[0] == []
