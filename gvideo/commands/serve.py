"""serve a published folder over HTTP, with the player's page at /"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import ssl
import tempfile
import time
from pathlib import Path
from typing import Any

from gvideo.commands.terminal.console import console
from gvideo.commands.terminal.figures import exporter, parse_address
from gvideo.errors import OptionError
from gvideo.extras import explained

SERVERS = ("uvicorn", "granian")
#: What answers are still under way when the server is told to stop may take so long.
_SHUTDOWN_SECONDS = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `gvideo serve`."""
    parser.add_argument("folder", metavar="DIR", help="a folder that gvideo package or gvideo encode made")
    parser.add_argument(
        "--host", metavar="IP", default="127.0.0.1", help="address to listen at (default 127.0.0.1; 0.0.0.0 for all)"
    )
    parser.add_argument("--port", type=int, default=8000, metavar="P", help="port (default 8000)")
    parser.add_argument("--server", choices=SERVERS, default="uvicorn", help="uvicorn, or granian for load")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes of granian (default 1)")
    parser.add_argument(
        "--tls-cert", metavar="PEM", help="serve HTTPS with this certificate and what leads to its root"
    )
    parser.add_argument("--tls-key", metavar="PEM", help="the certificate's private key")
    parser.add_argument(
        "--metrics", metavar="[IP:]PORT", help="figures for Prometheus at http://IP:PORT/metrics (default IP 127.0.0.1)"
    )
    parser.add_argument(
        "--token-key-file", metavar="FILE", help="serve signed addresses alone; a key a line, the first one signs"
    )
    parser.add_argument(
        "--print-token", type=int, metavar="SECONDS", help="print the folder of addresses that last so long, and end"
    )
    parser.add_argument(
        "--authorize", metavar="MODULE:FUNCTION", help="ask this Python function whether a request is allowed"
    )


def run(arguments: argparse.Namespace) -> None:
    """Serves until it is interrupted."""
    if arguments.print_token is not None:
        _print_token(arguments)
        return
    if not 0 < arguments.port < 1 << 16:
        raise OptionError(f"--port {arguments.port}: from 1 to 65535 wanted")
    if arguments.workers < 1 or (arguments.workers > 1 and arguments.server != "granian"):
        raise OptionError(
            f"--workers {arguments.workers}: at least 1 wanted, and more than one with --server granian only"
        )
    _check_tls(arguments)
    metrics = parse_address(arguments.metrics)
    with contextlib.ExitStack() as stack:
        with explained("gvideo serve"):
            from packager.server.access import load_hook, read_keys
            from packager.server.app import make_app
            from packager.server.exporter import SHARED_VARIABLE
        keys = read_keys(arguments.token_key_file) if arguments.token_key_file else ()
        hook = load_hook(arguments.authorize) if arguments.authorize else None
        with explained("gvideo serve --metrics"):
            if metrics is not None and arguments.server == "granian":
                # before anything that imports prometheus_client, which looks for it then
                os.environ[SHARED_VARIABLE] = stack.enter_context(tempfile.TemporaryDirectory(prefix="gvideo-metrics-"))
            app = make_app(arguments.folder, count=metrics is not None, keys=keys, hook=hook)
            stack.enter_context(exporter(arguments.metrics))
        _serve(arguments, app)


def _check_tls(arguments: argparse.Namespace) -> None:
    """Raises OptionError for a certificate or a key that cannot be used."""
    cert, key = arguments.tls_cert, arguments.tls_key
    if cert is None and key is None:
        return
    if cert is None or key is None:
        raise OptionError("--tls-cert and --tls-key: both or none")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password="")
    except ssl.SSLError as error:
        raise OptionError(
            f"--tls-cert {cert}, --tls-key {key}: are no pair in PEM ({error.reason or error})"
        ) from error
    except OSError as error:
        raise OptionError(f"--tls-cert {cert}, --tls-key {key}: cannot be read ({error.strerror or error})") from error


def _print_token(arguments: argparse.Namespace) -> None:
    if not arguments.token_key_file or arguments.print_token < 1:
        raise OptionError("--print-token: with --token-key-file FILE, and at least 1 second")
    with explained("gvideo serve"):
        from packager.server.access import read_keys, sign
    key = read_keys(arguments.token_key_file)[0]
    print(f"/{sign(key, '/', int(time.time()) + arguments.print_token)}/")


def _serve(arguments: argparse.Namespace, app: Any) -> None:
    from packager.server.app import COUNT_VARIABLE, HOOK_VARIABLE, KEYS_VARIABLE, QUIET_VARIABLE, ROOT_VARIABLE

    if not arguments.quiet:
        logging.basicConfig(level=logging.INFO, format="%(message)s")
    scheme = "http" if arguments.tls_cert is None else "https"
    place = f"{scheme}://{arguments.host}:{arguments.port}/"
    console.say("ready", f"{arguments.folder}: {place} · {place}master.m3u8 · {place}manifest.mpd")
    try:
        if arguments.server == "granian":
            with explained("gvideo serve --server granian"):
                from granian.constants import Interfaces, SSLProtocols
                from granian.server import Server

            os.environ[ROOT_VARIABLE] = os.path.abspath(arguments.folder)
            os.environ[QUIET_VARIABLE] = "1" if arguments.quiet else ""
            os.environ[COUNT_VARIABLE] = "1" if arguments.metrics else ""
            keys = arguments.token_key_file
            os.environ[KEYS_VARIABLE] = os.path.abspath(keys) if keys else ""
            os.environ[HOOK_VARIABLE] = arguments.authorize or ""
            Server(
                "packager.server.app:from_environment", address=arguments.host, port=arguments.port,
                interface=Interfaces.ASGI, factory=True, workers=arguments.workers, log_access=False,
                workers_kill_timeout=_SHUTDOWN_SECONDS, ssl_cert=arguments.tls_cert and Path(arguments.tls_cert),
                ssl_key=arguments.tls_key and Path(arguments.tls_key), ssl_protocol_min=SSLProtocols.tls12,
            ).serve()  # fmt: skip
            return
        import uvicorn

        uvicorn.run(
            app,
            host=arguments.host,
            port=arguments.port,
            log_level="warning",
            access_log=False,
            ssl_certfile=arguments.tls_cert,
            ssl_keyfile=arguments.tls_key,
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        )
    except SystemExit as leaving:  # uvicorn leaves so if the port is taken
        if leaving.code:
            raise OptionError(f"--port {arguments.port}: cannot listen at {arguments.host} (is it in use?)") from None
        raise
