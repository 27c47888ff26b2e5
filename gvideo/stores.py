"""Objects of stores (S3 and what speaks it, Google, Azure) by URL, through the package obstore.

    s3://bucket/folder/clip.mp4 ──► (store of the bucket, "folder/clip.mp4")        gs://, az:// likewise

Credentials, regions and endpoints come from the environment, as obstore documents them. Whatever a store refuses is a
MediaError of one line that names the URL.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from gvideo.errors import MediaError, OptionError
from gvideo.extras import explained

SCHEMES = ("s3", "gs", "az")
#: A store that does not answer is given up after so many tries, and so long altogether.
_RETRIES, _RETRY_SECONDS = 4, 30
_BLOCK_BYTES = 8 << 20


def is_store_url(name: object) -> bool:
    """Whether a name is the URL of an object, or of a folder of objects."""
    return str(name).partition("://")[0] in SCHEMES and "://" in str(name)


def open_store(url: str) -> tuple[Any, str]:
    """(the bucket as obstore opens it, the name within it). Raises OptionError for URLs that name no bucket and where
    obstore is missing, MediaError where its configuration makes no sense."""
    scheme, _, rest = url.partition("://")
    bucket, _, name = rest.partition("/")
    if scheme not in SCHEMES or not bucket:
        raise OptionError(f"{url}: s3://BUCKET/NAME, gs:// or az:// wanted")
    with explained(url):
        from obstore.store import from_url
    retries: Any = {"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_SECONDS)}
    with store_errors(url):
        return from_url(f"{scheme}://{bucket}", retry_config=retries), name


@contextlib.contextmanager
def store_errors(name: str) -> Iterator[None]:
    """Turns what a store refuses into a MediaError. name: of the object, for the message."""
    try:
        yield
    except (ImportError, MediaError):
        raise
    except FileNotFoundError as error:
        raise MediaError(f"{name}: no such object, or no such bucket") from error
    except Exception as error:  # obstore has an error class a cause
        kind = type(error)
        if kind.__module__.partition(".")[0] not in ("obstore", "builtins"):
            raise
        # lists have no class for it
        if kind.__name__ in ("PermissionDeniedError", "UnauthenticatedError") or "status code: 403" in str(error):
            raise MediaError(
                f"{name}: the store does not permit it; check its policy and the credentials in the environment"
            ) from error
        raise MediaError(f"{name}: the store refused it ({' '.join(str(error).split())[:200]})") from error


def read_object(url: str) -> Iterator[bytes]:
    """The bytes of an object, in blocks. A request has half a minute, so each asks for one block alone. Raises
    MediaError, also where the object changes meanwhile."""
    store, name = open_store(url)
    if not name or name.endswith("/"):
        raise MediaError(f"{url}: is a folder; give the name of an object in it")
    with store_errors(url):
        import obstore

        found = obstore.head(store, name)
        for start in range(0, found["size"], _BLOCK_BYTES):
            options: Any = {"range": (start, min(start + _BLOCK_BYTES, found["size"]))}
            if found["e_tag"]:
                options["if_match"] = found["e_tag"]
            yield bytes(obstore.get(store, name, options=options).bytes())


def object_state(url: str) -> list[Any] | None:
    """What changes when an object does: its length and its tag. None where it is not there or nobody may ask."""
    try:
        store, name = open_store(url)
        with store_errors(url):
            import obstore

            found = obstore.head(store, name)
    except (MediaError, OptionError):
        return None
    return [found["size"], found["e_tag"] or str(found["last_modified"])]
