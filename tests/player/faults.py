"""A server of a folder that fails as it is told: the first answers to a path, or all of them."""

from __future__ import annotations

import gzip
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

#: What the answer to request number n (from 0) for a path is: "" as it should be, or one of the faults below.
Plan = Callable[[str, int], str]


@dataclass
class Served:
    """url: of the folder. requests: (path, range header) of everything that was asked for."""

    url: str
    requests: list[tuple[str, str]] = field(default_factory=list)

    def asked(self, part: str) -> list[tuple[str, str]]:
        return [r for r in self.requests if part in r[0]]


@contextmanager
def serving(folder: Path, plan: Plan = lambda path, count: "") -> Iterator[Served]:
    """Serves a folder on a port of the loopback interface."""
    counts: Counter[str] = Counter()
    lock = threading.Lock()
    stop = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: object) -> None:
            pass

        def do_GET(self) -> None:
            path = unquote(self.path.partition("?")[0]).lstrip("/")
            wanted = self.headers.get("Range", "")
            with lock:
                served.requests.append((path, wanted))
                fault = plan(path, counts[path])
                counts[path] += 1
            if fault.isdecimal():
                self.answer(int(fault), b"no", {"Retry-After": "0"})
            elif fault == "redirect":
                self.answer(302, b"", {"Location": "/moved/" + path})
            elif fault == "loop":
                self.answer(302, b"", {"Location": "/" + path})
            elif fault == "drop":
                self.close_connection = True
                self.connection.close()
            elif fault == "silence":
                stop.wait(20)
                self.close_connection = True
            else:
                self.file(path.removeprefix("moved/"), wanted, fault)

        def file(self, path: str, wanted: str, fault: str) -> None:
            place = folder / path
            if not place.is_file():
                self.answer(404, b"none", {})
                return
            body = place.read_bytes()
            headers: dict[str, str] = {}
            status = 200
            if wanted and fault != "no ranges":
                first, _, last = wanted.removeprefix("bytes=").partition("-")
                start, end = int(first), min(int(last or len(body) - 1), len(body) - 1)
                if start > end:
                    self.answer(416, b"", {})
                    return
                if fault == "wrong range":
                    start, end = start + 7, min(end + 7, len(body) - 1)
                headers["Content-Range"] = f"bytes {start}-{end}/{len(body)}"
                status, body = 206, body[start : end + 1]
            elif "gzip" in self.headers.get("Accept-Encoding", ""):
                headers["Content-Encoding"] = "gzip"
                body = gzip.compress(body)
            if fault == "garbage":
                body = bytes(b ^ 0x55 for b in body)
            self.answer(status, body, headers, fault)

        def answer(self, status: int, body: bytes, headers: dict[str, str], fault: str = "") -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if fault == "truncated":
                self.wfile.write(body[: len(body) // 2])
                self.close_connection = True
            elif fault == "drip":
                for byte in body:
                    if stop.is_set():
                        break
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(0.05)
                self.close_connection = True
            else:
                self.wfile.write(body)

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that has gone is what these tests are about

    server = Server(("127.0.0.1", 0), Handler)
    served = Served(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield served
    finally:
        stop.set()
        server.shutdown()
        thread.join()
        server.server_close()
