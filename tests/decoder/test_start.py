"""What a light start may load. How long it takes is measured in tests/bench/start.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from streams import make_stream

CODE = """
import sys
import gvideo
gvideo.VideoDecoder
print([m for m in ("torch", "numba", "llvmlite", "av", "cv2", "scipy") if m in sys.modules])
decoder = gvideo.VideoDecoder(sys.argv[1])
decoder.metadata, decoder.pts
print([m for m in ("torch", "numba", "llvmlite", "av", "cv2", "scipy") if m in sys.modules])
for picture in decoder:
    assert picture.shape == (3, decoder.metadata.height, decoder.metadata.width)
print([m for m in ("torch", "av") if m in sys.modules])
sys.path.insert(0, sys.argv[2])
from memory import peak_megabytes
print(peak_megabytes())
"""


def test_start_and_memory(tmp_path):
    """No torch ever, no compiler before the first frame; a 720p stream decodes within 500 MB once kernels are
    cached."""
    path = tmp_path / "hd.gsv"
    options = {"width": 1280, "height": 720, "num_frames": 12, "num_segments": 2, "num_control": 7}
    path.write_bytes(make_stream(count=5000, largest_octave=5, **options).data)
    run = [sys.executable, "-c", CODE, str(path), str(Path(__file__).parent.parent)]
    subprocess.run(run, capture_output=True, check=True, timeout=300)  # compiles what is not cached, with LLVM's memory
    done = subprocess.run(run, capture_output=True, text=True, check=True, timeout=120)
    *loaded, megabytes = done.stdout.split("\n")[:4]
    assert loaded == ["[]"] * 3
    assert float(megabytes) < 500
