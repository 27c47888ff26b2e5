"""Where a command's segments are fitted, processes of this machine or a Ray cluster, and who may count them."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gvideo.commands.terminal.figures import exporter

if TYPE_CHECKING:
    from gvideo.encoder.jobs.executor import SegmentExecutor


def add_executor_options(parser: argparse.ArgumentParser) -> None:
    """Options that say where segments are fitted, and who may watch."""
    help_workers = "processes (default: one a core, up to four a GPU, no more than memory holds)"
    parser.add_argument("--workers", type=int, metavar="N", help=help_workers)
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="fit on a Ray cluster: ray://HOST:PORT, HOST:PORT, auto, or local (default: this machine's processes)",
    )
    parser.add_argument(
        "--metrics", metavar="[IP:]PORT", help="figures for Prometheus at http://IP:PORT/metrics (default IP 127.0.0.1)"
    )


@contextlib.contextmanager
def executor_of(arguments: argparse.Namespace, default_workers: int | None = None) -> Iterator[SegmentExecutor]:
    """The executor that a command line asks for, for as long as the context lasts. default_workers: processes where
    neither --workers nor --cluster says anything."""
    with exporter(arguments.metrics):
        executor: SegmentExecutor
        if arguments.cluster:
            from gvideo.encoder.jobs.ray_executor import RayExecutor

            executor = RayExecutor(arguments.cluster, workers=arguments.workers)
        else:
            from gvideo.encoder.jobs.pool import ProcessExecutor

            executor = ProcessExecutor(default_workers if arguments.workers is None else arguments.workers)
        try:
            if arguments.metrics:
                from gvideo.commands.encoding.encode_figures import MeasuredExecutor

                executor = MeasuredExecutor(executor)
            yield executor
        finally:
            executor.close()
