"""Software of others: parsers of npm read the published folder, and hls.js, Shaka Player and dash.js play its fallback.

`npm ci` in tests/players fetches them; the tests skip where node, the packages or Chromium are missing.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from packaged import package, serve

PLAYERS = Path(__file__).parents[1] / "players"
SECONDS = 6
#: Playback is sped up for the test.
SPEED = 2
#: Seconds of the video. Beeps are sampled every few milliseconds while playback is sped up; flashes: two frames.
MAX_LATE_BEEP, MAX_LATE_FLASH = 0.08, 0.09


def node(script: str, *arguments: str) -> list[dict[str, Any]]:
    """Lines of JSON that a script prints."""
    if shutil.which("node") is None or not (PLAYERS / "node_modules" / "hls.js").is_dir():
        pytest.skip("node and `npm ci` in tests/players are needed")
    command = ["node", str(PLAYERS / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=170)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def parsed(published: Path) -> dict[str, Any]:
    return node("parse.mjs", str(published))[0]


def test_hls_parser_reads_every_playlist_strictly(parsed):
    variants = [v for v in parsed["hlsParser"]["variants"] if not v["keys"]]
    assert [v["uri"] for v in variants] == [f"{n}.m3u8" for n in ("v0_3", "v0_2", "v0_1", "v1", "f0")]
    assert [v["score"] for v in variants] == [5, 4, 3, 2, 1]
    assert {v["codecs"] for v in variants[:4]} == {"gsv1.00.10.08,mp4a.40.2"}
    assert all((v["audio"], v["subtitles"], v["width"], v["rate"]) == (2, 2, 64, 25) for v in variants)
    rungs = parsed["hlsParser"]["rungs"]
    assert all(r["ended"] and r["durations"] == [2, 2, 2] for r in rungs.values())
    sizes = [[r["length"] for r in rungs[f"v0_{k}.m3u8"]["ranges"]] for k in (1, 2, 3)]
    assert sizes[0] < sizes[1] < sizes[2]


def test_m3u8_parser_reads_the_same(parsed):
    found = parsed["m3u8Parser"]
    assert [p["SCORE"] for p in found["playlists"]] == ["5", "4", "3", "2", "1"]
    assert {p["CLOSED-CAPTIONS"] for p in found["playlists"]} == {"NONE"}
    assert found["audio"] == ["English", "Deutsch"]
    ranges = parsed["hlsParser"]["rungs"]["v0_3.m3u8"]["ranges"]
    assert [s[2] for s in found["rung"]] == [{"length": r["length"], "offset": r["offset"]} for r in ranges]


def test_mpd_parser_names_the_same_segments_as_hls(parsed):
    assert parsed["mpd"]["duration"] == SECONDS
    variants = [v["uri"] for v in parsed["hlsParser"]["variants"] if not v["keys"]]
    rungs = {uri: parsed["hlsParser"]["rungs"][uri] for uri in variants}
    for name, playlist in zip(rungs, parsed["mpd"]["playlists"], strict=True):
        assert [s[1] for s in playlist["segments"]] == rungs[name]["durations"]
        lengths = [(s[2] or {}).get("length") for s in playlist["segments"]]
        assert lengths == [(r or {}).get("length") for r in rungs[name]["ranges"]]
    assert parsed["mpd"]["audio"] == ["English", "Deutsch"]
    assert len(parsed["mpd"]["subtitles"]) == 2


def test_mp4box_reads_every_layer_prefix(parsed):
    for k in (1, 2, 3):
        found = parsed["mp4box"][f"v0_{k}.m3u8"]
        assert found["fragmented"]
        assert [t[:2] for t in found["tracks"]] == [[1, "gsv1"], [2, "gsve"], [3, "gsve"]]
        assert found["levels"] == [1, 2, 3]
        assert sorted(found["samples"]) == [str(n) for n in range(1, k + 1)]
        for samples in found["samples"].values():
            assert [(s[0], s[1], s[2], s[4]) for s in samples] == [
                (25600 * n, 25600 * n, 25600, True) for n in range(3)
            ]
        assert [[r[0] for r in ranges] for ranges in found["ranges"]] == [[1, 2, 3]] * 3
    single = parsed["mp4box"]["v1.m3u8"]
    assert single["brands"][0] == "cmf2"
    assert not {"elst", "leva", "sidx"} & set(single["kinds"])
    assert len(parsed["mp4box"]["f0.m3u8"]["samples"]["1"]) == 25 * SECONDS


@pytest.fixture(scope="module")
def played(published, published_single, inputs, tmp_path_factory) -> dict[str, dict[str, Any]]:
    """What every player says of every manifest; one browser for all."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("Chromium is needed")
    alone = package_alone(inputs, tmp_path_factory.mktemp("alone"))
    servers = {
        name: serve(f, "--quiet") for name, f in (("many", published), ("one", published_single), ("alone", alone))
    }
    urls = {name: next(server) for name, server in servers.items()}
    jobs = [
        f"hls={urls['many']}/master.m3u8", f"shaka={urls['many']}/manifest.mpd",
        f"dash={urls['many']}/manifest.mpd", f"shaka={urls['one']}/manifest.mpd",
        f"dash={urls['one']}/manifest.mpd", f"hls={urls['alone']}/master.m3u8", f"shaka={urls['alone']}/manifest.mpd",
    ]  # fmt: skip
    try:
        found = node("play.mjs", chromium, str(SPEED), *jobs)
        for _ in range(2):  # a machine that is busy for a moment shows late pictures; a fault is there every time
            held_up = [k for k, p in enumerate(found) if not p["url"].startswith(urls["alone"]) and not smooth(p)]
            again = node("play.mjs", chromium, str(SPEED), *(jobs[k] for k in held_up)) if held_up else []
            for k, p in zip(held_up, again, strict=True):
                found[k] = p
    finally:
        for server in servers.values():
            server.close()  # type: ignore[attr-defined]
    names = {url: name for name, url in urls.items()}
    return {f"{p['player']} {p['url'].rpartition('.')[2]} {names[p['url'].rpartition('/')[0]]}": p for p in found}


