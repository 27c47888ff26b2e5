"""Compiles the Triton kernels for a Hopper GPU, without one, and prints registers and stack of each.

In a process of its own: TRITON_INTERPRET must not be set.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from gvideo.encoder import cuda_quantise
from gvideo.raster import cuda
from gvideo.raster.cuda import kernels

SPLATS = dict.fromkeys(("means", "displacements", "log_scales", "angles", "amplitudes"), "*fp32")
LIFE = dict.fromkeys(("centres", "inverse_durations", "basis", "times"), "*fp32")
MEMBERS = {"places": "*fp64", "strengths": "*fp32", "members": "*i32"}
TILES = {"instances": "i32", "tiles": "i32", "tiles_x": "i32", "width": "i32", "height": "i32", "plane": "i32"}
SIGNATURES = {
    "project": SPLATS | LIFE | {"starts": "*i32", "places": "*fp64", "strengths": "*fp32", "boxes": "*i32"}
    | dict.fromkeys(("rows", "num_frames", "num_control", "width", "height"), "i32") | {"view": "*fp64"},
    "draw": MEMBERS | {"tile_starts": "*i64", "pictures": "*fp32"} | TILES,
    "fit_tiles": MEMBERS | {"slots": "*i64", "tile_starts": "*i64", "targets": "*fp32", "pixel_weights": "*fp32"}
    | {"frame_rows": "*i64"}
    | {"errors": "*fp32", "moments": "*fp32", "capacity": "i32"} | TILES
    | dict.fromkeys(("weight_luma", "weight_blue", "weight_red"), "fp32"),
    "collect": {"moments": "*fp32", "places": "*fp64", "boxes": "*i32", "ends": "*i64", "starts": "*i32"}
    | dict.fromkeys(("log_scales", "amplitudes"), "*fp32") | LIFE
    | dict.fromkeys(("by_mean", "by_displacement", "by_log_scale", "by_angle"), "*fp32")
    | dict.fromkeys(("by_amplitude", "by_centre", "by_inverse"), "*fp32")
    | dict.fromkeys(("rows", "num_frames", "num_control", "capacity"), "i32"),
    "quantise_rows": dict.fromkeys(("mean", "residual", "log_scale", "angle", "luma", "chroma", "centre"), "*fp32")
    | {"log_duration": "*fp32", "times": "*fp32", "anisotropies": "*i64", "widenings": "*i64", "constants": "*fp64"}
    | {"symbols": "*i64", "mean_out": "*fp32", "residual_out": "*fp32", "residual_levels": "*fp32"}
    | dict.fromkeys(("residual_step", "log_scale_out", "angle_out", "amplitude_out", "levels", "ratios"), "*fp32")
    | dict.fromkeys(("amplitude_step", "centre_out", "inverse_out"), "*fp32")
    | dict.fromkeys(("count", "num_frames", "num_control", "rule_position", "rule_angle", "rule_centre"), "i32")
    | dict.fromkeys(("residual_exponent", "cell_bits", "span"), "i32"),
}  # fmt: skip
SIGNATURES["fit_tiles_weighted"] = SIGNATURES["fit_tiles"]
CONSTANTS = {
    "project": {"BLOCK": cuda._BLOCK},
    "draw": {"CHANNELS": 3},
    "fit_tiles": {"WEIGHTED": False},
    "fit_tiles_weighted": {"WEIGHTED": True},
    "collect": {"BLOCK": cuda._COLLECT_BLOCK, "LANES": cuda._LANES},
    "quantise_rows": {"BLOCK": cuda_quantise.BLOCK},
}
#: Arguments that can be 1, which Triton compiles as a constant.
ONES = ("rows", "num_frames", "num_control", "width", "height", "instances", "capacity", "tiles", "tiles_x", "plane")
ONES += ("count", "rule_position", "rule_angle", "rule_centre", "residual_exponent", "cell_bits")
WARPS = {"project": 4, "draw": cuda._TILE_WARPS, "collect": 4, "quantise_rows": 4}
WARPS |= dict.fromkeys(("fit_tiles", "fit_tiles_weighted"), cuda._TILE_WARPS)


def main() -> None:
    dump = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    for name, types in SIGNATURES.items():
        function = name.removesuffix("_weighted")
        kernel = getattr(cuda_quantise if function == "quantise_rows" else kernels, function)
        ones = {k: 1 for k in ONES if k in types}
        _compile(kernel, {k: t for k, t in types.items() if k not in ones}, CONSTANTS[name] | ones, WARPS[name])
        compiled = _compile(kernel, types, CONSTANTS[name], WARPS[name])
        with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
            file.write(compiled.asm["cubin"])
            file.flush()
            usage = subprocess.run([dump, "-res-usage", file.name], capture_output=True, text=True, check=True).stdout
        found = re.search(rf"Function {function}:\s*REG:(\d+) STACK:(\d+)", usage)
        assert found, usage
        print(name, *found.groups(), flush=True)


def _compile(kernel: Any, types: dict[str, str], constants: dict[str, int], num_warps: int) -> Any:
    signature = {k: types.get(k, "constexpr") for k in kernel.arg_names}
    source = ASTSource(kernel, signature, constexprs=constants)
    return triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": num_warps})


if __name__ == "__main__":
    os.environ.pop("TRITON_INTERPRET", None)
    main()
