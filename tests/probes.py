"""Calls that gvideo.VideoDecoder and torchcodec's are both put through, and what came of them.

    names: V the class · path, f the file · d 30 frames of 1/25 s · v 12 frames of uneven durations · T transforms

Run as a program, where torchcodec can be loaded, this writes what it answers to decoder/torchcodec.json.
"""

from __future__ import annotations

import io
import json
import math
import sys
import tempfile
import warnings
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

EVEN = (512,) * 30
UNEVEN = (40, 10, 70, 40, 33, 7) * 2
RECORD = Path(__file__).parent / "decoder" / "torchcodec.json"

PROBES = """
len(d)
len(v)
len(list(d))
next(iter(d))
d[0]
d[29]
d[-1]
d[-30]
d[30]
d[-31]
d[1.0]
d["1"]
d[None]
d[True]
d[[1, 2]]
d[np.int64(3)]
d[np.array(3)]
d[torch.tensor(3)]
d[1:3]
d[3:1]
d[5:5]
d[25:99]
d[::7]
d[-3:]
d[::-1]
d[1:3:0]
d[:"2"]
v[2]
d.get_frame_at(0)
d.get_frame_at(29)
d.get_frame_at(-1)
d.get_frame_at(-30)
d.get_frame_at(30)
d.get_frame_at(-31)
d.get_frame_at(1.0)
d.get_frame_at("1")
d.get_frame_at(None)
d.get_frame_at(True)
d.get_frame_at(np.int64(3))
d.get_frame_at(torch.tensor(3))
d.get_frame_at(index=3)
v.get_frame_at(4)
d.get_frames_at([])
d.get_frames_at([1])
d.get_frames_at([3, 1, 3, -1])
d.get_frames_at([30])
d.get_frames_at([-31])
d.get_frames_at([1.0])
d.get_frames_at(["1"])
d.get_frames_at([None])
d.get_frames_at(None)
d.get_frames_at([True])
d.get_frames_at(3)
d.get_frames_at(torch.tensor(3))
d.get_frames_at(torch.tensor([3, 1]))
d.get_frames_at(torch.tensor([1.5]))
d.get_frames_at(np.array([3, 1]))
d.get_frames_at(range(3))
d.get_frames_at((1, 2))
d.get_frames_at(indices=[1])
v.get_frames_at([5, 0])
d.get_frames_in_range(0, 30)
d.get_frames_in_range(4, 9)
d.get_frames_in_range(4, 20, 5)
d.get_frames_in_range(4, 4)
d.get_frames_in_range(5, 4)
d.get_frames_in_range(0, 99)
d.get_frames_in_range(-3, 99)
d.get_frames_in_range(-3, None)
d.get_frames_in_range(None, 3)
d.get_frames_in_range(None, None, 10)
d.get_frames_in_range(0, -27)
d.get_frames_in_range(-99, 2)
d.get_frames_in_range(30, 30)
d.get_frames_in_range(40, 50)
d.get_frames_in_range(0, 3, 0)
d.get_frames_in_range(0, 3, -1)
d.get_frames_in_range(5, 2, -1)
d.get_frames_in_range(0, 3.0)
d.get_frames_in_range("0", 3)
d.get_frames_in_range(0, 3, None)
d.get_frames_in_range(True, 3)
d.get_frames_in_range(0)
d.get_frames_in_range(torch.tensor(1), np.int64(3))
d.get_frames_in_range(start=1, stop=9, step=2)
v.get_frames_in_range(1, 5, 2)
d.get_frame_played_at(0)
d.get_frame_played_at(0.039)
d.get_frame_played_at(0.04)
d.get_frame_played_at(7 * 0.04)
d.get_frame_played_at(1.19)
d.get_frame_played_at(math.nextafter(1.2, 0))
d.get_frame_played_at(1.2)
d.get_frame_played_at(d.metadata.end_stream_seconds)
v.get_frame_played_at(v.metadata.end_stream_seconds)
d.get_frame_played_at(-1e-18)
d.get_frame_played_at(-0.001)
d.get_frame_played_at(9)
d.get_frame_played_at(nan)
d.get_frame_played_at(inf)
d.get_frame_played_at(-inf)
d.get_frame_played_at("0")
d.get_frame_played_at(None)
d.get_frame_played_at([0.1])
d.get_frame_played_at(True)
d.get_frame_played_at(Fraction(1, 25))
d.get_frame_played_at(np.float32(0.1))
d.get_frame_played_at(torch.tensor(0.1))
d.get_frame_played_at(seconds=0.1)
v.get_frame_played_at(0.0499)
v.get_frame_played_at(0.05)
d.get_frames_played_at([])
d.get_frames_played_at([0.1, 0.0, 0.1])
d.get_frames_played_at([1])
d.get_frames_played_at([1.2])
d.get_frames_played_at([-0.1])
d.get_frames_played_at([nan])
d.get_frames_played_at([inf])
d.get_frames_played_at(0.1)
d.get_frames_played_at((0.1,))
d.get_frames_played_at(np.array([0.1]))
d.get_frames_played_at(torch.tensor([0.1]))
d.get_frames_played_at(torch.tensor([1]))
d.get_frames_played_at(["0.1"])
d.get_frames_played_at(None)
d.get_frames_played_in_range(0, 1.2)
d.get_frames_played_in_range(0, d.metadata.end_stream_seconds)
d.get_frames_played_in_range(0.04, 0.12)
d.get_frames_played_in_range(0.05, 0.12)
d.get_frames_played_in_range(0.05, 0.121)
d.get_frames_played_in_range(0.05, 0.06)
d.get_frames_played_in_range(0.2, 0.2)
d.get_frames_played_in_range(0.5, 0.4)
d.get_frames_played_in_range(-1, 1)
d.get_frames_played_in_range(0, 1.3)
d.get_frames_played_in_range(1.2, 1.2)
d.get_frames_played_in_range(0, nan)
d.get_frames_played_in_range(nan, 1)
d.get_frames_played_in_range(0, inf)
d.get_frames_played_in_range(-inf, 1)
d.get_frames_played_in_range(0, "1")
d.get_frames_played_in_range(None, 1)
d.get_frames_played_in_range(0)
d.get_frames_played_in_range(start_seconds=0, stop_seconds=0.1)
v.get_frames_played_in_range(0.03, 0.17)
d.get_frames_played_in_range(0, 0.2, fps=None)
d.get_frames_played_in_range(0, 0.2, fps=50)
d.get_frames_played_in_range(0, 0.2, 25)
d.get_frames_played_in_range(0, 0.2, fps=12.5)
d.get_frames_played_in_range(0, 0.2, fps=10)
d.get_frames_played_in_range(0, 0.2, fps=30)
d.get_frames_played_in_range(0.05, 0.2, fps=30)
d.get_frames_played_in_range(0.05, 0.051, fps=30)
d.get_frames_played_in_range(0.2, 0.2, fps=30)
d.get_frames_played_in_range(0, 0.14, fps=25)
d.get_frames_played_in_range(1.1, 1.2, fps=29.97)
d.get_frames_played_in_range(0, 0.35, fps=7)
d.get_frames_played_in_range(0, 1.2, fps=0.3)
d.get_frames_played_in_range(0, 0.2, fps=0)
d.get_frames_played_in_range(0, 0.2, fps=-5)
d.get_frames_played_in_range(0, 0.2, fps=nan)
d.get_frames_played_in_range(0, 0.2, fps=inf)
d.get_frames_played_in_range(0, 0.2, fps="a")
v.get_frames_played_in_range(0, 0.2, fps=50)
v.get_frames_played_in_range(0.03, 0.4, fps=20)
d.get_all_frames()
d.get_all_frames(10)
d.get_all_frames(fps=29.97)
d.get_all_frames(fps=0)
v.get_all_frames()
v.get_all_frames(fps=30)
[type(x).__name__ for x in d.get_frame_at(3)]
tuple(d.get_frame_at(3))[1:]
d.get_frames_at([3, 1, 2])[0]
d.get_frames_at([3, 1, 2])[-1]
d.get_frames_at([3, 1, 2])[1:]
d.get_frames_at([3, 1, 2])[[1, 0]]
d.get_frames_at([3, 1, 2])[torch.tensor([2, 0])]
d.get_frames_at([3, 1, 2])[torch.tensor([True, False, True])]
d.get_frames_at([3, 1, 2])[...]
d.get_frames_at([3, 1, 2])[None]
d.get_frames_at([3, 1, 2])[3]
d.get_frames_at([3, 1, 2])[1.5]
len(d.get_frames_at([3, 1]))
[type(x).__name__ for x in d.get_frames_at([3, 1])]
[float(x.pts_seconds) for x in d.get_frames_at([3, 1])]
repr(d.get_frame_at(3)).split()[:3]
len(repr(d.get_frames_at([3, 1])).splitlines())
type(d.get_frame_at(0))(torch.zeros(2, 2), 0.0, 1.0)
type(d.get_frames_at([0]))(torch.zeros(2, 3, 4, 4), torch.zeros(1), torch.zeros(2))
d.stream_index
V(path, stream_index=0).stream_index
V(path, stream_index=None).stream_index
V(path, stream_index=1)
V(path, stream_index=-1)[0]
V(path, stream_index="0")
V(path, stream_index=0.0)
V(path, dimension_order="NHWC")[0]
V(path, dimension_order="NHWC").get_frames_at([1, 2])
V(path, dimension_order="HWCN")
V(path, dimension_order=None)
V(path, device=None)[0]
V(path, device="cpu")[0]
V(path, device="cpu:0")[0]
V(path, device=torch.device("cpu"))[0]
V(path, device="bogus")
V(path, device=3)
V(path, output_dtype=torch.uint8)[0]
V(path, output_dtype=torch.float32)[0]
V(path, output_dtype="auto")[0]
V(path, output_dtype=torch.float32, dimension_order="NHWC").get_frames_at([1, 2])
V(path, output_dtype=torch.float16)
V(path, output_dtype="float32")[0]
V(path, output_dtype=None)
V(path, transforms=None)[0]
V(path, transforms=[])[0]
V(path, transforms=[T.Resize((16, 24))])[0]
V(path, transforms=[T.Resize((16, 24))]).metadata.width
V(path, transforms=[T.CenterCrop((16, 24))])[0]
V(path, transforms=[T.CenterCrop((64, 24))])[0]
V(path, transforms=[T.RandomCrop((16, 24))])[0]
V(path, transforms=[T.RandomCrop((64, 24))])[0]
V(path, transforms=[T.Resize((64, 96)), T.CenterCrop((40, 50))])[0]
V(path, transforms=[T.CenterCrop((20, 20)), T.Resize((64, 96))])[0]
V(path, transforms=(T.CenterCrop((20, 20)),), dimension_order="NHWC")[0:2]
V(path, transforms=[T.Resize((0, 3))])[0]
V(path, transforms=[3])
V(path, transforms=["resize"])
V(path, transforms=T.Resize((16, 24)))
T.Resize(3)
T.Resize((1, 2, 3))
V(path, seek_mode="exact")[0]
V(path, seek_mode="approximate")[0]
V(path, num_ffmpeg_threads=2)[0]
V(path, bogus=1)
V(path, 0)
V(str(path) + ".none")
V(path.parent)
V(3)
V(None)
V(b"")
V(b"garbage garbage")
V(path.read_bytes())[0]
V(bytearray(path.read_bytes()))[0]
V(torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8))[0]
V(np.frombuffer(path.read_bytes(), np.uint8))[0]
V(torch.zeros(3))
V(str(path))[0]
V(io.BytesIO(path.read_bytes()))[0]
V(f)[0]
V(Plain(path))[0]
V(io.StringIO("x"))
V(text)
d.metadata.width
d.metadata.height
d.metadata.num_frames
d.metadata.num_frames_from_content
d.metadata.num_frames_from_header
d.metadata.begin_stream_seconds
d.metadata.begin_stream_seconds_from_content
d.metadata.begin_stream_seconds_from_header
d.metadata.end_stream_seconds
d.metadata.end_stream_seconds_from_content
d.metadata.duration_seconds
d.metadata.duration_seconds_from_header
d.metadata.average_fps
d.metadata.average_fps_from_header
v.metadata.average_fps
v.metadata.end_stream_seconds
d.metadata.bit_rate > 0
d.metadata.codec
d.metadata.stream_index
d.metadata.media_type
d.metadata.pixel_aspect_ratio
d.metadata.rotation
d.metadata.color_primaries
d.metadata.color_space
d.metadata.color_transfer_characteristic
d.metadata.pixel_format
d.cpu_fallback
""".strip().splitlines()


