"""What works without the extras, and what says which extra it needs: one process in which their packages are hidden."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gvideo import extras
from gvideo.cli import COMMANDS

ROOT = Path(__file__).parents[1]
STREAM = ROOT / "tests" / "golden" / "cut.gsv"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
#: Distributions whose module has another name.
MODULE_OF = {"opencv-python-headless": "cv2", "pyyaml": "yaml", "ffmpeg-python": "ffmpeg", "pygame-ce": "pygame",
             "pillow": "PIL"}  # fmt: skip

HIDDEN = """
import json, sys
sys.modules |= dict.fromkeys(json.loads(sys.argv.pop(1)))  # None: import finds nothing of that name
"""
NAMES = """
import importlib
from gvideo.errors import MissingExtraError
found = {}
for package in sys.argv[1:]:
    module = importlib.import_module(package)
    for name in module.__all__:
        try:
            getattr(module, name)
        except MissingExtraError as error:
            found[f"{package}.{name}"] = str(error)
print(json.dumps(found))
"""
COMMAND_LINES = """
import contextlib, io
from gvideo.cli import main
results = []
for words in json.loads(sys.argv[1]):
    said, told = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(told):
        try:
            code = main(words)
        except SystemExit as leaving:
            code = leaving.code
    results.append((code, said.getvalue()))
print(json.dumps(results))
"""


def hidden(code: str, *arguments: str, cwd: Path = ROOT) -> object:
    """What code prints, as JSON, in a process that finds none of the extras' packages."""
    done = subprocess.run(
        [sys.executable, "-c", HIDDEN + code, json.dumps(list(extras.EXTRAS)), *arguments],
        capture_output=True, text=True, check=False, cwd=cwd, timeout=600, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_public_names_are_there_or_say_what_they_need():
    packages = ("gvideo", "gvideo.decoder", "gvideo.decoder.transforms", "gvideo.errors", "gvideo.media",
                "gvideo.raster", "gvideo.data", "gvideo.samplers", "packager", "packager.check", "player")  # fmt: skip
    found = hidden(NAMES, *packages)
    encoding = ["ProcessExecutor", "RayExecutor", "SegmentExecutor", "encode"]
    assert list(found) == [f"gvideo.{name}" for name in encoding]
    for name, line in found.items():
        assert re.fullmatch(rf"{re.escape(name)}: needs \w+; pip install 'gvideo\[encode\]'", line)


def test_every_command_works_or_says_what_it_needs(tmp_path):
    stream, need = str(STREAM), "needs {}; pip install 'gvideo[{}]'"
    square = str(STREAM.with_name("shapes.gsv"))
    all_of_encode = "torch, cv2, scipy, threadpoolctl, yaml"
    lines: list[tuple[list[str], str]] = [  # words, and what the error says; "" for none
        (["encode", "clip.mp4", "-o", "a.gsv"], need.format(all_of_encode, "encode")),
        (["batch", "folder", "-o", "coded"], need.format(all_of_encode, "encode")),
        (["eval", "clip.mp4"], need.format(f"{all_of_encode}, ffmpeg, imageio_ffmpeg", "eval")),
        (["study", "density"], need.format(f"{all_of_encode}, ffmpeg, imageio_ffmpeg", "eval")),
        (["decode", stream, "-o", "out.mp4"], ""),
        (["decode", square, "-o", "out.mkv"], ""),
        (["decode", stream, "-o", "not_square.mkv"], need.format("imageio_ffmpeg", "eval")),
        (["decode", stream, "-o", "out.y4m", "--size", "32x24"], ""),
        (["decode", stream, "-o", "out_%02d.png", "--frames", "0:2"], ""),
        (["decode", stream, "-o", "out.mp4", "--device", "cuda"], need.format("torch", "cuda")),
        (["info", stream], ""),
        (["info", stream, "--source", "out.mp4"], ""),
        (["inspect", stream, "-o", "page.html"], ""),
        (["package", stream, "-o", "stream", "--source", "out.mp4", "--fallback", "avc", "--thumbnails"], ""),
        (["package", "--check", "stream"], ""),
        (["package", stream, "-o", "s3://bucket/folder"], need.format("obstore", "store")),
        (["serve", "stream", "--metrics", "9100"], need.format("prometheus_client", "server")),
        (["serve", "stream", "--server", "granian"], need.format("granian", "server")),
        (["play", stream, "--dump", "dumped.y4m"], ""),
        (["play", stream, "--no-window"], ""),
        (["play", "stream", "--simulate", "3g"], ""),
        (["doctor", "--compile"], ""),
        (["completion", "bash"], ""),
    ]  # fmt: skip
    assert {words[0] for words, _ in lines} == set(COMMANDS)
    found = hidden(COMMAND_LINES, json.dumps([words for words, _ in lines]), cwd=tmp_path)
    for (words, wanted), (code, said) in zip(lines, found, strict=True):
        assert code == (2 if wanted else 0), (words, said)
        errors = [line for line in said.splitlines() if "pip install" in line]
        assert len(errors) == bool(wanted), (words, said)
        assert wanted in said, (words, said)


def test_a_window_and_tensors_say_what_they_need():
    code = """
import gvideo
from gvideo.errors import MissingExtraError
found = []
for act in (lambda: gvideo.VideoDecoder(sys.argv[1], output="torch"), lambda: __import__("player.desktop.window")):
    try:
        act()
    except MissingExtraError as error:
        found.append(str(error))
with gvideo.VideoDecoder(sys.argv[1]) as video:
    found.append(type(video[0]).__module__)
print(json.dumps(found))
"""
    tensors, window, array = hidden(code, str(STREAM))
    assert tensors == "output=\"torch\": needs torch; pip install 'gvideo[encode]'"
    assert window.endswith("needs pygame; pip install 'gvideo[play]'")
    assert array == "numpy"


def modules_of(requirements: list[str]) -> set[str]:
    names = [re.match(r"[\w-]+", requirement)[0] for requirement in requirements]
    return {MODULE_OF.get(name, name.replace("-", "_")) for name in names if name != "gvideo"}


def test_extras_bring_what_they_are_said_to_bring():
    for extra in sorted(set(extras.EXTRAS.values())):
        said = {module for module, name in extras.EXTRAS.items() if name == extra}
        assert said == modules_of(PROJECT["optional-dependencies"][extra]), extra
    for extra, contained in extras.CONTAINS.items():
        assert f"gvideo[{','.join(contained)}]" in PROJECT["optional-dependencies"][extra]


@pytest.mark.parametrize("package", ["gvideo", "packager", "player"])
def test_everything_imported_is_a_dependency_or_of_an_extra(package):
    known = modules_of(PROJECT["dependencies"]) | set(extras.EXTRAS) | set(sys.stdlib_module_names)
    known |= {"gvideo", "packager", "player"} | {"llvmlite", "anyio", "grpc"}  # come with numba, starlette, ray
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for name in names:
                assert name.partition(".")[0] in known, f"{path} imports {name}"


def test_other_missing_modules_stay_bugs():
    with pytest.raises(ModuleNotFoundError) as caught, extras.explained("something"):
        import no_such_module_at_all  # noqa: F401
    assert not isinstance(caught.value, extras.MissingExtraError)
