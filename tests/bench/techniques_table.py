"""Writes the table of docs/studies.md from the study's TSV; words in its last column stay with their technique.

python tests/bench/techniques_table.py docs/results/0.1.0/techniques/techniques.tsv docs/studies.md
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

HOW = ("dB at equal time", "dB at equal bytes", "bytes")
HEAD = (
    "| technique | stills: time | bytes | BD-rate | clips: time | bytes | BD-rate | seconds | verdict (time; bytes) "
    "| an untested guess at why |"
)


def row_of(row: dict[str, str], guess: str) -> str:
    names = [f"{what}: {how}" for what in ("stills", "clips") for how in HOW]
    figures = [row[name].replace("-", "−").replace(" ± nan", "") for name in names]
    verdict = f"{row['verdict: time']}; {row['verdict: bytes']}"
    return " | ".join([f"| {row['technique']}", *figures, f"× {row['seconds over control']}", verdict, guess]) + " |"


def main() -> None:
    tsv, document = map(Path, sys.argv[1:])
    lines = document.read_text().splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("| technique |"))
    end = next(k for k in range(first, len(lines)) if not lines[k].startswith("|"))
    old = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[first + 2 : end]]
    guesses = {cells[0]: cells[-1] for cells in old}
    with tsv.open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    table = [HEAD, "|---" * 10 + "|", *(row_of(r, guesses.get(r["technique"], "")) for r in rows)]
    document.write_text("\n".join([*lines[:first], *table, *lines[end:]]) + "\n")


if __name__ == "__main__":
    main()
