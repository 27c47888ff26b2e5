"""The page's rules of adaptation are those of player/adaptation/abr.py: the same constants, the same choices."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from player.adaptation import abr
from player.adaptation.abr import BolaBasic, RobustMpc, State

RULES = Path(__file__).parents[2] / "player" / "web" / "playback" / "abr.js"

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")


def in_node(body: str, given: Any = None) -> Any:
    script = f"import * as abr from {json.dumps(RULES.as_uri())};\nconst given = {json.dumps(given)};\n{body}"
    done = subprocess.run(
        ["node", "--input-type=module", "--eval", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_constants_agree() -> None:
    names = ("BOLA_GAMMA_P", "MPC_HORIZON", "MPC_STALL", "MPC_SWITCH", "MEMORY")
    found = in_node(f"console.log(JSON.stringify({list(names)}.map((name) => abr[name])));")
    mpc = RobustMpc
    assert found == [abr._BOLA_GAMMA_P, mpc._HORIZON, mpc._STALL, mpc._SWITCH, abr._MEMORY]


def test_choices_agree() -> None:
    rng = np.random.default_rng(5)
    cases = []
    for _ in range(200):
        rates = np.sort(np.exp(rng.uniform(11, 16, rng.integers(2, 5))))
        transfers = np.stack([rng.uniform(2e5, 8e6, 7), rng.uniform(0.2, 6, 7)], axis=1).tolist()
        cases.append({
            "rates": rates.tolist(), "segmentSeconds": float(rng.choice([1, 2, 4, 10])), "targetSeconds": 20.0,
            "bufferSeconds": float(rng.uniform(0, 20)), "level": int(rng.integers(-1, len(rates))),
            "transfers": transfers[: rng.integers(0, 8)],
        })  # fmt: skip
    chosen = in_node(
        """
        const all = given.map(({ transfers, ...state }) => {
          const throughput = new abr.Throughput();
          for (const [bits, seconds] of transfers) throughput.add(bits / 8, 1000 * seconds);
          return ["bola-basic", "mpc"].map((rule) => abr.choose(rule, state, throughput));
        });
        console.log(JSON.stringify(all));
        """,
        cases,
    )
    expected = []
    for case in cases:
        rates, seconds = np.array(case["rates"]), case["segmentSeconds"]
        known = State(rates, np.tile(rates * seconds, (5, 1)), seconds, case["bufferSeconds"], 20.0, case["level"])
        mpc = RobustMpc()
        for bits, took in case["transfers"]:
            mpc._predicted = mpc.estimate_bps() if mpc._rates else 0.0
            mpc.transferred(bits, took)
        # before anything came, each player begins with a rate of its own
        expected.append([BolaBasic().choose(known), mpc.choose(known) if case["transfers"] else None])
    assert len({bola for bola, _ in expected}) > 2
    assert len({mpc for _, mpc in expected}) > 2
    assert [bola for bola, _ in chosen] == [bola for bola, _ in expected]
    assert [js for (_, js), (_, py) in zip(chosen, expected, strict=True) if py is not None] == [
        py for _, py in expected if py is not None
    ]
