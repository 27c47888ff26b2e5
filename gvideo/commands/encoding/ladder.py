"""Encode, then package: `gvideo encode clip -o DIR/ --ladder ...` and `-o clip.mp4`.

Rungs are encoded one after the other, all with the cuts of the first. Finished ones wait in a folder beside the
destination, named by what they depend on, so that the same command goes on after an interruption.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gvideo.commands.arguments.options import check_destination, frame_bounds, parse_bits, parse_size, tell_notes
from gvideo.commands.encoding.executors import executor_of
from gvideo.commands.encoding.stored import check_store, kept_spool, stored, work_folder
from gvideo.commands.package import publish
from gvideo.commands.terminal.progress import ProgressLine, format_bitrate
from gvideo.errors import MediaError, OptionError
from gvideo.stores import is_store_url

if TYPE_CHECKING:
    from gvideo.encoder.jobs.report import EncodeProgress
    from gvideo.encoder.jobs.spool import Spool
    from gvideo.media.reading.pipe import PipeCopy


@dataclass(frozen=True, slots=True)
class Rung:
    """A size (None: the source's) and a quality or bits a second; without either the encoder's default quality."""

    size: tuple[int, int] | None
    crf: float | None = None
    bitrate: float | None = None


def parse_ladder(text: str, crf: float | None) -> list[Rung]:
    """Rungs of "640x360:34,320x180:200k,160x90"; crf: where none is given. A number with k or M is a bitrate."""
    rungs = []
    for part in text.split(","):
        size, mark, quality = part.strip().partition(":")
        try:
            if quality[-1:] in ("k", "M"):
                rungs.append(Rung(parse_size(size), bitrate=parse_bits("ladder", quality)))
            else:
                rungs.append(Rung(parse_size(size), float(quality) if mark else crf))
        except (OptionError, ValueError):
            raise OptionError(
                f"--ladder {text}: WIDTHxHEIGHT[:CRF or :BITRATE],... wanted, such as 640x360:34,320x180:200k"
            ) from None
    if len(set(rungs)) < len(rungs):
        raise OptionError(f"--ladder {text}: a rung is there twice")
    return rungs


def rungs_of(arguments: argparse.Namespace) -> list[Rung]:
    """The rungs that a command line asks for, one without --ladder. Raises OptionError for options that contradict."""
    if not arguments.ladder:
        return [Rung(parse_size(arguments.size), arguments.crf, parse_bits("bitrate", arguments.bitrate))]
    if arguments.size:
        raise OptionError("--size: the ladder says the sizes; leave one of the two out")
    if arguments.bitrate or arguments.maxrate or arguments.bufsize:
        raise OptionError("--bitrate, --maxrate, --bufsize: not with --ladder; its rungs have rates, 640x360:800k")
    return parse_ladder(arguments.ladder, arguments.crf)


def encode_and_package(arguments: argparse.Namespace) -> None:
    """Encodes the rungs and publishes them; the folder of the finished rungs goes when all is published."""
    target: str = arguments.output
    rungs = rungs_of(arguments)
    to_file = target.lower().endswith(".mp4")
    if not to_file and not target.endswith("/") and Path(target).suffix and not Path(target).is_dir():
        raise OptionError(f"--output {target}: a name in .gsv or .mp4, or a folder (with / at its end) wanted")
    if "://" in target:
        check_store(target)
    elif to_file:
        check_destination(target, arguments.source)
    elif Path(target).exists() and not Path(target).is_dir():
        raise MediaError(f"{target}: is a file; give a folder")
    from gvideo.media.reading.pipe import PipeCopy, rereadable

    folder = _rungs_folder(target)
    with contextlib.ExitStack() as stack:
        # rungs are kept whole, so only a spool that was asked for outlives them
        spool = stack.enter_context(kept_spool(target, arguments.spool)) if arguments.spool else None
        source = stack.enter_context(rereadable(arguments.source))
        try:
            streams = _encode_all(arguments, source, rungs, folder, spool)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"; the same command resumes from {arguments.spool or folder}") from None
        except BaseException:
            _remove_if_empty(folder)
            raise
        path_read = source.path if isinstance(source, PipeCopy) else source
        arguments.source = str(path_read) if path_read.is_file() else None  # a pattern has no sound
        with stored(target) if to_file else contextlib.nullcontext(target.rstrip("/")) as place:
            publish(streams, place, arguments)
    shutil.rmtree(folder, ignore_errors=True)


def _rungs_folder(target: str) -> Path:
    """Where finished rungs wait: beside the destination, or with a store's in the folder of work. It is made."""
    path = Path(target.rstrip("/"))
    folder = work_folder(f"{target} rungs") if is_store_url(target) else path.with_name(f".{path.name}.rungs")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"{target}: cannot be written ({error.strerror or error})") from error
    return folder


def _remove_if_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()


def _encode_all(
    arguments: argparse.Namespace, source: Path | PipeCopy, rungs: list[Rung], folder: Path, spool: Spool | None
) -> list[Path]:
    from gvideo.encoder.jobs.encode import encode
    from packager.gsv import GsvFile

    first, last = frame_bounds(arguments.frames)
    streams: list[Path] = []
    frames: list[int] | None = None
    notes: dict[str, None] = {}
    with executor_of(arguments) as executor, ProgressLine() as line:
        for number, rung in enumerate(rungs):
            stream = folder / f"{_key(arguments, source, rung, rungs[0])}.gsv"
            label = f"rung {number + 1}/{len(rungs)}"

            def show(p: EncodeProgress, label: str = label) -> None:
                rate = [format_bitrate(8 * p.num_bytes / p.coded_seconds)] if p.coded_seconds > 0 else []
                stage = [p.stage] if p.stage else []
                line.show(p.frames_done, p.num_frames, label, *stage, *rate)

            if not stream.exists():
                report = encode(
                    source, stream, crf=rung.crf, bitrate=rung.bitrate,
                    maxrate=parse_bits("maxrate", arguments.maxrate), bufsize=parse_bits("bufsize", arguments.bufsize),
                    size=rung.size, first=first, last=last,
                    segment_seconds=arguments.segment, preset=arguments.preset, device=arguments.device,
                    executor=executor, spool=spool, seed=arguments.seed, layers=arguments.layers,
                    segment_frames=frames, grain=arguments.grain, tune=arguments.tune,
                    stream=arguments.stream, strict=arguments.strict, progress=show,
                )  # fmt: skip
                notes.update(dict.fromkeys(report.notes))
            frames = frames or [s.num_frames for s in GsvFile(stream).segments]
            streams.append(stream)
    tell_notes(arguments.source, notes)
    return streams


def _key(arguments: argparse.Namespace, source: Path | PipeCopy, rung: Rung, first: Rung) -> str:
    """What a rung's bytes depend on: the source as it is now, its options, and the rung that it takes its cuts from."""
    from gvideo.media.reading.pipe import PipeCopy

    if isinstance(source, PipeCopy):
        place, state = source.digest, [0, 0]
    else:
        place = str(source.resolve())
        state = [source.stat().st_size, source.stat().st_mtime_ns] if source.is_file() else []
    options = [arguments.frames, arguments.segment, arguments.preset, arguments.seed, arguments.layers]
    options += ["grain"] if arguments.grain else []
    options += [arguments.tune] if arguments.tune != "psnr" else []
    options += [f"stream {arguments.stream}"] if arguments.stream is not None else []
    rates = [rung.crf, rung.bitrate, arguments.maxrate, arguments.bufsize]
    found = [place, state, options, rung.size, rates, first.size]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()[:16]
