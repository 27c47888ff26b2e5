"""Clips for tests: synthetic ones made on the spot, real ones from the folder GVIDEO_CLIPS (tests skip without it)."""

from __future__ import annotations

import importlib.util
import os
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# An example may take as long as a busy machine needs.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

ROOT = Path(__file__).parent.parent
#: Modules that tests use to wait for other programs: processes, servers, a cluster, a screen.
_WAIT_FOR_OTHERS = ("subprocess", "threading", "socket", "ray")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that wait for other programs, a browser among them, may run again, twice: on a busy machine these miss
    deadlines or do not start. A fault of ours is there every time. The summary says how many ran again."""
    for item in items:
        names = vars(item.module) if isinstance(item, pytest.Function) else {}
        waits = any(isinstance(names.get(name), ModuleType) for name in _WAIT_FOR_OTHERS)
        if waits or "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.flaky(reruns=2))


@pytest.fixture(scope="session")
def real_clip() -> Callable[[str], Path]:
    """Path of a real clip by name; skips the test where the folder or the clip is missing."""

    def find(name: str) -> Path:
        folder = os.environ.get("GVIDEO_CLIPS")
        if not folder:
            pytest.skip("set GVIDEO_CLIPS to the folder of the real test clips to run this")
        path = Path(folder) / name
        if not path.exists():
            pytest.skip(f"GVIDEO_CLIPS holds no {name}")
        return path

    return find


@pytest.fixture(scope="session")
def synthetic() -> ModuleType:
    """The module samples/make_synthetic.py."""
    spec = importlib.util.spec_from_file_location("make_synthetic", ROOT / "samples" / "make_synthetic.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_synthetic"] = module
    spec.loader.exec_module(module)
    return module


def fill_random(frame: av.VideoFrame, seed: int) -> list[np.ndarray]:
    """Fill every plane with random codes; the arrays as written."""
    rng = np.random.default_rng(seed)
    bits = max(c.bits for c in frame.format.components)
    arrays = []
    for plane in frame.planes:
        view = np.frombuffer(plane, np.uint8 if bits == 8 else "<u2").reshape(plane.height, -1)
        view[...] = rng.integers(0, 1 << bits, view.shape)
        arrays.append(view[:, : plane.width].copy())
    return arrays


@pytest.fixture
def make_clip(tmp_path: Path) -> Callable[..., tuple[Path, list[list[np.ndarray]]]]:
    """Writes random frames with PyAV itself (not with the code under test); returns the path and the planes."""

    def make(
        name: str = "clip.mkv",
        *,
        codec: str = "ffv1",
        pix_fmt: str = "yuv420p",
        size: tuple[int, int] = (32, 18),
        pts: Sequence[int] = (0, 1, 2, 3),
        time_base: Fraction = Fraction(1, 25),
        options: dict[str, str] | None = None,
        container_options: dict[str, str] | None = None,
        colour: tuple[int, int, int, int] | None = None,
        rotation: int = 0,
        **context: Any,
    ) -> tuple[Path, list[list[np.ndarray]]]:
        path = tmp_path / name
        written = []
        with av.open(str(path), "w", options=container_options or {}) as container:
            stream = container.add_stream(codec, options=options or {})
            stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
            stream.time_base = stream.codec_context.time_base = time_base
            for key, value in context.items():
                setattr(stream.codec_context, key, value)
            if rotation:
                stream.set_display_rotation(rotation)
            if colour:
                names = ("color_primaries", "color_trc", "colorspace", "color_range")
                for key, value in zip(names, colour, strict=True):
                    setattr(stream.codec_context, key, value)
            for index, time in enumerate(pts):
                frame = av.VideoFrame(*size, pix_fmt)
                written.append(fill_random(frame, index))
                frame.pts, frame.time_base = time, time_base
                if colour:
                    frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range = colour
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path, written

    return make


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket of a store that speaks S3, on loopback."""
    import boto3
    from moto.server import ThreadedMotoServer

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    client = boto3.client("s3", endpoint_url=endpoint)
    client.create_bucket(Bucket="films")
    yield client
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")).close()
    client.close()
    server.stop()
