"""Odd inputs: what a codec's users bring that is no plain film, and what must come out of each.

    python tests/corpus/odd_inputs.py FOLDER      makes all of them
    python tests/corpus/odd_inputs.py --list      prints README.md

Every input is a few small frames (writing.py), so that all are made and read within seconds; test_corpus.py reads each
and compares with its outcome (registry.py). The modules named below hold them, one for each kind.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
from corpus.registry import INPUTS

for _module in ("times", "programmes", "damage", "pictures", "formats", "orientation"):
    importlib.import_module(f"corpus.{_module}")


def readme() -> str:
    """The list of all inputs as Markdown."""
    lines = [
        "# Odd inputs",
        "",
        "What users bring that is no plain film, and what must come out. `odd_inputs.py` makes the inputs and this",
        "list, `test_corpus.py` reads each and compares times, pictures, format and what is said. Pipes, which are no",
        "files, are in `tests/media/test_pipe.py`.",
        "",
        "    python tests/corpus/odd_inputs.py FOLDER             # makes all of them",
        "    python tests/corpus/odd_inputs.py --list > tests/corpus/README.md",
    ]
    for kind in dict.fromkeys(each.kind for each in INPUTS):
        lines += ["", f"## {kind}", "", "| input | what it is | what comes out |", "|---|---|---|"]
        lines += [f"| `{i.name}` | {i.what} | {i.expected} |" for i in INPUTS if i.kind == kind]
    return "\n".join(lines) + "\n"


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if sys.argv[1] == "--list":
        print(readme(), end="")
        return
    for each in INPUTS:
        folder = Path(sys.argv[1], Path(each.name).stem.split("%")[0].rstrip("_"))
        folder.mkdir(parents=True, exist_ok=True)
        each.make(folder / each.name)


if __name__ == "__main__":
    main()
