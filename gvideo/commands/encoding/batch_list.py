"""What a batch encodes: the jobs of a YAML file, or of the video files of a folder, each as a `gvideo encode` command.

defaults: {preset: fast, crf: 34}            # options of every job, named as on the command line
jobs:
  - {source: a.mp4, output: out/a.gsv}       # relative to the file
  - {source: b.mp4, output: out/b/, ladder: "640x360:34,320x180:36", audio: [b.en.wav:en, b.de.wav:de]}

command line  >  job  >  defaults
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gvideo import __version__
from gvideo.commands.arguments.config import EXCLUSIVE, long_options
from gvideo.commands.arguments.near import near
from gvideo.commands.arguments.parser import Parser
from gvideo.errors import MediaError, OptionError
from gvideo.stores import is_store_url, object_state

#: What a folder's files must end with to be taken; everything else in it is left alone.
SUFFIXES = (
    ".264", ".avi", ".flv", ".gif", ".h264", ".h265", ".hevc", ".ivf", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4",
    ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".ogv", ".ts", ".vob", ".webm", ".wmv", ".y4m",
)  # fmt: skip
#: What the files of a folder become: the end of their outputs' names.
FORMS = {"gsv": ".gsv", "mp4": ".mp4", "folder": "/"}
#: Options whose values are files beside the list of jobs.
_FILES = ("audio", "subtitles", "config")


@dataclass(frozen=True, slots=True)
class Job:
    """One file of a batch. options: words of the command line between source and output."""

    source: str
    output: str
    options: tuple[str, ...]

    @property
    def words(self) -> list[str]:
        """The command line, less the program's name."""
        return ["encode", *self.options, "-o", self.output, "--", self.source]

    def key(self) -> str:
        """Changes with the command, the version of gvideo, and the source's length or time of change (its tag in a
        store)."""
        if is_store_url(self.source):
            return _digest([__version__, self.words, object_state(self.source)])
        with contextlib.suppress(OSError):
            found = os.stat(self.source)
            return _digest([__version__, self.words, found.st_size, found.st_mtime_ns])
        return _digest([__version__, self.words])


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:32]


def jobs_of(name: str, output: str | None, form: str, options: Sequence[str]) -> list[Job]:
    """The jobs of a list or a folder. output: folder of the outputs of a folder's files. options: of every job. Raises
    MediaError and OptionError, which name the file and the job, for whatever can be seen to be wrong beforehand."""
    if Path(name).is_dir():
        if output is None:
            raise OptionError(f"{name}: is a folder; --output DIR says where its files go")
        jobs = _of_folder(Path(name), output, form, options)
    else:
        if output is not None:
            raise OptionError(f"--output {output}: for the files of a folder; in {name} every job has its own")
        jobs = _of_list(name, options)
    for number, job in enumerate(jobs, 1):
        _check(f"{name}: job {number} ({job.source})", job)
    taken: dict[str, Job] = {}
    for job in jobs:
        where = job.output.rstrip("/") if is_store_url(job.output) else os.path.abspath(job.output)
        other = taken.setdefault(where, job)
        if other is not job:
            raise OptionError(f"{name}: {other.source} and {job.source} would both become {job.output}")
    return jobs


def _of_folder(folder: Path, output: str, form: str, options: Sequence[str]) -> list[Job]:
    try:
        found = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
    except OSError as error:
        raise MediaError(f"{folder}: cannot be read ({error.strerror or error})") from error
    if not found:
        raise MediaError(f"{folder}: holds no video file (a name that ends as .mp4, .mkv, .mov, … does)")
    stems = [path.stem for path in found]
    # a.mp4 and a.mkv must not become one a.gsv
    names = [path.name if stems.count(path.stem) > 1 else path.stem for path in found]
    ends = (f"{output.rstrip('/')}/{name}{FORMS[form]}" for name in names)
    return [Job(str(path), end, tuple(options)) for path, end in zip(found, ends, strict=True)]


