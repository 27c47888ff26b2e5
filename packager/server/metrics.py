"""What the server does, for Prometheus: requests, bytes and seconds by the kind of file, on a port of its own.

    client -> RequestCounter -> AccessLog -> CrossOrigin -> files      GET HOST:PORT/metrics -> the sums of all workers

Labels have few values: a path that a client may choose never becomes one.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from prometheus_client import Counter, Gauge, Histogram
from starlette.types import ASGIApp, Receive, Scope, Send

from packager.server.app import Answer

_KINDS = {
    ".m3u8": "playlist", ".mpd": "manifest", ".m4s": "segment", ".mp4": "segment", ".gsv": "stream",
    ".vtt": "subtitles", ".png": "picture", ".jpg": "picture", ".html": "page", ".js": "page", ".css": "page",
}  # fmt: skip
_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)

REQUESTS = Counter("gvideo_http_requests", "Requests answered.", ("kind", "status"))
BYTES = Counter("gvideo_http_response_bytes", "Bytes of answers' bodies.", ("kind",), unit="bytes")
SECONDS = Histogram("gvideo_http_request_seconds", "Until the last byte was handed over.", ("kind",), buckets=_SECONDS)
OPEN = Gauge("gvideo_http_requests_open", "Requests that are being answered.", multiprocess_mode="livesum")


def kind_of(path: str) -> str:
    """The kind of file that a path names: playlist, manifest, segment, stream, subtitles, picture, page or other."""
    return "page" if path.endswith("/") else _KINDS.get(PurePosixPath(path).suffix.lower(), "other")


class RequestCounter:
    """Counts the requests of an application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        kind, answer = kind_of(scope["path"]), Answer()
        OPEN.inc()
        try:
            await self._app(scope, receive, answer.counting(send, BYTES.labels(kind).inc))
        finally:
            OPEN.dec()
            REQUESTS.labels(kind, str(answer.status or 499)).inc()  # 499, as nginx has it: gone before an answer began
            SECONDS.labels(kind).observe(answer.seconds)
