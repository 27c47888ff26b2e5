"""Compiles the Triton kernels for an NVIDIA GPU, without one, and prints registers and stack of each.

    python tests/raster/compile_kernels.py [COMPUTE CAPABILITY, default 90: Hopper]

In a process of its own: TRITON_INTERPRET must not be set.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from gvideo.encoder.backends import cuda_kernels, cuda_quantise
from gvideo.raster import cuda
from gvideo.raster.cuda import kernels

SPLATS = dict.fromkeys(("means", "displacements", "log_scales", "angles", "amplitudes"), "*fp32")
LIFE = dict.fromkeys(("centres", "inverse_durations", "basis", "times"), "*fp32")
PLACES = {"places": "*fp64", "strengths": "*fp32"}
PAIRS = {"owners": "*i32", "capacity": "i32", "instances": "i32", "tiles": "i32", "tiles_x": "i32", "no_tile": "i32"}
TILES = {"members": "*fp32", "tile_starts": "*i32"}
TILES |= dict.fromkeys(("tiles", "tiles_x", "width", "height", "plane"), "i32")
SIGNATURES = {
    "project": SPLATS | LIFE | PLACES | {"starts": "*i32", "boxes": "*i32"}
    | dict.fromkeys(("rows", "num_frames", "num_control", "width", "height"), "i32") | {"view": "*fp64"},
    "list_pairs": PAIRS | {"ends": "*i64", "boxes": "*i32", "keys": "*i16", "rows": "i32", "halvings": "i32"},
    "list_pairs_wide": PAIRS | {"ends": "*i64", "boxes": "*i32", "keys": "*i32", "rows": "i32", "halvings": "i32"},
    "prepare": PLACES | PAIRS | {"keys": "*i16", "slots": "*i64", "members": "*fp32"},
    "prepare_wide": PLACES | PAIRS | {"keys": "*i32", "slots": "*i64", "members": "*fp32"},
    "draw": TILES | {"pictures": "*fp32"},
    "fit_tiles": TILES | {"slots": "*i64", "targets": "*fp32", "pixel_weights": "*fp32", "frame_rows": "*i64"}
    | {"errors": "*fp32", "moments": "*fp32"} | dict.fromkeys(("weight_luma", "weight_blue", "weight_red"), "fp32"),
    "collect": {"moments": "*fp32", "places": "*fp64", "boxes": "*i32", "ends": "*i64", "starts": "*i32"}
    | dict.fromkeys(("log_scales", "amplitudes"), "*fp32") | LIFE
    | dict.fromkeys(("by_mean", "by_displacement", "by_log_scale", "by_angle"), "*fp32")
    | dict.fromkeys(("by_amplitude", "by_centre", "by_inverse"), "*fp32")
    | dict.fromkeys(("rows", "num_frames", "num_control", "capacity"), "i32"),
    "quantise_rows": dict.fromkeys(("mean", "residual", "log_scale", "angle", "luma", "chroma", "centre"), "*fp32")
    | {"log_duration": "*fp32", "lives": "*fp64", "anisotropies": "*i64", "widenings": "*i64", "constants": "*fp64"}
    | {"symbols": "*i64", "mean_out": "*fp32", "residual_out": "*fp32", "residual_levels": "*fp32"}
    | dict.fromkeys(("residual_step", "log_scale_out", "angle_out", "amplitude_out", "levels", "ratios"), "*fp32")
    | dict.fromkeys(("amplitude_step", "centre_out", "inverse_out"), "*fp32")
    | dict.fromkeys(("count", "num_frames", "num_control", "rule_position", "rule_angle", "rule_centre"), "i32")
    | dict.fromkeys(("residual_exponent", "cell_bits", "span"), "i32"),
}  # fmt: skip
STEP = {"count": "i32", "num_control": "i32"}
MOTION = dict.fromkeys(("mean", "theta"), "*fp32") | {"trajectory": "*i64"} | STEP
MOTION |= dict.fromkeys(("middle_x", "middle_y", "unit"), "fp32")
SIGNATURES |= {
    "displace_rows": MOTION | dict.fromkeys(("residual", "out"), "*fp32"),
    "spread_rows": MOTION | dict.fromkeys(("displacements", "by_mean"), "*fp32")
    | {"partial": "*fp64", "num_trajectories": "i32"},
    "charge_motion_rows": STEP | dict.fromkeys(("residual", "log_scale", "gradient"), "*fp32")
    | dict.fromkeys(("share", "price"), "fp32"),
    "charge_bits_rows": STEP | dict.fromkeys(("levels", "ratios", "amplitude_step", "residual"), "*fp32")
    | dict.fromkeys(("residual_levels", "residual_step", "by_amplitude", "by_residual"), "*fp32")
    | dict.fromkeys(("amplitude_price", "motion_price", "existence_price", "chroma_price", "moves_price"), "fp32"),
}  # fmt: skip
SIGNATURES["fit_tiles_weighted"] = SIGNATURES["fit_tiles"]
CONSTANTS = {
    "project": {"BLOCK": cuda._BLOCK},
    **{name: {"BLOCK": cuda._PAIR_BLOCK} for name in ("list_pairs", "list_pairs_wide", "prepare", "prepare_wide")},
    "draw": {"CHANNELS": 3},
    "fit_tiles": {"WEIGHTED": False},
    "fit_tiles_weighted": {"WEIGHTED": True},
    "collect": {"BLOCK": cuda._COLLECT_BLOCK, "LANES": cuda._LANES, "CONTROL": 8},
    "quantise_rows": {"BLOCK": cuda_quantise.BLOCK},
    **{name: {"BLOCK": cuda_kernels.BLOCK} for name in ("displace_rows", "charge_motion_rows", "charge_bits_rows")},
    "spread_rows": {"BLOCK": cuda_kernels.BLOCK, "TRAJECTORIES": 8},
}
#: Sizes that change within a fit.
VARYING = ("rows", "instances", "capacity", "halvings", "count")
#: Arguments that can be 1, which Triton compiles as a constant.
ONES = ("rows", "num_frames", "num_control", "width", "height", "instances", "capacity", "tiles", "tiles_x", "plane")
ONES += ("no_tile", "halvings", "count", "rule_position", "rule_angle", "rule_centre", "residual_exponent", "cell_bits")
ONES += ("num_trajectories",)
WARPS = dict.fromkeys(("draw", "fit_tiles", "fit_tiles_weighted"), cuda._TILE_WARPS)


def main(capability: int) -> None:
    dump = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    for name, types in SIGNATURES.items():
        function = name.removesuffix("_weighted").removesuffix("_wide")
        kernel = next(getattr(m, function) for m in (kernels, cuda_quantise, cuda_kernels) if hasattr(m, function))
        assert all(p.do_not_specialize for p in kernel.params if p.name in VARYING), f"{name}: compiled again and again"
        ones, warps = {k: 1 for k in ONES if k in types}, WARPS.get(name, 4)
        rest = {k: t for k, t in types.items() if k not in ones}
        _compile(kernel, rest, CONSTANTS[name] | ones, warps, capability)
        compiled = _compile(kernel, types, CONSTANTS[name], warps, capability)
        with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
            file.write(compiled.asm["cubin"])
            file.flush()
            usage = subprocess.run([dump, "-res-usage", file.name], capture_output=True, text=True, check=True).stdout
        found = re.search(rf"Function {function}:\s*REG:(\d+) STACK:(\d+)", usage)
        assert found, usage
        print(name, *found.groups(), flush=True)


def _compile(kernel: Any, types: dict[str, str], constants: dict[str, int], num_warps: int, capability: int) -> Any:
    signature = {k: types.get(k, "constexpr") for k in kernel.arg_names}
    source = ASTSource(kernel, signature, constexprs=constants)
    return triton.compile(source, target=GPUTarget("cuda", capability, 32), options={"num_warps": num_warps})


if __name__ == "__main__":
    os.environ.pop("TRITON_INTERPRET", None)
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 90)
