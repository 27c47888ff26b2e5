"""Types of the page's JavaScript, the npm package that is made of it, and its place in the wheel."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import tarfile
import tomllib
from pathlib import Path

import httpx
import pytest
from setuptools import Distribution

from packager.server.app import make_app

ROOT = Path(__file__).parents[2]
WEB = ROOT / "player" / "web"
PLAYERS = ROOT / "tests" / "players"

needs_typescript = pytest.mark.skipif(
    shutil.which("node") is None or not (PLAYERS / "node_modules" / "typescript").is_dir(),
    reason="node and `npm ci` in tests/players are needed",
)


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True, check=False, timeout=600)


def package() -> dict[str, object]:
    read: dict[str, object] = json.loads((WEB / "package.json").read_text())
    return read


@needs_typescript
def test_the_page_and_its_declarations_are_typed() -> None:
    done = run(PLAYERS / "check-types", cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_one_line_says_what_is_missing(tmp_path: Path) -> None:
    script = shutil.copy(PLAYERS / "check-types", tmp_path)
    done = run(script, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "check-types: TypeScript is missing; run npm ci in tests/players\n"


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the package as npm packs it, from a copy of the page with the links that the repository has."""
    if shutil.which("npm") is None:
        pytest.skip("npm is needed")
    root = tmp_path_factory.mktemp("packed")
    shutil.copytree(WEB, root / "player" / "web", symlinks=True)
    (root / "gvideo" / "entropy").mkdir(parents=True)
    shutil.copy(ROOT / "gvideo" / "entropy" / "priors.bin", root / "gvideo" / "entropy")
    shutil.copy(ROOT / "LICENSE", root)
    done = run("npm", "pack", "--offline", "--pack-destination", root, cwd=root / "player" / "web")
    assert done.returncode == 0, done.stderr
    with tarfile.open(root / "gvideo-player-0.1.0.tgz") as archive:
        archive.extractall(root / "node_modules", filter="data")
    (root / "node_modules" / "package").rename(root / "node_modules" / "gvideo-player")
    # packing leaves the sources as they were
    assert os.readlink(root / "player" / "web" / "codec" / "priors.bin") == os.readlink(WEB / "codec" / "priors.bin")
    assert not (root / "player" / "web" / "LICENSE").exists()
    return root


def test_the_package_holds_what_its_modules_load(packed: Path) -> None:
    made = packed / "node_modules" / "gvideo-player"
    names = {str(p.relative_to(made)) for p in made.rglob("*") if p.is_file()}
    modules = {str(p.relative_to(WEB)) for p in WEB.rglob("*") if p.suffix in (".js", ".ts")}
    assert names == modules | {"package.json", "style.css", "codec/priors.bin", "LICENSE"}
    assert (made / "codec" / "priors.bin").read_bytes() == (ROOT / "gvideo" / "entropy" / "priors.bin").read_bytes()
    assert (made / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


@needs_typescript
def test_users_of_the_package_are_told_its_types(packed: Path) -> None:
    shutil.copy(PLAYERS / "user.ts", packed)
    options = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom,dom.iterable"]
    tsc = PLAYERS / "node_modules" / ".bin" / "tsc"
    done = run(tsc, *options, "--module", "nodenext", "--moduleResolution", "nodenext", "user.ts", cwd=packed)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_packages_agree_on_version_and_licence() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    own = package()
    # Python's version is that of the tag; both are on the way to the same release
    release = settings["tool"]["setuptools_scm"]["fallback_version"].removesuffix(".dev0")
    assert (own["version"], own["license"]) == (release, settings["project"]["license"])


def test_the_wheel_takes_every_file_of_the_page() -> None:
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    build = Distribution({"packages": ["player"], "package_data": configured}).get_command_obj("build_py")
    build.ensure_finalized()
    build.manifest_files = {}  # of version control: package data come without it
    found = {Path(p) for p in build.find_data_files("player", str(ROOT / "player"))}
    assert found == {p for p in WEB.rglob("*") if p.is_file()}


def test_the_server_gives_the_page_beside_its_package_file(tmp_path: Path) -> None:
    names = ["", "index.html", "gvideo-player.js", "ui/app.js", "codec/worker.js", "package.json"]

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(make_app(tmp_path))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return [await client.get(f"/{name}") for name in names]

    answers = asyncio.run(ask())
    assert [a.content for a in answers] == [(WEB / (name or "index.html")).read_bytes() for name in names]
    kinds = [a.headers["content-type"].split(";")[0] for a in answers]
    assert kinds == ["text/html"] * 2 + ["text/javascript"] * 3 + ["application/json"]
