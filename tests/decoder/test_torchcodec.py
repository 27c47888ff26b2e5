"""The same calls to this decoder and to torchcodec's: equal, but for what docs/decoding.md lists.

torchcodec's answers are recorded in torchcodec.json (`python tests/probes.py` writes it), since few machines can load
it (PyPI's builds for Linux need CUDA's libraries); where it is installed, the record is held against it.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import probes
from streams import make_stream

from gvideo import VideoDecoder
from gvideo.bitstream.headers import SequenceHeader
from gvideo.decoder import transforms

RECORDED = json.loads(probes.RECORD.read_text())
EVEN_HEADER = SequenceHeader(48, 32, 12800, 512, matrix=6, primaries=6, transfer=6)

#: Probes whose outcomes differ on purpose, under the first cell of their row in docs/decoding.md.
DIFFERENT = {
    "arguments of a wrong type": [
        "d.get_frame_at(1.0)", 'd.get_frame_at("1")', "d.get_frame_at(None)", "d.get_frames_at([1.0])",
        'd.get_frames_at(["1"])', "d.get_frames_at([None])", "d.get_frames_at(None)", "d.get_frames_at([True])",
        "d.get_frames_at(torch.tensor([1.5]))", 'd.get_frames_played_at(["0.1"])', "d.get_frames_played_at(None)",
        'd.get_frames_played_in_range(0, 0.2, fps="a")', "V(torch.zeros(3))",
    ],
    "truth values": [
        "d[True]", "d.get_frame_at(True)", "d.get_frames_in_range(True, 3)", "d.get_frame_played_at(True)",
    ],
    "arrays and tensors of one integer": ["d[np.array(3)]", "d[torch.tensor(3)]"],
    "empty ranges and slices, those that run backwards": [
        "d[3:1]", "d[::-1]", "d.get_frames_at([])", "d.get_frames_in_range(5, 4)",
    ],
    "buffers as sources": ["V(bytearray(path.read_bytes()))[0]", "V(np.frombuffer(path.read_bytes(), np.uint8))[0]"],
    "empty sources": ['V(b"")'],
    "`stream_index`": ["V(path, stream_index=-1)[0]"],
    "`output_dtype`": ['V(path, output_dtype="float32")[0]'],
    "`seek_mode`, `num_ffmpeg_threads`, `custom_frame_mappings`, `cpu_fallback`": [
        'V(path, seek_mode="exact")[0]', 'V(path, seek_mode="approximate")[0]', "V(path, num_ffmpeg_threads=2)[0]",
        "d.cpu_fallback",
    ],
    "`metadata.codec`": ["d.metadata.codec"],
}  # fmt: skip
PURPOSES = {probe: row for row, found in DIFFERENT.items() for probe in found}


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    folder = tmp_path_factory.mktemp("probes")
    even = make_stream(num_segments=5, num_frames=6, count=8, sequence=EVEN_HEADER)
    (folder / "even.gsv").write_bytes(even.data)
    (folder / "uneven.gsv").write_bytes(make_stream(num_segments=2, count=8, durations=probes.UNEVEN[:6]).data)
    decoder = partial(VideoDecoder, output="torch")
    return probes.outcomes(decoder, transforms, folder / "even.gsv", folder / "uneven.gsv")


def is_equal(found: list[Any], wanted: list[Any]) -> bool:
    """Whether outcomes agree; of errors, whether the one is of the other's class."""
    if wanted[0] == "error":
        return found[0] == "error" and wanted[1] in found
    return found == wanted


def test_every_probe_is_recorded():
    assert list(RECORDED["outcomes"]) == probes.PROBES
    assert len(probes.PROBES) > 250
    assert set(PURPOSES) <= set(probes.PROBES)


@pytest.mark.parametrize("probe", probes.PROBES)
def test_outcomes_are_those_of_torchcodec(ours, probe):
    wanted = RECORDED["outcomes"][probe]
    if probe not in PURPOSES:
        assert is_equal(ours[probe], wanted), f"{ours[probe]}, not {wanted}"
    else:
        assert not is_equal(ours[probe], wanted), "equal by now: take it off the list"


def test_differences_are_written_down():
    rows = (Path(__file__).parents[2] / "docs" / "decoding.md").read_text().splitlines()
    cells = {row.split("|")[1].strip() for row in rows if row.startswith("| ")}
    assert set(DIFFERENT) <= cells


def test_types_of_wrong_arguments(ours):
    for row in ("arguments of a wrong type", "truth values"):
        assert {ours[probe][1] for probe in DIFFERENT[row]} == {"TypeError"}
    assert ours["d[::-1]"] == ["array", [30, 3, 32, 48], "torch.uint8"]
    assert ours["d.metadata.codec"] == ["value", "gsv1"]


def test_the_record_is_what_the_installed_torchcodec_answers(tmp_path):
    try:
        import torchcodec
        import torchcodec.decoders  # loads FFmpeg's libraries
    except (ImportError, OSError, RuntimeError) as error:
        pytest.skip(f"torchcodec cannot be loaded: {str(error).splitlines()[0]}")
    if torchcodec.__version__ != RECORDED["version"]:
        pytest.skip(f"torchcodec is {torchcodec.__version__}, {RECORDED['version']} was recorded")
    found = probes.torchcodec_outcomes(tmp_path)
    differing = {p for p in probes.PROBES if not is_equal(found[p], RECORDED["outcomes"][p])}
    assert differing == set()
