"""Players of others on the H.264 rung of a layered live stream, over a kill of its encoder and a restart.

Run by hand on a machine that is not busy, GVIDEO_BY_HAND=1: it takes a minute and a half, and other software's patience
decides.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import m3u8
import pytest
from packaged import QUICK_PROGRAM, ROOT, serve, write_clip

PLAYERS = Path(__file__).parents[1] / "players"
#: Seconds that the players watch, and after which the encoder is killed.
WATCHED, KILLED = 40, 12
BY_HAND = pytest.mark.skipif("GVIDEO_BY_HAND" not in os.environ, reason="by hand, with GVIDEO_BY_HAND=1")


@pytest.fixture
def chromium():
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None or shutil.which("node") is None or not (PLAYERS / "node_modules" / "hls.js").is_dir():
        pytest.skip("node, `npm ci` in tests/players and Chromium are needed")
    return found


@BY_HAND
def test_players_of_others_go_on_over_a_restart(tmp_path, chromium):
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    clip, folder = write_clip(tmp_path / "clip.mkv", 8), tmp_path / "live"
    send = [ffmpeg, "-v", "error", "-re", "-stream_loop", "-1", "-i", str(clip), "-c", "copy", "-f", "matroska", "-"]
    encode = [sys.executable, "-c", QUICK_PROGRAM, "encode", "-", "-o", f"{folder}/", "--live", "--segment", "1"]
    encode += ["--layers", "2", "--fallback", "avc", "--window", "60"]
    running: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        sender = subprocess.Popen(send, stdout=subprocess.PIPE)
        running.extend([sender, subprocess.Popen(encode, cwd=ROOT, stdin=sender.stdout)])
        assert sender.stdout is not None
        sender.stdout.close()

    def stop() -> None:
        for child in reversed(running):
            child.send_signal(signal.SIGKILL)
            child.wait()
        running.clear()

    def restart() -> None:
        time.sleep(KILLED)
        stop()
        start()

    start()
    try:
        end = time.monotonic() + 60
        while not (folder / "f0.m3u8").exists() or len(m3u8.load(f"{folder}/f0.m3u8").segments) < 6:
            assert time.monotonic() < end
            time.sleep(0.1)
        for url in serve(folder, "--quiet"):
            again = threading.Thread(target=restart)
            again.start()
            jobs = [f"hls={url}/master.m3u8", f"shaka={url}/manifest.mpd", f"dash={url}/manifest.mpd"]
            command = ["node", str(PLAYERS / "live.mjs"), chromium, str(WATCHED), *jobs]
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=WATCHED + 100)
            again.join()
        found = {each["player"]: each for each in map(json.loads, done.stdout.splitlines())}
        print(done.stdout)
        playlist = m3u8.load(f"{folder}/f0.m3u8")
        assert sum(s.discontinuity for s in playlist.segments) == 1
        for each in found.values():
            assert each["errors"] == []
            assert each["codecs"][0].startswith("avc1")
            assert each["audioBytes"]
        for each in found.values():
            assert each["shown"] > KILLED + 6  # more than there was before the kill
    finally:
        stop()


@BY_HAND
def test_players_of_others_play_a_stream_in_parts(tmp_path, chromium):
    """hls.js follows the parts of the H.264 rung, Shaka and dash.js the segments that they make; by hand, as above."""
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    clip, folder, log = write_clip(tmp_path / "clip.mkv", 8), tmp_path / "live", tmp_path / "log"
    send = [ffmpeg, "-v", "error", "-re", "-stream_loop", "-1", "-i", str(clip), "-c", "copy", "-f", "matroska", "-"]
    encode = [sys.executable, "-c", QUICK_PROGRAM, "encode", "-", "-o", f"{folder}/", "--live", "--segment", "2"]
    encode += ["--part", "0.5", "--fallback", "avc", "--window", "60"]
    with (
        subprocess.Popen(send, stdout=subprocess.PIPE) as sender,
        subprocess.Popen(encode, cwd=ROOT, stdin=sender.stdout) as encoder,
    ):
        try:
            end = time.monotonic() + 60
            while not (folder / "f0.m3u8").exists() or len(m3u8.load(f"{folder}/f0.m3u8").segments) < 5:
                assert time.monotonic() < end
                time.sleep(0.1)
            for url in serve(folder, log=log):
                jobs = [f"hls={url}/master.m3u8", f"shaka={url}/manifest.mpd", f"dash={url}/manifest.mpd"]
                jobs.append(f"dash-timeline={url}/manifest.mpd")
                command = ["node", str(PLAYERS / "live.mjs"), chromium, "20", *jobs]
                done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        finally:
            for child in (encoder, sender):
                child.kill()
    print(done.stdout)
    for each in map(json.loads, done.stdout.splitlines()):
        assert each["errors"] == []
        assert each["codecs"][0].startswith("avc1")
        assert each["shown"] > 8
    assert log.read_text().count("/part_") > 10