def smooth(played: dict[str, Any]) -> bool:
    """Nothing of what a busy machine may cause."""
    if not played.get("ended") or played["errors"] or played["waiting"]:
        return False
    return abs(lateness(played["beeps"])) < MAX_LATE_BEEP and abs(lateness(played["flashes"])) < MAX_LATE_FLASH


def lateness(moments: list[float]) -> float:
    """Median distance from 0.40 s of every second."""
    late = sorted(m - round(m - 0.4) - 0.4 for m in moments)
    return late[len(late) // 2] if late else math.inf


def package_alone(inputs: dict[str, Path], folder: Path) -> Path:
    """The streams without a fallback."""
    from gvideo.cli import main

    arguments = ["package", inputs["layered"], "-o", folder, "--source", inputs["clip"]]
    assert main([str(a) for a in arguments]) == 0
    return folder


EVERY = [
    "hls m3u8 many", "shaka mpd many", "dash mpd many", "shaka mpd one", "dash mpd one",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_players_skip_gsv1_and_play_the_fallback_to_the_end(name, played):
    p = played[name]
    assert p["errors"] == []
    assert p["ended"]
    assert p["waiting"] == 0
    assert p["duration"] == pytest.approx(SECONDS, abs=0.03)
    assert p["endedAt"] == pytest.approx(SECONDS, abs=0.03)
    assert p["start"] == 0
    assert p["width"] == 64
    assert p["totalFrames"] >= 25 * SECONDS * 0.9
    assert set(p["codecs"]) == {"avc1.64000a"}
    assert all(status in (200, 206) for status, _, _ in p["requests"])
    media = [path for _, path, _ in p["requests"] if path.endswith((".m4s", ".mp4"))]
    assert media
    assert all(path.startswith(("/f0-", "/a0-", "/a1-")) for path in media)


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_seeks_land(name, played):
    for wanted, got in played[name]["seeks"]:
        assert got == pytest.approx(wanted, abs=0.001)
    assert len(played[name]["seeks"]) == 3


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_sound_is_in_sync(name, played):
    """Flash and beep coincide in the source, at 0.40 s of every second. What is heard is sampled every few milliseconds
    while playback is sped up, so single readings scatter; the median is what counts."""
    p = played[name]
    assert p["audioBytes"] > 0
    assert len(p["beeps"]) >= SECONDS - 2
    assert abs(lateness(p["beeps"])) < MAX_LATE_BEEP
    assert len(p["flashes"]) >= SECONDS - 3
    assert abs(lateness(p["flashes"])) < MAX_LATE_FLASH


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hls m3u8 alone", "shaka mpd alone"])
def test_gsv1_alone_is_refused_with_an_error(name, played):
    p = played[name]
    assert p["errors"]
    assert not p.get("ended")


@pytest.mark.slow
def test_single_files_are_fetched_by_range(played):
    ranges = Counter(path.rpartition(".")[2] for _, path, asked in played["shaka mpd one"]["requests"] if asked)
    assert ranges["mp4"] >= 3
    assert ranges["m4a"] >= 3


def test_a_folder_can_be_packaged_over_itself(inputs, tmp_path):
    """The fallback's bytes do not depend on chance, so a second run finds its own files."""
    first = package(inputs, tmp_path / "out")
    names = sorted(p.name for p in first.iterdir())
    assert sorted(p.name for p in package(inputs, first).iterdir()) == names
