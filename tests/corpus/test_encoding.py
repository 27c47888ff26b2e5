"""A few odd inputs all the way through the commands: what is said, what is refused, what players see."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from corpus.odd_inputs import INPUTS
from corpus.writing import ffmpeg

from gvideo import VideoDecoder
from gvideo.cli import main
from gvideo.errors import MediaError
from gvideo.evaluate.frames import prepare

BY_NAME = {each.name: each for each in INPUTS}
QUICK = ("--preset", "veryfast", "--workers", "1")


@pytest.fixture
def make(tmp_path: Path):
    def at(name: str) -> Path:
        BY_NAME[name].make(tmp_path / name)
        return tmp_path / name

    return at


def test_damage_is_said_and_refused_where_strict(make, tmp_path, capsys):
    clip, out = make("damaged.mp4"), tmp_path / "out"
    out.mkdir()
    assert main(["encode", str(clip), "-o", f"{out}/a.gsv", *QUICK, "--strict"]) == 2
    refused = capsys.readouterr().err
    assert refused.startswith(f"gvideo: {clip}: 11 of the 12 frames that the header promises came")
    assert refused.count("\n") == 1
    assert not list(out.iterdir())
    assert main(["encode", str(clip), "-o", f"{out}/a.gsv", *QUICK, "--json"]) == 0
    shown = capsys.readouterr()
    line = "11 of the 12 frames that the header promises came, 1 damaged packet(s) were skipped"
    assert shown.err == f"gvideo: {clip}: {line}\n"
    assert json.loads(shown.out)["notes"] == [line]
    assert len(VideoDecoder(out / "a.gsv")) == 11


def test_a_range_behind_the_gap_says_why_it_is_empty(make, tmp_path, capsys):
    assert main(["encode", str(make("gap_%03d.png")), "-o", f"{tmp_path}/a.gsv", *QUICK, "--frames", "2:"]) == 2
    assert "no frame of it is in the range asked for; gap_003.png is missing" in capsys.readouterr().err


def test_mirrored_pictures_are_decoded_as_players_show_them(make, tmp_path):
    clip, shown = make("left_right.mp4"), tmp_path / "shown.png"
    assert main(["encode", str(clip), "-o", f"{tmp_path}/a.gsv", *QUICK, "--crf", "24", "--frames", "1"]) == 0
    assert main(["decode", f"{tmp_path}/a.gsv", "-o", f"{tmp_path}/a.png"]) == 0
    ffmpeg("-i", clip, "-frames:v", "1", shown)
    pictures = []
    for path in (tmp_path / "a.png", shown):
        with av.open(str(path)) as file:
            pictures.append(next(file.decode(video=0)).to_ndarray(format="gray").astype(float))
    ours, theirs = pictures
    assert np.abs(ours - theirs).mean() < 0.4 * np.abs(ours - theirs[:, ::-1]).mean()


def test_ten_bits_stay_ten_bits_resized_and_with_grain(make, tmp_path):
    clip = make("hdr10.mkv")
    assert main(["encode", str(clip), "-o", f"{tmp_path}/a.gsv", *QUICK, "--size", "32x24", "--grain"]) == 0
    fmt = VideoDecoder(tmp_path / "a.gsv").metadata.format
    assert (fmt.bit_depth, fmt.width, fmt.height, fmt.colour.transfer) == (10, 32, 24, 16)


def test_the_stream_that_is_asked_for(make, tmp_path, capsys):
    clip = make("second_default.mp4")
    for options, size, count in (((), (48, 32), 6), (("--stream", "0"), (64, 48), 4)):
        assert main(["encode", str(clip), "-o", f"{tmp_path}/a.gsv", *QUICK, *options]) == 0
        metadata = VideoDecoder(tmp_path / "a.gsv").metadata
        assert (metadata.width, metadata.height, metadata.num_frames) == (*size, count)
    capsys.readouterr()
    for options, least, most in ((("--stream", "0"), 40, 60), ((), 0, 20)):
        assert main(["info", f"{tmp_path}/a.gsv", "--source", str(clip), "--json", *options]) == 0
        assert least < json.loads(capsys.readouterr().out)["prefixes"][-1]["luma_psnr_db"] < most


def test_evaluation_says_and_refuses_the_same(make, tmp_path):
    clip = make("cut_off.mp4")
    assert prepare(clip, tmp_path / "a").notes[0].startswith("10 of the 20 frames")
    with pytest.raises(MediaError, match="refused by --strict"):
        prepare(clip, tmp_path / "b", strict=True)
    reference = prepare(make("second_default.mp4"), tmp_path / "c", stream=0)
    assert (reference.format.width, reference.num_frames) == (64, 4)
