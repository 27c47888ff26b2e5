"""Who may fetch: signed addresses that expire, or a function of the user's.

    /show/t.1767323045.SIGNATURE/master.m3u8   ──►   /show/master.m3u8, until that second

The token is a folder of the path, so every address in a playlist or a manifest, which are all relative, has it too, and
no player and no cache needs to know of it. It opens what lies below the folder in front of it and nothing else.

    SIGNATURE = base64url(HMAC-SHA256(key, "/show/" + "\n" + "1767323045")) without padding
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib
import inspect
import os
import re
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gvideo.errors import MediaError, OptionError

_TOKEN = re.compile(
    r"^(?P<folder>/(?:.*?/)?)t\.(?P<expires>\d{1,12})\.(?P<signature>[\w-]{43})/(?P<rest>.*)$", re.ASCII
)
#: A key that can be guessed is none.
_LEAST_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """What a user's function is asked about. path: decoded, without the token. headers: names in lower case. client:
    the address that the connection comes from, "" where it is not known.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    client: str


#: Whether a request is allowed; may be a coroutine function.
Hook = Callable[[AccessRequest], bool | Awaitable[bool]]


def read_keys(path: str | os.PathLike[str]) -> tuple[bytes, ...]:
    """The keys in a file, a line each: the first signs, all are accepted, so that keys can be changed.

    Raises MediaError if it cannot be read, OptionError if a key is too short."""
    try:
        lines = Path(path).read_bytes().split(b"\n")
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror or error})") from error
    keys = tuple(line.strip() for line in lines if line.strip())
    if not keys or min(map(len, keys)) < _LEAST_KEY_BYTES:
        raise OptionError(f"--token-key-file {path}: keys of at least {_LEAST_KEY_BYTES} bytes wanted, one a line")
    return keys


def sign(key: bytes, folder: str, expires: int) -> str:
    """The token for what lies below a folder.

    Args:
        key: secret bytes.
        folder: of the served tree, with a slash at both ends; "/" for all.
        expires: seconds since 1970.

    Returns:
        The token, to be put behind the folder: folder + token + "/master.m3u8".
    """
    digest = hmac.new(key, f"{folder}\n{expires}".encode(), hashlib.sha256).digest()
    return f"t.{expires}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def opened(path: str, keys: Sequence[bytes], now: float) -> str | None:
    """The path without its token; None if it has none that holds, or leads out of its folder."""
    found = _TOKEN.match(path)
    if found is None or int(found["expires"]) <= now or ".." in found["rest"].split("/"):
        return None
    token = path[len(found["folder"]) : found.start("rest") - 1]
    for key in keys:
        if hmac.compare_digest(sign(key, found["folder"], int(found["expires"])), token):
            return found["folder"] + found["rest"]
    return None


def without_signature(path: str) -> str:
    """A path as a log may show it."""
    found = _TOKEN.match(path)
    return path if found is None else f"{found['folder']}t.{found['expires']}.-/{found['rest']}"


def load_hook(name: str) -> Hook:
    """The function of MODULE:FUNCTION, from Python's path or the working directory. Raises OptionError."""
    module, mark, function = name.partition(":")
    if not mark or not module or not function:
        raise OptionError(f"--authorize {name}: MODULE:FUNCTION wanted")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise OptionError(f"--authorize {name}: cannot be loaded ({error})") from error
    if not callable(found):
        raise OptionError(f"--authorize {name}: is no function")
    return found  # type: ignore[no-any-return]


class Authorized:
    """Passes on what keys and hook allow, and answers 403 to the rest. keys: none, no token is needed."""

    def __init__(
        self, app: ASGIApp, keys: Sequence[bytes] = (), hook: Hook | None = None, now: Callable[[], float] = time.time
    ) -> None:
        self._app, self._keys, self._hook, self._now = app, tuple(keys), hook, now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str | None = scope["path"]
        if self._keys:
            path = opened(scope["path"], self._keys, self._now())
        if path is None or not await self._allows(scope, path):
            refusal = PlainTextResponse("refused\n", 403, headers={"Cache-Control": "no-store"})
            await refusal(scope, receive, send)
            return

        async def private(message: Message) -> None:
            if message["type"] == "http.response.start":  # what is not for all is not for shared caches
                message["headers"] = [
                    (name, value.replace(b"public", b"private") if name.lower() == b"cache-control" else value)
                    for name, value in message.get("headers", [])
                ]
            await send(message)

        await self._app({**scope, "path": path, "raw_path": path.encode()}, receive, private)

    async def _allows(self, scope: Scope, path: str) -> bool:
        if self._hook is None:
            return True
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        client = (scope.get("client") or ("",))[0]
        request = AccessRequest(scope["method"], path, scope["query_string"].decode("latin-1"), headers, client)
        answer = self._hook(request)
        return bool(await answer) if inspect.isawaitable(answer) else bool(answer)
