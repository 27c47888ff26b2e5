"""Triton's kernels on machines without a GPU: loaded for its interpreter, which is asked for while their tests run.

Triton decides when it is imported; gvideo asks the environment at every call. Other tests must not see the variable, or
`--device cuda` would work there, at a thousandth of the speed.
"""

from __future__ import annotations

import os

import pytest
import torch

ON_GPU = torch.cuda.is_available()
MUST_HAVE_GPU = os.environ.get("FAIL_WITHOUT_CUDA", "0") not in ("", "0")


def load_kernels() -> None:
    """Imports Triton and the kernels, or skips the module that calls this."""
    before = os.environ.get("TRITON_INTERPRET")
    if not ON_GPU:
        os.environ["TRITON_INTERPRET"] = "1"
    try:
        pytest.importorskip("triton")
        import gvideo.encoder.backends.cuda_kernels
        import gvideo.encoder.backends.cuda_quantise
        import gvideo.raster.cuda.kernels  # noqa: F401
    finally:
        if before is None:
            os.environ.pop("TRITON_INTERPRET", None)


@pytest.fixture(autouse=True)
def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device for the test: the GPU, or the interpreter."""
    if not ON_GPU:
        monkeypatch.setenv("TRITON_INTERPRET", "1")
