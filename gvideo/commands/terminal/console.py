"""What a command says on stderr: sentences for people, or with --log-json a JSON object a line for programs.

detail (-v) < note, done (default) < error (always)        -q keeps the errors

{"time": "…Z", "level": "info", "command": "encode", "event": "done", "message": "…", "num_bytes": 3558, …}
"""

from __future__ import annotations

import datetime
import json
import sys
from typing import Any

from gvideo.finite import finite

_LEVELS = {"detail": "debug", "error": "error", "interrupted": "error", "note": "warning"}


class Console:
    """Where messages go, and which. verbosity: -1 errors alone, 0 what a user should know, 1 details too."""

    def __init__(self) -> None:
        self.set()

    def set(self, command: str = "", verbosity: int = 0, as_json: bool = False) -> None:
        """For the command that begins."""
        self.command, self.verbosity, self.as_json = command, verbosity, as_json

    def say(self, event: str, message: str, **fields: Any) -> None:
        """A message, with what programs want to know of it. event: start, progress, note, done, ready, detail, error or
        interrupted."""
        least = {"error": -1, "interrupted": -1, "ready": -1, "detail": 1, "start": 1}.get(event, 0)
        if self.as_json:
            least = min(least, 0)
        if self.verbosity < least:
            return
        if self.as_json:
            now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
            record = {"time": now.replace("+00:00", "Z"), "level": _LEVELS.get(event, "info"), "command": self.command,
                      "event": event, "message": message, **fields}  # fmt: skip
            print(json.dumps({k: finite(v) for k, v in record.items()}, default=str), file=sys.stderr, flush=True)
        else:
            print(message, file=sys.stderr, flush=True)


#: Of this process.
console = Console()
