"""Tests of the page's modules that run in Node, and splines against the Python decoder's."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from gvideo.model import motion

HERE = Path(__file__).parent
MOTION = HERE.parents[1] / "player" / "web" / "codec" / "motion.js"

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")


def in_node(*arguments: str) -> str:
    done = subprocess.run(["node", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_units() -> None:
    in_node("--test", str(HERE / "units.test.mjs"))


def test_splines_are_those_of_the_python_decoder() -> None:
    times = np.linspace(-1, 30, 63)
    script = f"""
        import {{ splineWeights }} from {json.dumps(MOTION.as_uri())};
        const times = {times.tolist()};
        const rows = Array.from({{ length: 16 }}, (_, k) => times.map((t) => {{
          const {{ first, weights }} = splineWeights(t, 30, k + 1);
          const row = new Array(20).fill(0);
          weights.forEach((w, j) => (row[first + j] += w));
          return row.slice(0, k + 1);
        }}));
        console.log(JSON.stringify(rows));
    """
    for k, rows in enumerate(json.loads(in_node("--input-type=module", "--eval", script))):
        np.testing.assert_allclose(rows, motion.basis(times, 30, k + 1), atol=1e-6)
