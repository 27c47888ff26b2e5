"""Makes the golden streams anew: python tests/golden/make.py. Only a change of the bitstream is a reason to do so.

Each stream is coded from a synthetic clip; golden.json holds hashes of its bytes, of every segment's symbols, and of
the decoded 8-bit frames, together with the mean of each frame, which tells how far off a wrong one is.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

import gvideo
from gvideo.decoder.stream import Stream

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "samples"))

#: name -> (synthetic clip, frames, crf, size)
STREAMS = {
    "shapes": ("shapes", 12, 36.0, None),
    "pan": ("pan", 10, 30.0, (81, 45)),
    "cut": ("cut", 40, 42.0, (64, 48)),
}


def describe(path: Path) -> dict[str, object]:
    """Hashes of a stream: bytes, symbols of each segment, frames."""
    stream = Stream(path)
    symbols = []
    for number in range(len(stream.segments)):
        decoded = stream.decode_segment(number).symbols
        digest = hashlib.sha256()
        for array in (decoded.table, decoded.residual, decoded.control):
            digest.update(np.ascontiguousarray(array, "<i8").tobytes())
        symbols.append(digest.hexdigest())
    frames = gvideo.VideoDecoder(path).get_all_frames().data
    return {
        "bytes": hashlib.sha256(path.read_bytes()).hexdigest(),
        "symbols": symbols,
        "frames": hashlib.sha256(frames.tobytes()).hexdigest(),
        "means": [round(float(m), 4) for m in frames.mean((1, 2, 3))],
    }


def main() -> None:
    """Encodes every stream and writes golden.json."""
    from make_synthetic import write_clip

    golden = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (clip, num_frames, crf, size) in STREAMS.items():
            source = Path(folder) / f"{name}.mkv"
            write_clip(source, clip, num_frames)
            path = HERE / f"{name}.gsv"
            gvideo.encode(source, path, crf=crf, size=size, preset="fast", workers=1)
            golden[name] = describe(path)
    (HERE / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
