"""What people expect of a command line: near words, configuration files, JSON messages, completion, a doctor."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from streams import make_stream

from gvideo import cli
from gvideo.cli import COMMANDS, main, make_parser
from gvideo.commands import doctor
from gvideo.commands.arguments.config import TARGETS
from gvideo.commands.completion import SHELLS
from gvideo.errors import GVideoError


def run(*arguments: object) -> int:
    try:
        return main([str(a) for a in arguments])
    except SystemExit as leaving:  # argparse
        return int(leaving.code or 0)


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    path = tmp_path / "in.gsv"
    path.write_bytes(make_stream(num_segments=1).data)
    return path


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["enc"], "did you mean encode?"),
        (["enode", "a.mp4"], "did you mean encode?"),
        (["encode", "a.mp4", "-o", "b.gsv", "--prest", "fast"], "did you mean --preset?"),
        (["encode", "a.mp4", "-o", "b.gsv", "--prest=fast"], "did you mean --preset?"),
        (["encode", "a.mp4", "-o", "b.gsv", "--preset", "fats"], "did you mean fast?"),
        (["decode", "a.gsv", "-o", "b.mkv", "--no-grian"], "did you mean --no-grain?"),
        (["completion", "fsh"], "did you mean fish?"),
    ],
)
def test_errors_suggest_the_near_word(words, hint, capsys):
    assert run(*words) == 2
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize("words", [["frobnicate"], ["encode", "a", "-o", "b", "--zzzzzz"]])
def test_nothing_is_suggested_where_nothing_is_near(words, capsys):
    assert run(*words) == 2
    assert "did you mean" not in capsys.readouterr().err


# --- options from elsewhere


def parsed(*words: object) -> argparse.Namespace:
    found: argparse.Namespace = make_parser().parse_args(["encode", *map(str, words)])
    return found


def test_a_file_gives_options_and_the_command_line_wins(tmp_path):
    config = tmp_path / "a.toml"
    config.write_text(
        'crf = 30\npreset = "slow"\noutput = "a.gsv"\nfallback-crf = 28\nsingle_file = true\n'
        'subtitles = ["a.vtt", "b.vtt"]\n'
    )
    found = parsed("in.mp4", "--config", config, "--preset", "fast", "--subtitles", "c.vtt")
    assert (found.crf, found.preset, found.output, found.fallback_crf) == (30.0, "fast", "a.gsv", 28.0)
    assert found.single_file
    assert found.subtitles == ["c.vtt"]
    assert (found.segment, found.layers, found.then) == (2.0, 1, [])  # defaults stay
    assert parsed("in.mp4", "--config", config).subtitles == ["a.vtt", "b.vtt"]


def test_every_option_may_stand_in_a_file(tmp_path):
    child = make_parser()._subparsers._group_actions[0].choices["encode"]
    lines, expected = [], {}
    for action in child._actions:
        if not action.option_strings or action.dest in ("help", "config", "quiet", "verbose", "log_json", "bitrate"):
            continue
        value = list(action.choices)[-1] if action.choices else {float: 3.0, int: 3, None: "x"}[action.type]
        value = True if action.nargs == 0 else value
        is_list = isinstance(action, argparse._AppendAction)
        lines.append(f"{action.option_strings[-1][2:]} = {json.dumps([value] if is_list else value)}")
        expected[action.dest] = [value] if is_list else value
    (tmp_path / "a.toml").write_text("\n".join(lines))
    assert len(lines) > 25
    found = vars(parsed("in.mp4", "--config", tmp_path / "a.toml"))
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prest = 'fast'", r"a\.toml: prest is no option; did you mean preset\?"),
        ("[encode]\ncrf = 3", r"a\.toml: encode is no option"),
        ("crf = 'high'", r"a\.toml: crf is 'high': a number wanted"),
        ("layers = 1.5", r"a\.toml: layers is 1\.5: a whole number wanted"),
        ("grain = 1", r"a\.toml: grain is 1: true or false wanted"),
        ("crf = true", r"a\.toml: crf is True: a text or a number wanted"),
        ("preset = 'fats'", r"a\.toml: preset is 'fats': veryfast, fast, medium, slow wanted; did you mean fast\?"),
        ("config = 'b.toml'", r"a\.toml: config is no option"),
        ("crf =", r"a\.toml: is no TOML \(Invalid value"),
    ],
)
def test_faults_of_a_file_name_it_and_the_key(tmp_path, capsys, text, words):
    (tmp_path / "a.toml").write_text(text)
    assert run("encode", "in.mp4", "-o", "out.gsv", "--config", tmp_path / "a.toml") == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert re.search(words, lines[0])


def test_a_file_that_is_not_there(tmp_path, capsys):
    assert run("encode", "in.mp4", "-o", "out.gsv", "--config", tmp_path / "no.toml") == 2
    assert "no.toml: cannot be read" in capsys.readouterr().err


def test_an_output_is_still_required(tmp_path, capsys):
    (tmp_path / "a.toml").write_text("crf = 30")
    assert run("encode", "in.mp4", "--config", tmp_path / "a.toml") == 2
    assert "required: -o/--output" in capsys.readouterr().err


@pytest.mark.parametrize("target", [name for name in TARGETS if name])
def test_targets_stand_for_options(target):
    found = vars(parsed("in.mp4", "-o", "a.gsv", "--preset-for", target))
    assert {name: found[name] for name in TARGETS[target]} == TARGETS[target]
    assert parsed("in.mp4", "-o", "a.gsv", "--preset-for", target, "--preset", "fast").preset == "fast"
    assert parsed("in.mp4", "-o", "a.gsv", "--preset-for", target, "--bitrate", "300k").crf is None


def test_targets_in_a_file(tmp_path):
    (tmp_path / "a.toml").write_text('preset-for = "archive"\ncrf = 20')
    found = parsed("in.mp4", "-o", "a.gsv", "--config", tmp_path / "a.toml")
    assert (found.preset, found.crf, found.segment) == ("slow", 20.0, 4.0)


# --- messages


def test_messages_as_json(stream, tmp_path, capsys):
    assert run("decode", stream, "-o", tmp_path / "a.npy", "--log-json") == 0
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [e["event"] for e in events if e["event"] != "progress"] == ["start", "done", "detail"]
    assert {"time", "level", "command", "event", "message"} <= set(events[-1])
    assert events[0]["options"]["source"] == str(stream)
    progress = [e for e in events if e["event"] == "progress"]
    assert progress
    assert progress[0]["num_frames"] == 6
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]{12}Z", events[0]["time"])


def test_errors_as_json(tmp_path, capsys):
    assert run("decode", tmp_path / "no.gsv", "-o", tmp_path / "a.npy", "--log-json") == 2
    last = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert (last["level"], last["event"], last["kind"]) == ("error", "error", "MediaError")


def test_quiet_and_verbose(stream, tmp_path, capsys):
    assert run("decode", stream, "-o", tmp_path / "a.npy", "-q") == 0
    assert capsys.readouterr().err == ""
    assert run("decode", tmp_path / "no.gsv", "-o", tmp_path / "a.npy", "-q") == 2
    assert capsys.readouterr().err.startswith("gvideo: ")
    assert run("decode", stream, "-o", tmp_path / "a.npy", "-v") == 0
    assert " took " in capsys.readouterr().err
    assert run("decode", tmp_path / "no.gsv", "-o", tmp_path / "a.npy", "-v") == 2
    assert "Traceback" in capsys.readouterr().err
    assert run("decode", stream, "-o", tmp_path / "a.npy") == 0  # a call leaves nothing behind for the next
    assert len(capsys.readouterr().err.splitlines()) == 1


# --- one form of options


def all_actions() -> list[tuple[str, argparse.Action]]:
    found = []
    children = make_parser()._subparsers._group_actions[0].choices
    for name, child in children.items():
        inner = [a for a in child._actions if isinstance(a, argparse._SubParsersAction)]
        parsers = [child, *(p for a in inner for p in a.choices.values())]
        found += [(name, a) for p in parsers for a in p._actions if not isinstance(a, argparse._SubParsersAction)]
    return found


def test_options_have_one_form():
    for command, action in all_actions():
        where = f"{command} {action.option_strings or action.dest}"
        assert action.help, where
        assert not action.help.rstrip().endswith("."), where
        assert "(default: %" not in action.help, where
        if action.option_strings:
            assert re.fullmatch(r"--[a-z]+(-[a-z]+)*", action.option_strings[-1]), where
        if action.nargs != 0 and action.choices is None and action.metavar is None:
            raise AssertionError(f"{where}: without a metavar")


def test_an_option_is_the_same_everywhere():
    kinds: dict[str, set[object]] = {}
    for command, action in all_actions():
        if action.option_strings and command not in ("study", "eval"):
            kinds.setdefault(action.option_strings[-1], set()).add((action.nargs == 0, action.type))
    assert {name: found for name, found in kinds.items() if len(found) > 1} == {}
    for command in COMMANDS:
        options = {option for name, action in all_actions() if name == command for option in action.option_strings}
        assert {"--verbose", "--quiet", "--log-json"} <= options


# --- completion, doctor


@pytest.mark.parametrize("shell", SHELLS)
def test_completion(shell, capsys, tmp_path):
    assert run("completion", shell) == 0
    script = capsys.readouterr().out
    assert "preset" in script
    assert all(name in script for name in COMMANDS)
    if shutil.which(shell):
        (tmp_path / "script").write_text(script)
        subprocess.run([shell, "-n", str(tmp_path / "script")], check=True)


def test_completion_completes_in_bash(tmp_path):
    if not shutil.which("bash"):
        pytest.skip("needs bash")
    done = subprocess.run(
        ["bash", "-c", 'eval "$SCRIPT"; COMP_WORDS=(gvideo encode --pres); COMP_CWORD=2; '
         '$(complete -p gvideo | sed "s/.*-F \\([^ ]*\\).*/\\1/") gvideo --pres encode; '
         'printf "%s\\n" "${COMPREPLY[@]}"'],
        env={"SCRIPT": _script("bash"), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert {"--preset", "--preset-for"} <= set(done.stdout.split())


def _script(shell: str) -> str:
    from gvideo.commands.completion import script

    return script(make_parser(), shell)


def test_doctor(capsys):
    assert run("doctor", "--json") == 0
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert {"gvideo", "python", "numpy", "torch", "drawing kernels", "ffmpeg", "libx264", "disk here"} <= set(found)
    assert {one["state"] for one in found.values()} <= {"ok", "missing"}
    assert found["gvideo"]["text"].startswith(cli.__version__)
    assert run("doctor") == 0
    assert "drawing kernels" in capsys.readouterr().out


def test_the_doctor_finds_faults(monkeypatch, capsys):
    def broken():
        raise OSError("no such library")
        yield

    monkeypatch.setattr(doctor, "NEEDED", ("numpy", "no-such-package"))
    monkeypatch.setattr(doctor, "_ffmpeg", broken)
    assert run("doctor") == 2
    said = capsys.readouterr()
    assert "! no-such-package" in said.out
    assert "OSError: no such library" in said.out
    assert "2 fault(s): no-such-package, ffmpeg" in said.err
    assert issubclass(GVideoError, RuntimeError)
