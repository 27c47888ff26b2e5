"""Figures for Prometheus on a port of their own, of this process or of all workers of a server."""

from __future__ import annotations

import os
from typing import Any

#: Folder through which the workers of one server add up what they count; read when prometheus_client is imported.
SHARED_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def start_exporter(host: str, port: int) -> Any:
    """Serves /metrics of this process, or of all workers where PROMETHEUS_MULTIPROC_DIR is set, on a thread.

    Returns the server, to be shut down. Raises OSError if the port is taken, ImportError without prometheus_client."""
    from prometheus_client import REGISTRY, CollectorRegistry, start_http_server
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = REGISTRY
    if os.environ.get(SHARED_VARIABLE):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    server, _ = start_http_server(port, host, registry)
    return server
