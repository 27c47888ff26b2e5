"""`--metrics [IP:]PORT`: figures for Prometheus for as long as a command runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from gvideo.errors import OptionError
from gvideo.extras import explained


def parse_address(text: str | None) -> tuple[str, int] | None:
    """(host, port) of "[IP:]PORT", None of None."""
    if text is None:
        return None
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise OptionError(f"--metrics {text}: PORT or IP:PORT wanted, such as 9100")
    return host.strip("[]") or "127.0.0.1", int(port)


@contextlib.contextmanager
def exporter(text: str | None) -> Iterator[None]:
    """Serves what this process counts at that address, for as long as the context lasts. None: nothing is served."""
    address = parse_address(text)
    if address is None:
        yield
        return
    with explained("--metrics"):
        from packager.server.exporter import start_exporter
    try:
        server = start_exporter(*address)
    except OSError as error:
        raise OptionError(f"--metrics {text}: cannot listen there ({error.strerror})") from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
