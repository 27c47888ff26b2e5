"""Finding a Ray cluster, and whether its machines run the same programs as this one.

    ray://HOST:PORT   through Ray's client port (10001), from anywhere
    HOST:PORT         the head (port 6379), from a machine of the cluster
    auto              the cluster that this machine belongs to, or RAY_ADDRESS
    local             a Ray of its own on this machine, for this encode alone

Ray itself waits for minutes for a cluster that is not there, and then ends the process. So it is asked for only once
something answers at the address as Ray does.
"""

from __future__ import annotations

import logging
import os
import platform
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gvideo import __version__
from gvideo.errors import GVideoError, OptionError
from gvideo.extras import explained

#: Seconds that a cluster has to answer.
ANSWER_SECONDS = 8.0
#: Tries to get a server of one's own from Ray's client port: it starts a process for every client, on the next of its
#: ports, and that process may find the port taken or be ended for want of memory.
_CLIENT_TRIES = 3
#: Seconds that a machine of the cluster has to start a worker and say what it runs.
_PROBE_SECONDS = 60.0
DEFAULT_PORTS = {"ray": 10001, "": 6379}


def import_ray() -> Any:
    """The package ray. Raises MissingExtraError where it is not installed."""
    # zero GPUs of a task hide all of them, as Ray will have it from some version on; it warns until this is said
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    with explained("--cluster"):
        import ray
    return ray


def connect(address: str) -> None:
    """Connects to a cluster, or starts one for "local". Raises OptionError within ten seconds where there is none, and
    for one whose Ray or Python differs."""
    ray = import_ray()
    found = resolve(address)
    options: dict[str, Any] = {"include_dashboard": False} if found == "local" else {}
    try:
        _start(ray, found, options)
    except ConnectionError as error:
        raise OptionError(f"--cluster {address}: no Ray cluster found ({_line(error)})") from error
    except (RuntimeError, ValueError, SystemExit, OSError) as error:
        hint = "; install the same versions on all machines" if "ersion" in str(error) else ""
        raise OptionError(f"--cluster {address}: {_line(error)}{hint}") from error


def _start(ray: Any, address: str, options: dict[str, Any]) -> None:
    """ray.init, once more where the cluster is there but its client port could not start a server for this client."""
    for tries_left in reversed(range(_CLIENT_TRIES)):
        try:
            ray.init(address, logging_level=logging.ERROR, log_to_driver=False, **options)
            return
        except ConnectionError as error:
            if tries_left == 0 or "Initialization failure from server" not in str(error):
                raise
            time.sleep(1)


def resolve(address: str) -> str:
    """The address for Ray, which something answers at. Raises OptionError if not."""
    if address == "local":
        return address
    if address == "auto":
        known = os.environ.get("RAY_ADDRESS", "") or _address_on_record()
        if not known:
            raise OptionError(
                "--cluster auto: this machine belongs to no Ray cluster, and RAY_ADDRESS names none; "
                "ray start --head starts one"
            )
        if known in ("auto", "local"):
            return known
        address = known
    scheme, mark, rest = address.rpartition("://")
    if scheme not in DEFAULT_PORTS or (mark and not scheme):
        raise OptionError(f"--cluster {address}: ray://HOST:PORT, HOST:PORT, auto or local wanted")
    host, _, port = rest.rpartition(":") if ":" in rest else (rest, "", str(DEFAULT_PORTS[scheme]))
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise OptionError(f"--cluster {address}: ray://HOST:PORT, HOST:PORT, auto or local wanted")
    _require_answer(address, host, int(port))
    return f"{scheme}{mark}{host}:{port}"


def _address_on_record() -> str:
    """Where `ray start` has noted the cluster of this machine."""
    folder = Path(os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp")
    try:
        return (folder / "ray" / "ray_current_cluster").read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _require_answer(address: str, host: str, port: int) -> None:
    try:
        with socket.create_connection((host.strip("[]"), port), ANSWER_SECONDS / 2):
            pass
    except OSError as error:
        raise OptionError(f"--cluster {address}: nothing answers there ({error.strerror or error})") from None
    if os.environ.get("RAY_USE_TLS") == "1":
        return  # keys are Ray's matter
    try:
        import grpc
    except ImportError:
        return
    with grpc.insecure_channel(f"{host}:{port}") as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=ANSWER_SECONDS / 2)
        except grpc.FutureTimeoutError:
            raise OptionError(f"--cluster {address}: something answers there, but no Ray cluster does") from None


def versions() -> dict[str, str]:
    """What must be the same everywhere for the same bytes."""
    return {"gvideo": __version__, "Python": ".".join(platform.python_version_tuple()[:2])}


def check_machines(ray: Any) -> None:
    """Asks every machine of the cluster for its versions. Raises GVideoError for the first that differs, lacks gvideo
    or does not answer. Machines that join later are asked with each segment (ray_worker.py)."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    def probe() -> dict[str, str]:  # sent by value, as a function within another is: gvideo may not be there
        import importlib
        import platform

        try:
            found = importlib.import_module("gvideo").__version__
        except Exception as error:
            found = f"missing ({type(error).__name__}: {error})"
        return {"gvideo": found, "Python": ".".join(platform.python_version_tuple()[:2])}

    task = ray.remote(probe)
    asked = {}
    for node in ray.nodes():
        if node["Alive"]:
            strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            options = {"num_cpus": 0, "max_retries": 0, "scheduling_strategy": strategy, "name": "gvideo versions"}
            asked[task.options(**options).remote()] = node["NodeManagerAddress"]
    ready, late = ray.wait(list(asked), num_returns=len(asked), timeout=_PROBE_SECONDS)
    for answer in ready:
        try:
            found = ray.get(answer)
        except (ray.exceptions.TaskUnschedulableError, ray.exceptions.NodeDiedError):
            continue  # it has left the cluster
        except ray.exceptions.RayError as error:
            raise GVideoError(f"machine {asked[answer]} of the cluster runs no worker ({_line(error)})") from error
        require_same(found, versions(), asked[answer])
    if late:
        raise GVideoError(f"machine {asked[late[0]]} of the cluster has started no worker in {_PROBE_SECONDS:.0f} s")


def require_same(found: dict[str, str], wanted: dict[str, str], machine: str) -> None:
    """Raises GVideoError for versions that differ."""
    if found != wanted:
        raise GVideoError(
            f"machine {machine} of the cluster has {_named(found)}, here are {_named(wanted)}; "
            "install the same versions on all machines"
        )


def _named(versions: dict[str, str]) -> str:
    return " and ".join(f"{name} {version}" for name, version in versions.items())


def _line(error: BaseException) -> str:
    """The first sentences of Ray's messages, which are long."""
    words: Iterable[str] = (str(error) or type(error).__name__).split()
    return " ".join(words)[:300]
