"""The server under uvicorn and granian: what it answers, byte for byte, and what it must never serve."""

from __future__ import annotations

import asyncio
import gzip
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import m3u8
import pytest
from packaged import free_port, serve

from gvideo.cli import main
from gvideo.errors import MediaError
from packager.check import check_presentation
from packager.isobmff.box import parse_boxes
from packager.server.app import make_app

SECRET = "the secret beside the folder"


@pytest.fixture(scope="module")
def folder(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("site")
    shutil.copytree(published, base / "out")
    (base / "secret.txt").write_text(SECRET)
    (base / "out" / ".hidden").write_text(SECRET)
    (base / "out" / ".rungs").mkdir()
    (base / "out" / ".rungs" / "x.gsv").write_text(SECRET)
    (base / "out" / "link.m4s").symlink_to(base / "secret.txt")
    return base / "out"


@pytest.fixture(scope="module", params=["uvicorn", "granian"])
def url(request, folder) -> Iterator[str]:
    yield from serve(folder, "--server", request.param, log=folder.parent / f"log-{request.param}")


@pytest.fixture(scope="module")
def segment(folder: Path) -> tuple[str, bytes]:
    path = next(folder.glob("v0-*/seg_2.m4s"))
    return path.relative_to(folder).as_posix(), path.read_bytes()


def test_files_have_types_validators_and_life_times(url, folder):
    kinds = {
        "master.m3u8": ("application/vnd.apple.mpegurl", "public, max-age=2"),
        "manifest.mpd": ("application/dash+xml", "public, max-age=2"),
        "s0/seg_1.vtt": ("text/vtt; charset=utf-8", "public, max-age=60"),
        "poster.jpg": ("image/jpeg", "public, max-age=60"),
        next(folder.glob("v0-*/seg_1.m4s")).relative_to(folder).as_posix(): (
            "video/iso.segment", "public, max-age=31536000, immutable",
        ),
        next(folder.glob("v0-*/init.mp4")).relative_to(folder).as_posix(): (
            "video/mp4", "public, max-age=31536000, immutable",
        ),
    }  # fmt: skip
    for name, (kind, cache) in kinds.items():
        answer = httpx.get(f"{url}/{name}", headers={"Accept-Encoding": "identity"})
        assert answer.status_code == 200
        assert answer.content == (folder / name).read_bytes()
        assert answer.headers["content-type"] == kind
        assert answer.headers["cache-control"] == cache
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "Content-Range" in answer.headers["access-control-expose-headers"]
        head = httpx.head(f"{url}/{name}", headers={"Accept-Encoding": "identity"})
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(answer.content))
        again = httpx.get(
            f"{url}/{name}", headers={"If-None-Match": answer.headers["etag"], "Accept-Encoding": "identity"}
        )
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["access-control-allow-origin"] == "*"
        since = {"If-Modified-Since": answer.headers["last-modified"], "Accept-Encoding": "identity"}
        assert httpx.get(f"{url}/{name}", headers=since).status_code == 304


