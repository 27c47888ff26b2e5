"""Everything that is to be known of the CUDA kernels, in one run of less than ten minutes on a machine with a GPU.

    python tests/bench/gpu.py [--part kernels|encode|decode] [--clips FOLDER] [--output docs/results/VERSION/gpu.tsv]

kernels  pictures and gradients of every test scene against the float64 reference; the tests of kernels and fit, if
         pytest is there; times of drawing and of drawing with gradients at five sizes, in Gaussians a second, beside
         two floors (operations and bytes at the peak rates in gpu_kernels.py), a fixed capacity, the CPU's kernels
encode   memory of growth at 1920x1080 beside the bytes that the docstrings tell; steps of growing and of training that
         count their pairs, and in windows that do not; whole encodes at 640x360, 1280x720 and 1920x1080 (medians);
         BD-rate of the GPU's encodes against the CPU's, within 2 %
decode   streams on the CPU and on the GPU: the same symbols, frames within one code; frames a second at 1920x1080

Needs what gvideo needs, and triton. Clips are those of the folder; else the sample, else one that is made here. Each
part is a process of its own, and each figure fails alone: what fails is a row FAILED and an exit status of 1. A part
skips figures when its share of --minutes is over.

To try this file without a GPU, in Triton's interpreter:  TRITON_INTERPRET=1 python tests/bench/gpu.py --small
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import gpu_kernels
import gpu_streams
import torch
from gpu_run import COLUMNS, Run, device_name

#: Parts, and the share of the time that each may take.
PARTS = {"kernels": 0.3, "encode": 0.5, "decode": 0.2}
#: What a process needs beyond its time, for the figure that it is at and to start, s.
_GRACE = 60


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=tuple(PARTS), help="this one alone")
    parser.add_argument("--output", type=Path, default=Path("docs/results/0.1.0") / "gpu.tsv")
    parser.add_argument("--clips", type=Path, help="folder of video files")
    parser.add_argument("--minutes", type=float, default=8.0, help="of all parts; the figure at work is not cut off")
    parser.add_argument("--small", action="store_true", help="tiny sizes, for Triton's interpreter; no figure counts")
    parser.add_argument("--append", action="store_true", help="add to the file instead of beginning it")
    args = parser.parse_args()
    if not args.append:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text("\t".join(COLUMNS) + "\n")
    if args.part:
        return run_part(args)
    failed = [part for part in PARTS if not run_process(part, args)]
    print(f"failed: {', '.join(failed)}" if failed else "all parts passed", flush=True)
    return 1 if failed else 0


def run_part(args: argparse.Namespace) -> int:
    """One part in this process."""
    run = Run(args.part, args.output, 60 * args.minutes, args.small)
    run.note("device", device_name(), "", "", f"torch {torch.__version__}, CUDA {torch.version.cuda}")
    if args.part == "kernels":
        gpu_kernels.measure(run)
    else:
        gpu_streams.measure(run, args.clips)
    return 1 if run.num_failed else 0


def run_process(part: str, args: argparse.Namespace) -> bool:
    """One part in a process of its own, since an error on a GPU can spoil all that follows it; whether it passed."""
    minutes = args.minutes * PARTS[part]
    command = [sys.executable, __file__, "--part", part, "--append", "--output", str(args.output)]
    command += ["--minutes", str(minutes), *(["--clips", str(args.clips)] if args.clips else [])]
    command += ["--small"] if args.small else []
    try:
        status: int | str = subprocess.run(command, timeout=60 * minutes + _GRACE).returncode
    except subprocess.TimeoutExpired:
        status = "it took too long"
    if status not in (0, 1):
        Run(part, args.output, 0, args.small).verdict("process", part, False, f"ended early: {status}")
    return status == 0


if __name__ == "__main__":
    sys.exit(main())