def _of_list(name: str, options: Sequence[str]) -> list[Job]:
    import yaml

    try:
        # every scalar as it is written: 10:48 is a range of frames, not sixty times ten
        content = yaml.load(Path(name).read_bytes().decode(), yaml.BaseLoader)
    except OSError as error:
        raise MediaError(f"{name}: cannot be read ({error.strerror or error})") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise OptionError(f"{name}: is no YAML ({' '.join(str(error).split())})") from error
    if not isinstance(content, dict):
        raise OptionError(f"{name}: defaults and jobs wanted, with a list of jobs")
    for key in content:
        if key not in ("defaults", "jobs"):
            raise OptionError(f"{name}: {key} is neither defaults nor jobs{near(str(key), ('defaults', 'jobs'))}")
    defaults, jobs = content.get("defaults") or {}, content.get("jobs")
    if not isinstance(defaults, dict):
        raise OptionError(f"{name}: defaults: options and their values wanted")
    if not isinstance(jobs, list) or not jobs:
        raise OptionError(f"{name}: jobs: a list of jobs wanted, each with source and output")
    beside = Path(name).parent
    return [_job(f"{name}: job {number}", defaults, job, beside, options) for number, job in enumerate(jobs, 1)]


def _job(where: str, defaults: Mapping[str, Any], job: Any, beside: Path, options: Sequence[str]) -> Job:
    if not isinstance(job, dict):
        raise OptionError(f"{where}: source, output and options wanted, not {job!r}")
    ends = []
    for key in ("source", "output"):
        value = job.get(key)
        if not isinstance(value, str) or not value:
            raise OptionError(f"{where}: {key} is missing")
        ends.append(_beside(value, beside))
    own = {key.replace("_", "-"): value for key, value in job.items() if key not in ("source", "output")}
    merged = {key.replace("_", "-"): value for key, value in defaults.items()}
    for wins, loses in EXCLUSIVE:
        if wins in own:
            merged.pop(loses, None)
    words = [word for key, value in {**merged, **own}.items() for word in _words(where, key, value, beside)]
    return Job(ends[0], ends[1], (*words, *options))


def _beside(name: str, folder: Path) -> str:
    """A name as seen from the folder; addresses and absolute names as they are."""
    if "://" in name or name == "-":
        return name
    return os.path.join(folder, name) if str(folder) != "." else name


def _words(where: str, key: str, value: Any, beside: Path) -> list[str]:
    options = long_options(_parser()._actions)
    action = options.get(key)
    if action is None or key in ("output", "help"):
        raise OptionError(f"{where}: {key} is no option of gvideo encode{near(key, options)}")
    if action.nargs == 0:
        if value not in ("true", "false"):
            raise OptionError(f"{where}: {key} is {value!r}: true or false wanted")
        return [f"--{key}"] if value == "true" else []
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(v, str) for v in values) or (
        len(values) != 1 and not isinstance(action, argparse._AppendAction)
    ):
        raise OptionError(f"{where}: {key} is {value!r}: a text or a number wanted")
    return [f"--{key}={_beside(v, beside) if key in _FILES else v}" for v in values]


@cache
def _parser() -> Parser:
    """Of `gvideo encode`."""
    from gvideo.commands.encode import add_arguments

    parser = Parser(prog="gvideo encode")
    add_arguments(parser)
    return parser


def _check(where: str, job: Job) -> None:
    """Raises OptionError for words that `gvideo encode` does not understand, and for live jobs, which never end."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            arguments = _parser().parse_args(job.words[1:])
    except SystemExit:
        reason = said.getvalue().strip().splitlines()[-1].partition("error: ")[2]
        raise OptionError(f"{where}: {reason or 'is no command of gvideo encode'}") from None
    if arguments.live:
        raise OptionError(f"{where}: live is no job of a batch: it ends when its source does")
    if job.source == "-":
        raise OptionError(f"{where}: standard input is no source of a batch")
