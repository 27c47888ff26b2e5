"""A camera that speaks RTSP: a small server of its protocol (RFC 2326), which sends what ffmpeg packs into RTP."""

from __future__ import annotations

import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import m3u8
import numpy as np
import pytest
from packaged import quick_segment, write_clip

from gvideo import VideoDecoder
from gvideo.cli import main
from packager.check import check_presentation

#: Packets that can be joined anywhere: parameters before every keyframe, and many of these.
_CODED = (
    "-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-bf", "0", "-x264-params", "repeat-headers=1", "-f", "rtp",
)  # fmt: skip
FFMPEG = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
SESSION = """v=0\r
o=- 0 0 IN IP4 127.0.0.1\r
s=camera\r
c=IN IP4 0.0.0.0\r
t=0 0\r
m=video 0 RTP/AVP 96\r
a=rtpmap:96 H264/90000\r
a=fmtp:96 packetization-mode=1\r
a=control:track1\r
"""


class Camera(threading.Thread):
    """Serves one viewer after the other a clip in real time, and hangs up at its end. over_tcp: whether it sends RTP
    within the connection, as asked for; else it offers datagrams alone."""

    def __init__(self, clip: Path, over_tcp: bool) -> None:
        super().__init__(daemon=True)
        self._clip, self._over_tcp = clip, over_tcp
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"rtsp://user:secret@127.0.0.1:{self._listening.getsockname()[1]}/cam"
        self.num_viewers = 0
        self.asked: list[str] = []
        self.start()

    def run(self) -> None:
        while True:
            try:
                viewer, _ = self._listening.accept()
            except OSError:
                return
            with viewer:
                self._serve(viewer)

    def close(self) -> None:
        """Nobody can connect any more."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self, viewer: socket.socket) -> None:
        port = 0
        for request in _requests(viewer):
            method, _, _ = request.partition(" ")
            headers = dict(line.split(": ", 1) for line in request.split("\r\n")[1:] if ": " in line)
            self.asked.append(method)
            own, body = "", ""
            if method == "DESCRIBE":
                own, body = "Content-Type: application/sdp\r\n", SESSION
            elif method == "SETUP":
                transport = headers["Transport"]
                if self._over_tcp != ("TCP" in transport):
                    viewer.sendall(f"RTSP/1.0 461 Unsupported Transport\r\nCSeq: {headers['CSeq']}\r\n\r\n".encode())
                    continue
                port = 0 if self._over_tcp else int(transport.partition("client_port=")[2].partition("-")[0])
                own = f"Transport: {transport}\r\nSession: 1\r\n"
            length = f"Content-Length: {len(body)}\r\n" if body else ""
            answer = f"RTSP/1.0 200 OK\r\nCSeq: {headers['CSeq']}\r\n{own}{length}\r\n{body}"
            viewer.sendall(answer.encode())
            if method == "PLAY":
                self.num_viewers += 1
                self._send(viewer, port)
                return

    def _send(self, viewer: socket.socket, port: int) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as packed:
            packed.bind(("127.0.0.1", 0))
            packed.settimeout(2)
            to = port or packed.getsockname()[1]
            command = [FFMPEG, "-v", "error", "-re", "-i", str(self._clip), "-an", *_CODED, f"rtp://127.0.0.1:{to}"]
            with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as sender:
                try:
                    while not port:
                        packet = packed.recv(65536)
                        viewer.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
                except OSError:  # the clip is over, or the viewer has left
                    sender.terminate()


def _requests(viewer: socket.socket) -> Iterator[str]:
    received = b""
    while True:
        while b"\r\n\r\n" not in received:
            data = viewer.recv(4096)
            if not data:
                return
            received += data
        request, _, received = received.partition(b"\r\n\r\n")
        yield request.decode()


@pytest.mark.parametrize("over_tcp", [True, False])
def test_a_camera_that_goes_away_and_comes_back(over_tcp, tmp_path, monkeypatch, capfd):
    """RTP within the connection or beside it; the stream goes on behind a discontinuity when the camera is there again,
    and ends when it stays away. Its password is in no message."""
    monkeypatch.setattr("gvideo.encoder.jobs.pool.encode_segment", quick_segment)
    monkeypatch.setattr("gvideo.commands.encoding.live.SILENCE_SECONDS", 3.0)
    camera = Camera(write_clip(tmp_path / "clip.mkv", 3), over_tcp)
    closing = threading.Thread(target=lambda: (_until(lambda: camera.num_viewers == 2), camera.close()), daemon=True)
    closing.start()
    out = tmp_path / "out"
    options = ["--live", "--segment", "0.4", "--no-keep-up", "--give-up", "6"]
    assert main(["encode", camera.url, "-o", f"{out}/", *options]) == 0
    said = capfd.readouterr().err
    assert camera.num_viewers == 2
    assert said.count("is there again") == 1
    assert "has been gone for 6 s; ended" in said
    assert "secret" not in said
    playlist = m3u8.load(f"{out}/v0.m3u8")
    assert sum(s.discontinuity for s in playlist.segments) == 1
    assert playlist.is_endlist
    assert check_presentation(str(out))[0] == []
    pts = VideoDecoder(out / "manifest.mpd").pts
    assert len(pts) > 80
    assert np.median(np.diff(pts)) == pytest.approx(3600, rel=0.05)


def _until(what: object) -> None:
    while not what():  # type: ignore[operator]
        threading.Event().wait(0.05)


def test_a_protocol_that_the_libraries_lack(tmp_path, capsys):
    av = pytest.importorskip("av")
    try:
        av.open("srt://127.0.0.1:9", timeout=1)
    except av.error.ProtocolNotFoundError:
        assert main(["encode", "srt://127.0.0.1:9", "-o", f"{tmp_path}/o/", "--live"]) == 2
        said = capsys.readouterr().err
        assert "the FFmpeg libraries of this PyAV have no srt; let a program that has it read the source" in said
        assert said.count("\n") == 1
    except (av.error.FFmpegError, OSError):
        pytest.skip("these libraries have it")
