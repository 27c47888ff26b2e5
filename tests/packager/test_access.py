"""Who may fetch: signed addresses, a function of the user's, and nginx in front with a base path."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from packaged import free_port, package_plain, serve, write_stream

from gvideo import VideoDecoder
from gvideo.cli import main
from gvideo.errors import MediaError, OptionError
from packager.check import check_presentation
from packager.server.access import AccessRequest, load_hook, opened, read_keys, sign, without_signature
from packager.server.app import make_app

KEY, OTHER = b"0123456789abcdef", b"another key of some length"
CONFIGURATION = Path(__file__).parents[2] / "deploy" / "nginx.conf"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("access")
    package_plain(write_stream(base / "s.gsv", count=12, num_layers=2), base / "out" / "show")
    shutil.copytree(base / "out" / "show", base / "out", dirs_exist_ok=True)
    return base / "out"


def answers(app, *paths: str, method: str = "GET") -> list[httpx.Response]:
    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://h") as client:
            return [await client.request(method, path) for path in paths]

    return asyncio.run(ask())


def test_a_token_opens_what_lies_below_its_folder_until_it_expires():
    token = sign(KEY, "/show/", 2000)
    assert opened(f"/show/{token}/a/b.m4s", (KEY,), 1999) == "/show/a/b.m4s"
    assert opened(f"/show/{token}/", (KEY,), 1999) == "/show/"
    assert opened(f"/show/{token}/a/b.m4s", (OTHER, KEY), 1999) == "/show/a/b.m4s"
    refused = [
        f"/show/{token}/a.m4s?", f"/other/{token}/a.m4s", f"/{token}/a.m4s", f"/show/x/{token}/a.m4s",
        f"/show/{token.replace('2000', '3000')}/a.m4s", f"/show/{token[:-1]}/a.m4s", f"/show/{token}", "/show/a.m4s",
        f"/show/{token[:-1]}\u00e9/a.m4s",
    ]  # fmt: skip
    for path in refused[1:]:
        assert opened(path, (KEY,), 1999) is None, path
    assert opened(f"/show/{token}/../other/a.m4s", (KEY,), 1999) is None  # as %2e%2e arrives
    assert opened(f"/show/{token}/a.m4s", (KEY,), 2000) is None
    assert opened(f"/show/{token}/a.m4s", (OTHER,), 1999) is None
    assert without_signature(f"/show/{token}/a.m4s") == "/show/t.2000.-/a.m4s"
    assert without_signature("/show/a.m4s") == "/show/a.m4s"


def test_playlists_and_segments_behind_a_token(folder, caplog):
    app = make_app(folder, keys=(KEY,))
    token = sign(KEY, "/show/", int(time.time()) + 60)
    name = next((folder / "show").glob("v0-*/seg_1.m4s")).relative_to(folder / "show")
    caplog.set_level(logging.INFO, "gvideo.access")
    whole = sign(KEY, "/", int(time.time()) + 60)
    good = answers(app, f"/show/{token}/master.m3u8", f"/show/{token}/{name}", f"/{whole}/r1/{name}")
    assert [a.status_code for a in good] == [200, 200, 200]
    assert good[1].content.startswith(good[2].content)
    assert good[1].content == (folder / "show" / name).read_bytes()
    assert all(a.headers["cache-control"].startswith("private") for a in good)
    bad = answers(
        app, "/show/master.m3u8", f"/{token}/master.m3u8", f"/show/{token}/../../master.m3u8", "/", f"/{name}"
    )
    assert {a.status_code for a in bad} == {403}
    assert {a.headers["access-control-allow-origin"] for a in bad} == {"*"}
    assert {a.headers["cache-control"] for a in bad} == {"no-store"}
    assert answers(app, "/show/master.m3u8", method="OPTIONS")[0].status_code == 204
    assert token not in caplog.text
    assert "/t." in caplog.text


def test_players_follow_relative_addresses(folder, tmp_path, capsys):
    """A server with keys and two workers: the whole presentation can be read through one address, by any reader."""
    keys = tmp_path / "keys"
    keys.write_bytes(KEY + b"\n" + OTHER + b"\n")
    assert main(["serve", str(folder), "--token-key-file", str(keys), "--print-token", "600"]) == 0
    begin = capsys.readouterr().out.strip()
    options = ["--token-key-file", str(keys), "--server", "granian", "--workers", "2"]
    for url in serve(folder, *options, log=tmp_path / "log"):
        assert httpx.get(f"{url}/master.m3u8").status_code == 403
        assert check_presentation(f"{url}{begin}")[0] == []
        for manifest in ("master.m3u8", "manifest.mpd"):
            assert len(VideoDecoder(f"{url}{begin}{manifest}")) == 150
        head = httpx.head(f"{url}{begin}manifest.mpd")
        assert "date" in head.headers  # live manifests name it as their clock
        assert "Date" in head.headers["access-control-expose-headers"]


def test_a_function_decides(folder, tmp_path, monkeypatch):
    (tmp_path / "rules_of_mine.py").write_text(
        "seen = []\n"
        "def plain(request):\n    seen.append(request)\n    return request.headers.get('x-user') == 'me'\n"
        "async def later(request):\n    return request.query == 'yes'\n"
    )
    monkeypatch.chdir(tmp_path)
    plain, later = (load_hook(f"rules_of_mine:{name}") for name in ("plain", "later"))

    async def ask(app, **request) -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://h") as client:
            return (await client.get("/master.m3u8", **request)).status_code

    app = make_app(folder, hook=plain)
    assert asyncio.run(ask(app, headers={"X-User": "me"})) == 200
    assert asyncio.run(ask(app, headers={"X-User": "you"})) == 403
    import rules_of_mine

    assert isinstance(rules_of_mine.seen[0], AccessRequest)
    assert (rules_of_mine.seen[0].method, rules_of_mine.seen[0].path) == ("GET", "/master.m3u8")
    app = make_app(folder, hook=later)
    assert asyncio.run(ask(app, params={"no": ""})) == 403
    both = make_app(folder, keys=(KEY,), hook=plain)
    assert asyncio.run(ask(both, headers={"X-User": "me"})) == 403


def test_keys_and_functions_that_are_none(folder, tmp_path, capsys):
    (tmp_path / "short").write_bytes(b"0123\n")
    with pytest.raises(OptionError, match="at least 16 bytes"):
        read_keys(tmp_path / "short")
    with pytest.raises(MediaError, match="absent"):
        read_keys(tmp_path / "absent")
    for name, words in [("os", "MODULE:FUNCTION"), ("os:absent", "cannot be loaded"), ("no_such:f", "cannot be loaded"),
                        ("os:sep", "is no function")]:  # fmt: skip
        with pytest.raises(OptionError, match=words):
            load_hook(name)
    assert main(["serve", str(folder), "--print-token", "60"]) == 2
    assert main(["serve", str(folder), "--authorize", "os:absent"]) == 2
    assert "--authorize os:absent" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("nginx") is None, reason="needs nginx")
def test_nginx_in_front_with_a_base_path(folder, tmp_path):
    """The configuration of deploy/, with the ports and folders of this test."""
    front = free_port()
    for url in serve(folder, log=tmp_path / "log"):
        text = CONFIGURATION.read_text().replace("127.0.0.1:8000", url.removeprefix("http://"))
        text = text.replace("127.0.0.1:8080", f"127.0.0.1:{front}").replace("/srv/stream/", f"{folder}/")
        text = text.replace("/tmp/gvideo-nginx-cache", str(tmp_path / "cache"))
        temporary = "".join(
            f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root root; " if os.geteuid() == 0 else ""  # workers are another user otherwise
        (tmp_path / "nginx.conf").write_text(
            f"{user}daemon off; pid {tmp_path}/pid; error_log {tmp_path}/errors; events {{}}\n"
            f"http {{ access_log off; {temporary}\n{text}\n}}\n"
        )
        with subprocess.Popen(["nginx", "-c", str(tmp_path / "nginx.conf")], stderr=subprocess.PIPE) as nginx:
            try:
                base = f"http://127.0.0.1:{front}"
                for _ in range(200):
                    try:
                        httpx.get(base)
                        break
                    except httpx.TransportError:
                        assert nginx.poll() is None, nginx.stderr and nginx.stderr.read()
                        time.sleep(0.05)
                for place in (f"{base}/video/", f"{base}/files/"):
                    assert check_presentation(place)[0] == []
                    assert len(VideoDecoder(f"{place}manifest.mpd")) == 150
                name = next(folder.glob("v0-*/seg_1.m4s")).relative_to(folder).as_posix()
                whole = (folder / name).read_bytes()
                for span in ((0, 99), (100, 299), (0, 99)):
                    part = httpx.get(f"{base}/video/{name}", headers={"Range": f"bytes={span[0]}-{span[1]}"})
                    assert (part.status_code, part.content) == (206, whole[span[0] : span[1] + 1])
                assert httpx.get(f"{base}/video/").headers["content-type"].startswith("text/html")
                assert httpx.get(f"{base}/master.m3u8").status_code == 404
            finally:
                nginx.terminate()
                nginx.wait(10)