def test_ranges(url, segment):
    name, data = segment
    size = len(data)
    etag = httpx.get(f"{url}/{name}").headers["etag"]
    cases = {
        "bytes=0-9": (206, data[:10], f"bytes 0-9/{size}"),
        "bytes=10-": (206, data[10:], f"bytes 10-{size - 1}/{size}"),
        "bytes=-7": (206, data[-7:], f"bytes {size - 7}-{size - 1}/{size}"),
        f"bytes=5-{size + 99999}": (206, data[5:], f"bytes 5-{size - 1}/{size}"),
        f"bytes={size}-": (416, None, f"bytes */{size}"),
        "bytes=99999999999999999999-": (416, None, f"bytes */{size}"),
    }
    for asked, (status, body, told) in cases.items():
        answer = httpx.get(f"{url}/{name}", headers={"Range": asked})
        assert answer.status_code == status, asked
        assert answer.headers["content-range"].replace("*/", "bytes */").replace("bytes bytes", "bytes") == told
        if body is not None:
            assert answer.content == body
    for odd in (
        "bytes=9-2",
        "bytes=a-b",
        "lines=1-2",
        "items=0-1",
        "bytes=",
        "bytes=-",
        "bytes=0-1,x",
        "bytes",
    ):  # what is no range of bytes is ignored (RFC 9110, section 14.2)
        answer = httpx.get(f"{url}/{name}", headers={"Range": odd})
        assert (answer.status_code, answer.content) == (200, data), odd
    fresh = httpx.get(f"{url}/{name}", headers={"Range": "bytes=0-9", "If-Range": etag})
    assert (fresh.status_code, fresh.content) == (206, data[:10])
    stale = httpx.get(f"{url}/{name}", headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (stale.status_code, stale.content) == (200, data)


def test_several_ranges_are_a_multipart(url, segment):
    name, data = segment
    answer = httpx.get(f"{url}/{name}", headers={"Range": "bytes=0-3,10-14,-2"})
    assert answer.status_code == 206
    found = re.match(r"multipart/byteranges; boundary=(\S+)", answer.headers["content-type"])
    assert found
    parts = [p.split(b"\r\n\r\n", 1)[1].rstrip(b"\r\n") for p in answer.content.split(b"--" + found[1].encode())[1:-1]]
    assert [p[: len(w)] for p, w in zip(parts, [data[:4], data[10:15], data[-2:]], strict=True)] == [
        data[:4], data[10:15], data[-2:],
    ]  # fmt: skip


def test_manifests_are_compressed_and_media_are_not(url, folder, segment):
    with httpx.stream("GET", f"{url}/master.m3u8", headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in answer.headers["vary"]
    assert gzip.decompress(raw) == (folder / "master.m3u8").read_bytes()
    plain = httpx.get(f"{url}/master.m3u8", headers={"Accept-Encoding": "identity"})
    assert plain.headers["etag"] != answer.headers["etag"]
    headers = {"Accept-Encoding": "gzip", "If-None-Match": answer.headers["etag"]}
    assert httpx.get(f"{url}/master.m3u8", headers=headers).status_code == 304
    assert "content-encoding" not in httpx.get(f"{url}/{segment[0]}", headers={"Accept-Encoding": "gzip"}).headers


def test_preflight_and_other_methods(url):
    answer = httpx.options(
        f"{url}/master.m3u8", headers={"Origin": "http://a", "Access-Control-Request-Headers": "range"}
    )
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "GET" in answer.headers["access-control-allow-methods"]
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert httpx.request(method, f"{url}/master.m3u8").status_code == 405


def raw_request(url: str, target: str) -> bytes:
    """An answer to a request line that no client library would send."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as s:
        s.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode("latin-1"))
        answer = b""
        while part := s.recv(65536):
            answer += part
    return answer


@pytest.mark.parametrize(
    "target",
    [
        "/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/%2e%2e%2fsecret.txt", "/v0/../../secret.txt",
        "/..%5csecret.txt", "//etc/passwd", "/%2fetc/passwd", "/.hidden", "/%2ehidden", "/.rungs/x.gsv", "/link.m4s",
        "/r1/../../secret.txt", "/r1/%2e%2e/secret.m4s", "/master.m3u8%00", "/%00", "/r1/", "/r1/.hidden.m4s",
        "/%c0%ae%c0%ae/secret.txt", "/" + "a/" * 3000, "/v0", "/%ff%fe",
    ],
)  # fmt: skip
def test_nothing_outside_is_served(url, target):
    answer = raw_request(url, target)
    assert SECRET.encode() not in answer
    assert b"root:" not in answer
    assert re.match(rb"HTTP/1.1 4\d\d", answer), answer[:60]


def test_a_rung_has_a_name_of_its_own(url, folder, segment):
    name, data = segment
    ranges = {k: m3u8.load(str(folder / f"v0_{k}.m3u8")).segments[1].byterange for k in (1, 2, 3)}
    for layer, told in ranges.items():
        answer = httpx.get(f"{url}/r{layer}/{name}")
        assert answer.status_code == 200
        assert answer.content == data[: int(told.partition("@")[0])]
        assert parse_boxes(answer.content)
        assert answer.headers["content-type"] == "video/iso.segment"
        tag = answer.headers["etag"]
        assert httpx.get(f"{url}/r{layer}/{name}", headers={"If-None-Match": tag}).status_code == 304
    assert httpx.get(f"{url}/r9/{name}").content == data
    single = next(folder.glob("v1-*/seg_1.m4s")).relative_to(folder).as_posix()
    assert httpx.get(f"{url}/r1/{single}").status_code == 404  # it has no layers
    assert httpx.get(f"{url}/r1/v0-0/seg_1.m4s").status_code == 404


def test_the_check_passes_over_http(url):
    assert check_presentation(url)[0] == []
    assert check_presentation(f"{url}/master.m3u8")[0] == []


def test_a_slow_client_does_not_hold_up_others(url, folder):
    big = folder / "big.m4s"
    big.write_bytes(bytes(8 << 20))
    host, _, port = url.removeprefix("http://").partition(":")
    slow = []
    try:
        for target in ["/big.m4s"] * 8:
            s = socket.create_connection((host, int(port)))
            s.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())  # and never reads
            slow.append(s)
        half = socket.create_connection((host, int(port)))
        half.sendall(b"GET /master.m3u8 HTT")
        slow.append(half)
        for _ in range(5):
            assert httpx.get(f"{url}/master.m3u8", timeout=5).status_code == 200
    finally:
        for s in slow:
            s.close()
        big.unlink()


def test_many_clients_get_whole_files(url, segment):
    name, data = segment
    wrong: list[bool] = []

    def fetch() -> None:
        with httpx.Client() as client:
            wrong.extend(client.get(f"{url}/{name}").content != data for _ in range(10))

    threads = [threading.Thread(target=fetch) for _ in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(wrong) == 120
    assert not any(wrong)


def test_the_access_log_is_one_line_a_request(url, folder, request):
    name = request.node.callspec.params["url"]
    httpx.get(f"{url}/poster.jpg")
    httpx.get(f"{url}/absent-file?x=1", headers={"User-Agent": 'a"b\\c', "Range": "bytes=0-1"})
    time.sleep(0.2)
    lines = (folder.parent / f"log-{name}").read_text().splitlines()
    assert any(re.search(r' GET /poster.jpg "-" 200 [1-9]\d+ ', x) for x in lines)
    line = next(x for x in lines if "/absent-file" in x)
    assert re.fullmatch(r'127\.0\.0\.1 GET /absent-file "bytes=0-1" 404 \d+ \d+\.\d "a\?b\\c"', line)


def test_bad_options_are_one_line(published, tmp_path, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        cases = [
            ([tmp_path / "absent"], "is no folder"),
            ([published, "--port", "0"], "--port 0"),
            ([published, "--workers", "2"], "granian only"),
            ([published, "--port", port], "cannot listen"),
            ([published, "--metrics", "many"], "PORT or IP:PORT wanted"),
            ([published, "--metrics", port], f"--metrics {port}: cannot listen there"),
        ]
        for arguments, words in cases:
            assert main(["serve", *map(str, arguments)]) == 2
            assert words in capsys.readouterr().err


@pytest.mark.parametrize("server", [("uvicorn",), ("granian", "--workers", "2")], ids=lambda s: s[0])
def test_figures_for_prometheus(server, folder, segment):
    port = free_port()
    children = serve(
        folder, "--server", *server, "--metrics", str(port), log=folder.parent / f"log-metrics-{server[0]}"
    )
    url, where = next(children), f"http://127.0.0.1:{port}/metrics"
    try:
        before = figures(where)
        for _ in range(8):
            httpx.get(f"{url}/master.m3u8")
            httpx.get(f"{url}/{segment[0]}", headers={"range": "bytes=10-29"})
        for path in ("absent.m4s", "x" * 200 + ".m3u8"):
            assert httpx.get(f"{url}/{path}").status_code == 404
        wanted = {
            'gvideo_http_requests_total{kind="playlist",status="200"}': 8,
            'gvideo_http_requests_total{kind="segment",status="206"}': 8,
            'gvideo_http_requests_total{kind="segment",status="404"}': 1,
            'gvideo_http_response_bytes_total{kind="playlist"}': None,
            'gvideo_http_request_seconds_count{kind="segment"}': 9,
            'gvideo_http_request_seconds_bucket{kind="playlist",le="+Inf"}': 9,
            "gvideo_http_requests_open": 0,
        }
        after = figures(where)
        for name, count in wanted.items():
            assert name in after
            if count is not None:
                assert after[name] - before.get(name, 0) == count, name
        sent = 'gvideo_http_response_bytes_total{kind="segment"}'
        assert after[sent] - before.get(sent, 0) >= 8 * 20
        assert not any("xxx" in name for name in after)
        assert httpx.get(f"{url}/metrics").status_code == 404
    finally:
        children.close()


def figures(where: str) -> dict[str, float]:
    """Of Prometheus' text format: name with labels -> value."""
    lines = [line for line in httpx.get(where).text.splitlines() if line.startswith("gvideo_")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_the_page_of_the_player_stands_behind_the_folder(published, tmp_path):
    (tmp_path / "index.html").write_text("<!doctype html>page")
    (tmp_path / "app.js").write_text("1")
    (tmp_path / "master.m3u8").write_text("not this one")

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(make_app(published, tmp_path))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return [await client.get(path) for path in ("/", "/index.html", "/app.js", "/master.m3u8", "/absent")]

    answers = asyncio.run(ask())
    assert [a.status_code for a in answers] == [200, 200, 200, 200, 404]
    assert [a.headers["content-type"].split(";")[0] for a in answers[:3]] == ["text/html"] * 2 + ["text/javascript"]
    assert answers[3].text == (published / "master.m3u8").read_text()
    with pytest.raises(MediaError, match="is no folder"):
        make_app(tmp_path / "nowhere")
