"""A web server for tests of the page: folders under names, byte ranges, and failures on demand."""

from __future__ import annotations

import mimetypes
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_RANGE = re.compile(r"bytes=(\d+)-(\d*)$")
_TYPES = {".m3u8": "application/vnd.apple.mpegurl", ".m4s": "video/iso.segment", ".mp4": "video/mp4"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A page that is closed in the middle of an answer is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class WebServer:
    """Serves `folders` (first part of a path -> folder). failures: path -> statuses to answer with instead, each once;
    texts: path -> content that stands for a file; requests: (path, range) in order."""

    def __init__(self, folders: dict[str, Path]) -> None:
        self.folders = folders
        self.failures: dict[str, list[int]] = {}
        self.texts: dict[str, str] = {}
        self.requests: list[tuple[str, str]] = []
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _find(self, path: str) -> bytes | None:
        if path in self.texts:
            return self.texts[path].encode()
        root, _, rest = path.lstrip("/").partition("/")
        file = self.folders.get(root, Path("/nowhere")) / (rest or "index.html")
        return file.read_bytes() if file.is_file() else None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                wanted = self.headers.get("Range", "")
                server.requests.append((path, wanted))
                if server.failures.get(path):
                    self._answer(server.failures[path].pop(0), b"")
                    return
                data = server._find(path)
                if data is None:
                    self._answer(404, b"")
                    return
                match = _RANGE.match(wanted)
                if not match:
                    self._answer(200, data)
                    return
                start = int(match[1])
                end = min(int(match[2]) + 1 if match[2] else len(data), len(data))
                if start >= end:
                    self._answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
                    return
                self._answer(206, data[start:end], {"Content-Range": f"bytes {start}-{end - 1}/{len(data)}"})

            def _answer(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
                suffix = Path(self.path.partition("?")[0]).suffix
                kind = _TYPES.get(suffix) or mimetypes.types_map.get(suffix) or "application/octet-stream"
                if suffix in ("", ".html"):
                    kind = "text/html; charset=utf-8"
                self.send_response(status)
                for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(data)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Nothing: pytest shows what matters."""

        return Handler
