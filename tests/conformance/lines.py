"""Which lines of some modules ran: for measuring what the conformance streams reach.

Run as a program it decodes the streams given with gvideo's reader, uncompiled, and prints the lines of its modules that
did not run: python lines.py STREAM…
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any


def lines_of(path: Path) -> set[int]:
    """Lines of a module's functions that hold code, without their definitions."""
    found: set[int] = set()

    def walk(code: CodeType, inside: bool) -> None:
        if inside:
            found.update(line for *_, line in code.co_lines() if line is not None and line != code.co_firstlineno)
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                walk(constant, inside or not (constant.co_name[0].isupper() or constant.co_name[0] == "<"))

    walk(compile(path.read_text(), str(path), "exec"), False)
    return found


@contextmanager
def lines_run(paths: Iterable[Path]) -> Iterator[dict[str, set[int]]]:
    """Lines of modules that run within."""
    ran: dict[str, set[int]] = {str(p.resolve()): set() for p in paths}

    def local(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            ran[frame.f_code.co_filename].add(frame.f_lineno)
        return local

    def called(frame: FrameType, _event: str, _: Any) -> Any:
        return local if frame.f_code.co_filename in ran else None

    before = sys.gettrace()
    sys.settrace(called)
    try:
        yield ran
    finally:
        sys.settrace(before)


def missed(ran: dict[str, set[int]]) -> dict[str, list[str]]:
    """Lines that did not run, but for those that raise or return an error."""
    found: dict[str, list[str]] = {}
    for name, lines in ran.items():
        text = Path(name).read_text().splitlines()
        left = sorted(lines_of(Path(name)) - lines)
        found[Path(name).name] = [f"{n}: {text[n - 1].strip()}" for n in left]
    return found


if __name__ == "__main__":
    os.environ["NUMBA_DISABLE_JIT"] = "1"
    root = Path(__file__).parents[2] / "gvideo"
    names = ["entropy/walk.py", "entropy/vectors.py", "entropy/binarise.py", "model/steps.py", "bitstream/headers.py"]
    from gvideo.decoder.stream import Stream

    with lines_run([root / name for name in names]) as ran_lines:
        for given in sys.argv[1:]:
            stream = Stream(given)
            for number in range(len(stream.segments)):
                stream.decode_segment(number)
    for module, rows in missed(ran_lines).items():
        print(f"{module}: {len(rows)} lines")
        print("".join(f"  {row}\n" for row in rows), end="")