class Plain:
    """A file object with the least that torchcodec asks for: `whence` has no default."""

    def __init__(self, path: Path) -> None:
        self._file = io.BytesIO(path.read_bytes())

    def read(self, size: int) -> bytes:
        return self._file.read(size)

    def seek(self, offset: int, whence: int) -> int:
        return self._file.seek(offset, whence)


def outcomes(decoder: Callable[..., Any], transforms: Any, even: Path, uneven: Path) -> dict[str, list[Any]]:
    """What comes of every probe: kind, shape, type and times of a result, or the names of an error's classes."""
    import torch

    with even.open("rb") as opened, even.open() as text:
        names = {
            "V": decoder, "T": transforms, "path": even, "f": opened, "text": text, "d": decoder(even),
            "v": decoder(uneven), "np": np, "torch": torch, "io": io, "math": math, "nan": math.nan, "inf": math.inf,
            "Fraction": Fraction, "Plain": Plain,
        }  # fmt: skip
        return {probe: _outcome(partial(eval, probe, names)) for probe in PROBES}


def _outcome(call: Callable[[], Any]) -> list[Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch about indices that are lists
            found = call()
    except Exception as error:
        return ["error", *(c.__name__ for c in type(error).__mro__ if c not in (Exception, BaseException, object))]
    if hasattr(found, "pts_seconds"):
        times = [np.round(np.asarray(t, float), 9).tolist() for t in (found.pts_seconds, found.duration_seconds)]
        return [type(found).__name__, list(found.data.shape), str(found.data.dtype), *times]
    if hasattr(found, "dtype"):
        return ["array", list(found.shape), str(found.dtype)]
    if isinstance(found, Fraction | float | int) and not isinstance(found, bool):
        return ["number", round(float(found), 9)]
    return ["value", json.loads(json.dumps(found, default=repr))]


def write_x264(path: Path, durations: tuple[int, ...], timescale: int) -> None:
    """A clip of 48x32 whose frames last so many ticks."""
    import av

    starts = np.concatenate([[0], np.cumsum(durations)[:-1]]).tolist()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, timescale)
        names = ("color_primaries", "color_trc", "colorspace", "color_range")
        for name, code in zip(names, (6, 6, 6, 1), strict=True):
            setattr(stream.codec_context, name, code)
        stream.codec_context.sample_aspect_ratio = Fraction(1)
        packets = []
        for start in starts:
            frame = av.VideoFrame(48, 32, "yuv420p")
            for plane in frame.planes:
                np.frombuffer(plane, np.uint8)[:] = 16 + start % 200
            frame.pts, frame.time_base = start, Fraction(1, timescale)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        for packet, duration in zip(packets, durations, strict=True):
            packet.duration = duration
            container.mux(packet)


def torchcodec_outcomes(folder: Path) -> dict[str, list[Any]]:
    """What the installed torchcodec answers."""
    from torchcodec import transforms
    from torchcodec.decoders import VideoDecoder

    write_x264(folder / "even.mp4", EVEN, 12800)
    write_x264(folder / "uneven.mp4", UNEVEN, 1000)
    return outcomes(VideoDecoder, transforms, folder / "even.mp4", folder / "uneven.mp4")


if __name__ == "__main__":
    import torchcodec

    with tempfile.TemporaryDirectory() as temporary:
        answers = torchcodec_outcomes(Path(temporary))
    lines = ",\n".join(f"{json.dumps(probe)}: {json.dumps(answer)}" for probe, answer in answers.items())
    RECORD.write_text(f'{{"version": "{torchcodec.__version__}", "outcomes": {{\n{lines}\n}}}}\n')
    sys.exit(0)
