"""Public names are found by `dir` and editors, load lazily, and say what they take, give and raise; examples run."""

from __future__ import annotations

import ast
import dataclasses
import doctest
import importlib
import inspect
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parent.parent
PACKAGES = (
    "gvideo", "gvideo.decoder", "gvideo.decoder.transforms", "gvideo.errors", "gvideo.media", "gvideo.raster",
    "gvideo.data", "gvideo.samplers",
    "packager", "packager.check", "player",
)  # fmt: skip
SECTION = re.compile(r"^(Args|Returns|Raises|Example):$", re.MULTILINE)


def public_objects() -> Iterator[tuple[str, Any]]:
    """(name, object) of every public class and function and of every public method."""
    seen = set()
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in module.__all__:
            found = getattr(module, name)
            if isinstance(found, ModuleType) or id(found) in seen:
                continue
            seen.add(id(found))
            yield f"{package}.{name}", found
            if inspect.isclass(found):
                for method, member in vars(found).items():
                    if not method.startswith("_") and inspect.isfunction(member):
                        yield f"{package}.{name}.{method}", member


OBJECTS = dict(public_objects())


def sections_of(text: str) -> dict[str, str]:
    """The sections of a docstring by their heading; "" for what is in front of the first."""
    parts = SECTION.split(inspect.cleandoc(text))
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def parameters_of(found: Any) -> list[str]:
    if inspect.isclass(found):
        if dataclasses.is_dataclass(found):
            return [field.name for field in dataclasses.fields(found)]
        if found.__init__ is object.__init__ or getattr(found, "_is_protocol", False):
            return []
        found = found.__init__
    return [name for name in inspect.signature(found).parameters if name != "self"]


def faults_of(found: Any) -> list[str]:
    """What a docstring lacks."""
    sections = sections_of(found.__doc__ or "")
    faults = [] if sections[""].strip() else ["a sentence"]
    if inspect.isclass(found) and issubclass(found, BaseException):
        return faults
    named = re.findall(r"^    (\w+): \S", sections.get("Args", ""), re.MULTILINE)
    if named != parameters_of(found):
        faults.append(f"Args for {parameters_of(found)}, there are {named}")
    if inspect.isfunction(found) and inspect.signature(found).return_annotation not in ("None", None):
        faults += [] if sections.get("Returns", "").strip() else ["Returns"]
    source = inspect.getsource(found)
    if re.search(r"^\s+raise \w", source, re.MULTILINE) and not re.search(r"    \w+: \S", sections.get("Raises", "")):
        faults.append("Raises")
    if ">>> " not in sections.get("Example", ""):
        faults.append("Example")
    return faults


@pytest.mark.parametrize("name", OBJECTS)
def test_docstrings_have_their_sections(name: str) -> None:
    assert faults_of(OBJECTS[name]) == []


def test_missing_sections_are_found() -> None:
    def undocumented(width: int) -> int:
        """A sentence."""
        if width < 0:
            raise ValueError
        return width

    assert faults_of(undocumented) == ["Args for ['width'], there are []", "Returns", "Raises", "Example"]


def test_all_that_users_meet_is_public() -> None:
    assert len(OBJECTS) > 50
    expected = {"gvideo.VideoDecoder.get_frames_played_in_range", "gvideo.encode", "packager.package_streams"}
    assert expected <= set(OBJECTS)


@pytest.mark.parametrize("package", PACKAGES)
def test_dir_lists_the_public_names_alone(package: str) -> None:
    module = importlib.import_module(package)
    if not hasattr(module, "__path__"):  # a module that defines what it lists
        assert set(module.__all__) <= set(dir(module))
        return
    assert set(dir(module)) - {"__version__"} == set(module.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = module.no_such_name


@pytest.mark.parametrize("package", PACKAGES)
def test_editors_see_the_types(package: str) -> None:
    """Every lazy name is imported for type checkers too."""
    module = importlib.import_module(package)
    tree = ast.parse(inspect.getsource(module))
    bound = {a.asname or a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names}
    bound |= {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    assert set(module.__all__) <= bound


def test_imports_stay_light() -> None:
    code = (
        "import sys, gvideo, packager, player; dir(gvideo); gvideo.VideoDecoder, gvideo.transforms, gvideo.errors\n"
        "print([m for m in ('torch', 'numba', 'av', 'cv2', 'scipy', 'urllib3') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def sample_folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """clip.gsv, 40 frames of 64x48, and clip.mp4, 8 frames of 48x32."""
    folder = tmp_path_factory.mktemp("examples")
    shutil.copy(ROOT / "tests" / "golden" / "cut.gsv", folder / "clip.gsv")
    with av.open(str(folder / "clip.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        y, x = np.mgrid[:32, :48]
        for number in range(8):
            wave = 128 + 60 * np.sin((x + 2 * number) / 7) * np.cos(y / 5)
            frame = av.VideoFrame.from_ndarray(np.repeat(wave[..., None], 3, 2).astype(np.uint8), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return folder


@pytest.mark.parametrize("name", [name for name in OBJECTS if ">>> " in (OBJECTS[name].__doc__ or "")])
def test_examples_run(
    name: str, sample_folder: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gvideo
    import packager
    import player

    for clip in sample_folder.iterdir():
        shutil.copy(clip, tmp_path)
    monkeypatch.chdir(tmp_path)
    known = {"gvideo": gvideo, "packager": packager, "player": player, "np": np, "dataclasses": dataclasses,
             "pathlib": pathlib, "Fraction": Fraction}  # fmt: skip
    example = doctest.DocTestParser().get_doctest(inspect.cleandoc(OBJECTS[name].__doc__), known, name, None, 0)
    assert example.examples
    lines: list[str] = []
    doctest.DocTestRunner(verbose=False).run(example, out=lines.append)
    assert not lines, "".join(lines)
