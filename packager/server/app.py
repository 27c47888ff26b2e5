"""The server as an ASGI application: files, CORS, an access log. Runs under uvicorn, granian and any other ASGI server.

Responses are the same for every origin (`Access-Control-Allow-Origin: *`), so that caches need not tell them apart.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gvideo.errors import MediaError
from packager.server.access import Authorized, Hook, load_hook, read_keys, without_signature
from packager.server.files import PublishedFiles

#: Folder to serve, whether to keep quiet and whether to count, for servers that start the application by name.
ROOT_VARIABLE, QUIET_VARIABLE, COUNT_VARIABLE = "GVIDEO_SERVE_ROOT", "GVIDEO_SERVE_QUIET", "GVIDEO_SERVE_COUNT"
#: File of keys for signed addresses, and the function that is asked, for the same.
KEYS_VARIABLE, HOOK_VARIABLE = "GVIDEO_SERVE_TOKEN_KEYS", "GVIDEO_SERVE_AUTHORIZE"
_EXPOSED = "Content-Length, Content-Range, Accept-Ranges, Date, ETag"
_CORS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", _EXPOSED.encode()),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"x-content-type-options", b"nosniff"),
]
_PREFLIGHT = [
    (b"access-control-allow-methods", b"GET, HEAD, OPTIONS"),
    (b"access-control-allow-headers", b"*"),
    (b"access-control-max-age", b"86400"),
    (b"allow", b"GET, HEAD, OPTIONS"),
]
log = logging.getLogger("gvideo.access")


def make_app(
    folder: str | os.PathLike[str],
    page: Path | None = None,
    count: bool = False,
    keys: Sequence[bytes] = (),
    hook: Hook | None = None,
) -> ASGIApp:
    """The application that serves a folder. page: the folder of the player's page (default: player/web beside this
    package, if it is there). count: for Prometheus (metrics.py). keys, hook: who may fetch (access.py). Raises
    MediaError for a folder that is none."""
    root = Path(folder)
    if not root.is_dir():
        raise MediaError(f"{folder}: is no folder; gvideo package makes one")
    if page is None:
        page = Path(__file__).parents[2] / "player" / "web"
    files = PublishedFiles(root, page if page.is_dir() else None)
    served: ASGIApp = Starlette(routes=[Mount("/", app=files)])
    if keys or hook:
        served = Authorized(served, keys, hook)
    app = AccessLog(CrossOrigin(served))
    if not count:
        return app
    from packager.server.metrics import RequestCounter

    return RequestCounter(app)


def from_environment() -> ASGIApp:
    """The application of the folder that the environment variable GVIDEO_SERVE_ROOT names."""
    if not os.environ.get(QUIET_VARIABLE):
        logging.basicConfig(level=logging.INFO, format="%(message)s")
    else:
        log.setLevel(logging.WARNING)
    keys, hook = os.environ.get(KEYS_VARIABLE), os.environ.get(HOOK_VARIABLE)
    return make_app(
        os.environ[ROOT_VARIABLE],
        count=bool(os.environ.get(COUNT_VARIABLE)),
        keys=read_keys(keys) if keys else (),
        hook=load_hook(hook) if hook else None,
    )


class CrossOrigin:
    """Adds the headers that let pages of any origin read the answers; answers preflights itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if any(name == b"transfer-encoding" for name, _ in scope["headers"]):
            # No request here has a body to send, and with a length beside it nobody knows where it ends (RFC 9112,
            # section 6.1): refused, and the connection closed, before a proxy in front can be of another opinion.
            await send({"type": "http.response.start", "status": 400, "headers": [*_CORS, (b"connection", b"close")]})
            await send({"type": "http.response.body", "body": b""})
            return
        if scope["method"] == "OPTIONS":
            await send({"type": "http.response.start", "status": 204, "headers": [*_CORS, *_PREFLIGHT]})
            await send({"type": "http.response.body", "body": b""})
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_CORS]
            await send(message)

        await self._app(scope, receive, with_headers)


class Answer:
    """What an application has sent so far in answer to a request. status: 0 until it begins; num_bytes: of the body."""

    def __init__(self) -> None:
        self.status, self.num_bytes, self._started = 0, 0, time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since the request came."""
        return time.perf_counter() - self._started

    def counting(self, send: Send, tell: Callable[[int], None] = lambda _: None) -> Send:
        """The same `send`, counted. tell: called with the bytes of each part."""

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
            else:
                by_path = message["type"] == "http.response.pathsend"  # the server sends the file by itself
                part = os.stat(message["path"]).st_size if by_path else len(message.get("body", b""))
                self.num_bytes += part
                tell(part)
            await send(message)

        return counted


class AccessLog:
    """A line a request: client, request, range, status, bytes, milliseconds, user agent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or not log.isEnabledFor(logging.INFO):
            await self._app(scope, receive, send)
            return
        answer = Answer()
        try:
            await self._app(scope, receive, answer.counting(send))
        finally:
            headers = dict(scope["headers"])
            client = (scope.get("client") or ("-",))[0]
            log.info(
                "%s %s %s %s %d %d %.1f %s",
                client, scope["method"], _printable(without_signature(scope["path"])), _header(headers, b"range"),
                answer.status, answer.num_bytes, 1000 * answer.seconds, _header(headers, b"user-agent"),
            )  # fmt: skip


def _header(headers: dict[bytes, bytes], name: bytes) -> str:
    return '"' + _printable(headers.get(name, b"-").decode("latin-1")) + '"'


def _printable(text: str) -> str:
    """Text on one line whatever a client sent."""
    return "".join(c if c.isprintable() and c != '"' else "?" for c in text)[:300]
