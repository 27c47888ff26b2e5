"""Outputs in object stores: made in a folder of this machine, then stored, the last name last.

    -o s3://bucket/a.gsv     ~/.cache/gvideo/encodes/HASH/a.gsv ──► the object
    -o s3://bucket/out/      ~/.cache/gvideo/encodes/HASH/ (rungs) ──► published, manifests last (packager.sink)

The folder's name follows from the URL, so that the same command finds there what an interrupted one has left.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gvideo.errors import GVideoError, MediaError, OptionError
from gvideo.stores import is_store_url

if TYPE_CHECKING:
    from gvideo.encoder.jobs.spool import Spool


def check_store(url: str) -> None:
    """Raises MediaError or OptionError for a folder of a store that cannot be listed, before any work is done."""
    from packager.sink import open_sink

    if not is_store_url(url):
        raise OptionError(f"{url}: a local name, s3://, gs:// or az:// wanted")
    parent = url.rsplit("/", 1)[0] if output_is_file(url) else url
    with _named(url):
        next(iter(open_sink(parent).list()), None)


def output_is_file(name: str) -> bool:
    """Whether an output is one file rather than a folder."""
    return name.lower().endswith((".gsv", ".mp4"))


def work_folder(url: str) -> Path:
    """The folder for what is made before it is stored, itself made. Raises MediaError if it cannot be."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(cache) / "gvideo" / "encodes" / hashlib.sha256(url.encode()).hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"{folder}: cannot be written ({error.strerror or error}); set XDG_CACHE_HOME") from error
    return folder


@contextlib.contextmanager
def kept_spool(output: str, place: str | None) -> Iterator[Spool | None]:
    """The spool at that place (None: the encoder's own, beside a local output), kept until the output is stored, when
    the context ends well."""
    from gvideo.encoder.jobs.spool import open_spool

    if place is None and not is_store_url(output):
        yield None
        return
    folder = None if place is not None else work_folder(output)
    spool = open_spool(output, place or str(folder))
    try:
        yield spool
        spool.remove()
    finally:
        spool.remove_if_empty()
        if folder is not None:
            with contextlib.suppress(OSError):
                folder.rmdir()


@contextlib.contextmanager
def stored(output: str) -> Iterator[str]:
    """The local name to write a file under: the output itself, or for an object's URL one in the folder of work, which
    is stored when the context ends well. What could not be stored stays for the same command."""
    if not is_store_url(output):
        yield output
        return
    check_store(output)
    folder = work_folder(output)
    local = folder / output.rsplit("/", 1)[1]
    try:
        yield str(local)
        from packager.sink import open_sink

        parent, name = output.rsplit("/", 1)
        with _named(output):
            open_sink(parent).put(name, [local.read_bytes()])
    except BaseException:
        with contextlib.suppress(OSError):
            folder.rmdir()  # unless something can be resumed from it
        raise
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _named(url: str) -> Iterator[None]:
    """Has errors of a sink, which knows names within it alone, name the URL."""
    try:
        yield
    except OptionError:
        raise
    except GVideoError as error:
        reason = str(error).partition(": ")[2] or str(error)
        raise MediaError(f"{url}: {reason}") from error
