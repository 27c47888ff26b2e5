"""No option is ignored in silence: each says something about an output, or is refused there."""

from __future__ import annotations

import argparse

import pytest

from gvideo.commands import encode, package
from gvideo.commands.arguments.outputs import OUTPUTS, Output, output_of, refuse_unused
from gvideo.errors import OptionError

#: An option -> words that give it, of those that some output refuses.
GIVEN = {
    "workers": ["8"], "grain": [], "frames": ["0:4"], "strict": [], "json": [], "spool": ["s"],
    "audio": ["a.wav"], "subtitles": ["a.vtt"],
    "ladder": ["64x36"], "fallback": ["avc"], "fallback_crf": ["30"], "single_file": [], "thumbnails": [],
    "title": ["A"], "live": [], "window": ["3"], "then": ["b.mp4"], "idle": ["9"], "no_keep_up": [],
    "anew": [], "part": ["0.5"], "max_lag": ["9"], "give_up": ["9"],
}  # fmt: skip


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    encode.add_arguments(parser)
    return parser.parse_args(["in.mp4", "-o", "out", *words])


def test_every_option_has_its_outputs():
    parser = argparse.ArgumentParser(add_help=False)
    encode.add_arguments(parser)
    assert set(OUTPUTS) == {action.dest for action in parser._actions}
    assert set(GIVEN) == {name for name, outputs in OUTPUTS.items() if outputs != set(Output)}


@pytest.mark.parametrize("output", Output)
@pytest.mark.parametrize("name", GIVEN)
def test_an_option_counts_or_is_refused(name, output):
    option = f"--{name.replace('_', '-')}"
    words = [option, *GIVEN[name], *(["--fallback", "avc"] if name == "fallback_crf" else [])]
    arguments = parse(*words)
    if output in OUTPUTS[name]:
        refuse_unused(arguments, output, encode.add_arguments)
        return
    with pytest.raises(OptionError, match=rf"^--\S+: not for {output.value}, only for "):
        refuse_unused(arguments, output, encode.add_arguments)


def test_the_quality_of_no_fallback_is_refused():
    with pytest.raises(OptionError, match=r"--fallback-crf: .* give --fallback avc too"):
        refuse_unused(parse("--fallback-crf", "30"), Output.FOLDER, encode.add_arguments)


def test_packaging_has_the_same_table():
    parser = argparse.ArgumentParser()
    package.add_arguments(parser)
    arguments = parser.parse_args(["a.gsv", "-o", "out.mp4", "--title", "A"])
    with pytest.raises(OptionError, match=r"--title: not for an .mp4 file, only for --output DIR/"):
        refuse_unused(arguments, output_of(arguments.output), package.add_arguments)


def test_names_of_outputs():
    names = ("a.gsv", "a.GSV", "a.mp4", "a/", "a", "a.mov")
    assert [output_of(name) for name in names] == [
        Output.STREAM, Output.STREAM, Output.MOVIE, Output.FOLDER, Output.FOLDER, Output.FOLDER,
    ]  # fmt: skip
    assert output_of("a/", live=True) is Output.LIVE
