"""What the server makes of the protocol below it: requests that two readers may read differently, HTTP/2, TLS."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaged import serve

from gvideo.cli import main

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")


@pytest.fixture(scope="module", params=["uvicorn", "granian"])
def url(request, published, tmp_path_factory) -> Iterator[str]:
    yield from serve(published, "--server", request.param, log=tmp_path_factory.mktemp("http") / "log")


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: +5",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding : chunked",
        "X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: abc",
    ],
)
def test_a_request_whose_end_is_in_doubt_is_refused(url, headers):
    """The second request hides in the body of the first; it must not be answered."""
    host, _, port = url.removeprefix("http://").partition(":")
    hidden = "GET /master.m3u8 HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as s:
        s.sendall(f"GET /poster.jpg HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n0\r\n\r\n{hidden}".encode())
        answer = b""
        while part := s.recv(65536):
            answer += part
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501")), answer[:80]
    assert answer.count(b"HTTP/1.1") == 1
    assert b"#EXTM3U" not in answer


def curl(*arguments: str) -> tuple[str, bytes]:
    """(version of HTTP and status, body)."""
    command = ["curl", "--silent", "--show-error", "--write-out", "%{stderr}%{http_version} %{http_code}", *arguments]
    done = subprocess.run(command, capture_output=True, timeout=30, check=True)
    return done.stderr.decode(), done.stdout


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


def test_http2_without_tls(published, tmp_path):
    """As proxies speak it to what is behind them, with ranges, validators and many requests on one connection."""
    segment = next(published.glob("v0-*/seg_2.m4s")).relative_to(published).as_posix()
    data = (published / segment).read_bytes()
    for url in serve(published, "--server", "granian", log=tmp_path / "log"):
        told, body = curl("--http2-prior-knowledge", "-H", "Range: bytes=3-9", f"{url}/{segment}")
        assert (told, body) == ("2 206", data[3:10])
        many = [word for name in ("master.m3u8", "manifest.mpd", segment) for word in (f"{url}/{name}",)]
        _, body = curl("--http2-prior-knowledge", "--parallel", *(["--parallel-immediate"]), *many)
        assert len(body) == sum((published / name).stat().st_size for name in ("master.m3u8", "manifest.mpd", segment))


@pytest.mark.parametrize(("server", "version"), [("granian", "2"), ("uvicorn", "1.1")])
def test_https(server, version, published, certificate, tmp_path):
    cert, key = certificate
    options = ["--server", server, "--tls-cert", str(cert), "--tls-key", str(key)]
    for url in serve(published, *options, log=tmp_path / "log"):
        address = url.replace("http://", "https://")
        told, body = curl("--http2", "--cacert", str(cert), f"{address}/master.m3u8")
        assert (told, body) == (f"{version} 200", (published / "master.m3u8").read_bytes())


@pytest.mark.parametrize("text", [None, "no key"])
def test_bad_certificates_are_one_line(text, published, certificate, tmp_path, capsys):
    key = tmp_path / "key.pem"
    if text:
        key.write_text(text)
    assert main(["serve", str(published), "--tls-cert", str(certificate[0]), "--tls-key", str(key)]) == 2
    said = capsys.readouterr().err
    assert "--tls-key" in said
    assert said.count("\n") == 1
    assert main(["serve", str(published), "--tls-cert", str(certificate[0])]) == 2
    assert "both or none" in capsys.readouterr().err
