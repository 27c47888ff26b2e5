"""Sums of Gaussians on the processor: against the formula, and the compiled rows against their source."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
RENDER = HERE.parents[1] / "player" / "web" / "render"

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")


def test_sums_are_those_of_the_formula() -> None:
    done = subprocess.run(["node", "--test", str(HERE / "sums.test.mjs")], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not (HERE / "node_modules" / "wabt").is_dir(), reason="needs `npm ci` in tests/web")
def test_the_module_is_made_of_its_source() -> None:
    command = ["node", str(HERE / "compile_wat.mjs"), str(RENDER / "sums.wat")]
    made = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    assert "".join(re.findall(r'"([\w+/=]+)"', (RENDER / "sums_row.js").read_text())) == made
