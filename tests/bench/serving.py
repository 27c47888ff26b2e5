"""Throughput and memory of the server beside nginx, over the same files and with the same client, in one run.

    python tests/bench/serving.py [--seconds 5] [--out docs/results/0.1.0/serving.tsv]

Needs nginx and wrk. Everything runs on one machine over loopback, so the client takes its share of the cores; what
counts is the ratio. A row: server, file, requests a second, MB a second, 99th percentile in ms, resident memory in MB
of all its processes after the run, errors.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
CLIENTS, THREADS = 64, 1
SIZES = {"master.m3u8": 1_500, "segment_20kB.m4s": 20_000, "segment_1MB.m4s": 1_000_000}
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; keepalive_requests 100000000;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{ listen 127.0.0.1:{port}; root {files}; add_header Access-Control-Allow-Origin *; }}
}}
"""


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextmanager
def running(command: list[str], port: int) -> Iterator[int]:
    """A server process that answers at the port; gives its process id."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment) as child:
        try:
            for _ in range(300):
                with socket.socket() as s:
                    if s.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield child.pid
        finally:
            child.terminate()
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()


def resident_mb(pid: int) -> float:
    """Resident memory of a process and its children, MB. Pages that they share count in each."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return (int(own[1]) if own else 0) / 1000 + sum(resident_mb(int(c)) for c in children)


def load(url: str, seconds: int) -> tuple[float, float, float, int]:
    """(requests/s, MB/s, 99th percentile in ms, errors) that wrk reports."""
    command = ["wrk", "-t", str(THREADS), "-c", str(CLIENTS), "-d", f"{seconds}s", "--latency", url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])  # type: ignore[index]
    amount, unit = re.search(r"Transfer/sec:\s+([\d.]+)(\w+)", text).groups()  # type: ignore[union-attr]
    slow, slow_unit = re.search(r"99%\s+([\d.]+)(\w+)", text).groups()  # type: ignore[union-attr]
    errors = sum(map(int, re.findall(r"(?:connect|read|write|timeout) (\d+)", text)))
    errors += sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", text)))
    megabytes = float(amount) * {"B": 1e-6, "KB": 1.024e-3, "MB": 1.048576, "GB": 1073.7}[unit]
    return rate, megabytes, float(slow) * {"us": 1e-3, "ms": 1, "s": 1e3}[slow_unit], errors


def write_rows(rows: list[str], out: Path | None) -> None:
    """Lines of a table to a file, or to standard output without one."""
    text = "\n".join(rows) + "\n"
    if out:
        out.write_text(text)
    else:
        print(text, end="")


def main() -> int:
    """Measures all servers and writes the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=5, help="of load, a file and server")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    for tool in ("nginx", "wrk"):
        if shutil.which(tool) is None:
            print(f"{tool} is needed", file=sys.stderr)
            return 2
    rows = ["server\tfile\trequests_per_s\tMB_per_s\tp99_ms\tresident_MB\terrors"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chmod(folder, 0o755)
        files = folder / "files"
        files.mkdir()
        for file, size in SIZES.items():
            (files / file).write_bytes(os.urandom(size // 2).hex().encode()[:size])
        for server in ("nginx", "uvicorn", "granian"):
            port = free_port()
            if server == "nginx":
                (folder / "nginx.conf").write_text(NGINX.format(folder=folder, files=files, port=port))
                command = ["nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
            else:
                command = [sys.executable, "-m", "gvideo", "serve", str(files), "--port", str(port), "--quiet"]
                command += ["--server", server]
            with running(command, port) as pid:
                for file in SIZES:
                    rate, megabytes, slow, errors = load(f"http://127.0.0.1:{port}/{file}", options.seconds)
                    memory = resident_mb(pid)
                    rows.append(f"{server}\t{file}\t{rate:.0f}\t{megabytes:.1f}\t{slow:.1f}\t{memory:.0f}\t{errors}")
                    print(rows[-1], file=sys.stderr)
    write_rows(rows, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
