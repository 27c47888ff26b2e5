"""Which options say something about which kind of output. What an option cannot serve refuses it; none is ignored.

OUT.gsv -> STREAM     OUT.mp4 -> MOVIE     OUT/ -> FOLDER     OUT/ with --live -> LIVE
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from enum import Enum

from gvideo.errors import OptionError


class Output(Enum):
    """A kind of output; the value is what messages call it."""

    STREAM = "a .gsv stream"
    MOVIE = "an .mp4 file"
    FOLDER = "a published folder"
    LIVE = "a live folder"


_EVERY = frozenset(Output)
_RECORDED = _EVERY - {Output.LIVE}
_PUBLISHED = frozenset({Output.MOVIE, Output.FOLDER})
_FOLDER = frozenset({Output.FOLDER})
_LIVE = frozenset({Output.LIVE})
_ANY_FOLDER = _FOLDER | _LIVE

#: Option -> the outputs that it says something about. Every option of `gvideo encode` is here (a test holds it to it),
#: and those of `gvideo package` that depend on the output.
OUTPUTS: dict[str, frozenset[Output]] = {
    "source": _EVERY, "output": _EVERY, "size": _EVERY, "stream": _EVERY,
    "crf": _EVERY, "bitrate": _EVERY, "maxrate": _EVERY, "bufsize": _EVERY, "layers": _EVERY, "segment": _EVERY,
    "config": _EVERY, "preset_for": _EVERY, "preset": _EVERY, "tune": _EVERY, "device": _EVERY, "seed": _EVERY,
    "cluster": _EVERY, "metrics": _EVERY,
    # live encodes one segment after the other, each on all cores, and never has the whole source
    "workers": _RECORDED, "grain": _RECORDED, "frames": _RECORDED, "strict": _RECORDED,
    "spool": _RECORDED,
    "json": frozenset({Output.STREAM}),
    "audio": _PUBLISHED, "subtitles": _PUBLISHED,
    "ladder": _ANY_FOLDER, "fallback": _ANY_FOLDER, "fallback_crf": _ANY_FOLDER,
    "single_file": _FOLDER, "thumbnails": _FOLDER, "title": _FOLDER,
    "live": _LIVE, "window": _LIVE, "then": _LIVE, "idle": _LIVE, "no_keep_up": _LIVE, "anew": _LIVE, "give_up": _LIVE,
    "part": _LIVE, "max_lag": _LIVE,
}  # fmt: skip

#: What to write instead, in words, for an output that an option needs.
_INSTEAD = {
    Output.STREAM: "--output OUT.gsv",
    Output.MOVIE: "--output OUT.mp4",
    Output.FOLDER: "--output DIR/",
    Output.LIVE: "--live",
}


def output_of(name: str, live: bool = False) -> Output:
    """The kind of output that a name means."""
    if live:
        return Output.LIVE
    suffix = name.lower()[-4:]
    return {".gsv": Output.STREAM, ".mp4": Output.MOVIE}.get(suffix, Output.FOLDER)


def refuse_unused(
    arguments: argparse.Namespace, output: Output, add_arguments: Callable[[argparse.ArgumentParser], None]
) -> None:
    """Raises OptionError for the first option that was given and says nothing about the output. add_arguments: of the
    command, for what its options are when they are not given."""
    parser = argparse.ArgumentParser(add_help=False)
    add_arguments(parser)
    for name, outputs in OUTPUTS.items():
        value = getattr(arguments, name, None)
        if output in outputs or value == parser.get_default(name):
            continue
        instead = " or ".join(_INSTEAD[o] for o in Output if o in outputs)
        raise OptionError(f"--{name.replace('_', '-')}: not for {output.value}, only for {instead}")
    if getattr(arguments, "fallback", "avc") is None and arguments.fallback_crf != parser.get_default("fallback_crf"):
        raise OptionError("--fallback-crf: the quality of a fallback; give --fallback avc too")
