"""Many independent runs: in parallel, resumable, and a failure of one is a line, not an end.

tasks (name, function, arguments) -> processes of one thread each -> records, kept by the hash of what they depend on
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gvideo.errors import GVideoError
from gvideo.evaluate.cache import CacheEntry, key_of
from gvideo.evaluate.own import code_version

Record = dict[str, Any]
Tell = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Task:
    """One run. function: top-level, so that it can be sent to a process; key: what its result depends on, the code's
    version aside."""

    name: str
    function: Callable[..., Record]
    arguments: tuple[Any, ...]
    key: tuple[Any, ...]


def run_all(tasks: Sequence[Task], root: Path, workers: int, tell: Tell) -> tuple[list[Record | None], list[str]]:
    """Records in the order of the tasks (None for one that failed), and what went wrong."""
    entries = [CacheEntry(root, key_of("study", t.function.__qualname__, t.key, code_version())) for t in tasks]
    records: list[Record | None] = [e.load("record.json") for e in entries]
    todo = [k for k, record in enumerate(records) if record is None]
    problems: list[str] = []

    def keep(number: int, result: Record) -> None:
        entries[number].store("record.json", result)
        records[number] = result

    done = 0
    if workers <= 1:
        for done, k in enumerate(todo, 1):
            try:
                keep(k, tasks[k].function(*tasks[k].arguments))
            except GVideoError as error:
                problems.append(f"{tasks[k].name}: {error}")
            tell(tasks[k].name, done / len(todo))
        return records, problems
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(tasks[k].function, *tasks[k].arguments): k for k in todo}
        try:
            for done, future in enumerate(as_completed(futures), 1):
                k = futures[future]
                try:
                    keep(k, future.result())
                except GVideoError as error:
                    problems.append(f"{tasks[k].name}: {error}")
                tell(tasks[k].name, done / len(todo))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return records, problems
