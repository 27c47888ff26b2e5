"""Sound and subtitles: what is passed through, what is coded anew, where cuts and zero lie."""

from __future__ import annotations

import io
import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from packaged import beeps

from gvideo.errors import MediaError
from packager.audio import audio_tracks
from packager.segmenter import Rates, format_init, format_segment
from packager.subtitles import cut_cues, format_webvtt, parse_cues, read_subtitles, subtitles_within
from packager.tracks import MediaTrack

CUTS = [Fraction(2), Fraction(4), Fraction(6)]


def write_sound(path: Path, codec: str, seconds: float = 6, *, late: float = 0.0, layout: str = "stereo") -> Path:
    """A file of sound alone: beeps at 0.40 s of every second after `late` seconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48000, layout=layout)
        for frame in beeps(seconds):
            frame.pts += round(48000 * late)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def decoded(track: MediaTrack) -> np.ndarray:
    """What FFmpeg hears of the track's files, from zero on."""
    data = format_init(track, 0, Rates(0, 0))
    data += b"".join(format_segment(track, p, n).data for n, p in enumerate(track.pieces(), 1))
    with av.open(io.BytesIO(data)) as file:
        frames = list(file.decode(audio=0))
    start = frames[0].pts
    sound = np.concatenate([f.to_ndarray()[0] for f in frames])
    return sound[max(0, -start) :] if start < 0 else np.concatenate([np.zeros(start), sound])


def onsets(sound: np.ndarray, rate: int = 48000) -> list[float]:
    """Seconds at which sound begins after silence."""
    loud = np.abs(sound) > 0.2
    first = [k for k in np.flatnonzero(loud) if not loud[max(0, k - rate // 10) : k].any()]
    return [float(k) / rate for k in first]


@pytest.mark.parametrize(
    ("name", "codec", "told"),
    [
        ("a.m4a", "aac", "mp4a.40.2"), ("a.ts", "aac", "mp4a.40.2"), ("a.aac", "aac", "mp4a.40.2"),
        ("a.mka", "libopus", "opus"), ("a.ogg", "libopus", "opus"), ("a.mp3", "libmp3lame", "mp4a.40.34"),
        ("a.flac", "flac", "mp4a.40.2"), ("a.wav", "pcm_s16le", "mp4a.40.2"),
    ],
)  # fmt: skip
def test_sound_begins_at_zero_whatever_it_was_coded_with(tmp_path, name, codec, told):
    path = write_sound(tmp_path / name, codec)
    zero = Fraction(0)
    if name == "a.ts":  # MPEG-TS begins at 1.4 s
        with av.open(str(path)) as file:
            zero = Fraction(file.start_time, 1_000_000) + Fraction(1024, 48000)
    (track,) = audio_tracks(path, zero, CUTS)
    assert track.codecs == told
    pieces = list(track.pieces())
    assert len(pieces) == 3
    for piece, cut in zip(pieces[1:], CUTS, strict=False):
        assert abs(Fraction(piece.start - track.media_time, track.timescale) - cut) < Fraction(13, 1000)
    for before, after in itertools.pairwise(pieces):
        assert before.start + before.duration == after.start
    assert onsets(decoded(track)) == pytest.approx([k + 0.4 for k in range(6)], abs=0.035 if name == "a.aac" else 0.004)


@pytest.mark.parametrize(("seconds", "late"), [(2.5, 0.0), (3.0, 1.5), (9.0, 0.0)])
def test_sound_of_another_length_is_as_long_as_the_video(tmp_path, seconds, late):
    path = write_sound(tmp_path / "a.mka", "pcm_s16le", seconds, late=late)
    (track,) = audio_tracks(path, Fraction(0), CUTS)
    pieces = list(track.pieces())
    assert len(pieces) == 3
    end = Fraction(pieces[-1].start + pieces[-1].duration - track.media_time, track.timescale)
    assert 0 <= end - 6 < Fraction(1, 20)
    wanted = [late + k + 0.4 for k in range(9) if k + 0.4 < seconds and late + k + 0.4 < 6]
    assert onsets(decoded(track)) == pytest.approx(wanted, abs=0.004)


def test_zero_in_the_middle_of_a_file(tmp_path):
    path = write_sound(tmp_path / "a.m4a", "aac", 9)
    (track,) = audio_tracks(path, Fraction(13, 5), CUTS)
    assert track.codecs == "mp4a.40.2"
    assert 0 < track.media_time < 1024
    assert onsets(decoded(track)) == pytest.approx([k + 0.8 for k in range(6)], abs=0.004)


def test_mono_and_surround(tmp_path):
    (mono,) = audio_tracks(
        write_sound(tmp_path / "a.wav", "pcm_s16le", layout="mono"), Fraction(0), CUTS, language="ger"
    )
    assert (mono.channels, mono.language, mono.name) == (1, "de", "Deutsch")


def test_sound_outside_the_video_is_refused(tmp_path):
    path = write_sound(tmp_path / "a.m4a", "aac", 1)
    with pytest.raises(MediaError, match="a\\.m4a"):
        audio_tracks(path, Fraction(50), CUTS)


# --- subtitles


def test_cues_of_both_formats():
    srt = "1\r\n00:00:01,5 --> 00:00:02,250\r\nOne\r\n\r\nx\n\n2\n01:00:03,000 --> 01:00:04,000 X1:1\nTwo\nlines\n"
    vtt = "WEBVTT - title\n\nNOTE no cue\n00:09 --> nothing\n\nSTYLE\n::cue{}\n\n"
    vtt += "id\n00:01.500 --> 00:02.250 align:start\nOne\n"
    cues, styles = parse_cues(srt)
    assert [(c.start, c.end, c.text) for c in cues] == [
        (Fraction(3, 2), Fraction(9, 4), "One"), (3603, 3604, "Two\nlines"),
    ]  # fmt: skip
    assert styles == ()
    cues, styles = parse_cues(vtt)
    assert [(c.start, c.text, c.settings) for c in cues] == [(Fraction(3, 2), "One", "align:start")]
    assert styles == ("STYLE\n::cue{}",)
    assert parse_cues("WEBVTT\n\n00:02.000 --> 00:01.000\nbackwards\n\n00:01.000 --> 00:02.000\n") == ((), ())


def test_a_cue_over_a_cut_is_in_both_segments(tmp_path):
    (tmp_path / "film.pt-BR.vtt").write_text("WEBVTT\n\n00:01.500 --> 00:04.000\na\n\n00:05.000 --> 00:05.500\nb\n")
    found = read_subtitles(tmp_path / "film.pt-BR.vtt", "pt-BR")
    assert found.language == "pt-br"
    assert [[c.text for c in s] for s in cut_cues(found.cues, CUTS)] == [["a"], ["a"], ["b"]]
    assert b"X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000" in format_webvtt(found.cues, mapped=True)


def test_text_streams_of_a_video(tmp_path):
    path = tmp_path / "film.mkv"
    (tmp_path / "in.srt").write_text(
        "1\n00:00:01,000 --> 00:00:02,000\n<i>Hello</i> & you\n\n2\n00:00:03,000 --> 00:00:04,000\nBye\n"
    )
    with av.open(str(tmp_path / "in.srt")) as source, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(source.streams.subtitles[0])
        stream.metadata["language"] = "fre"
        for packet in source.demux():
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    (found,) = subtitles_within(path, Fraction(1, 2))
    assert (found.language, found.name) == ("fr", "Français")
    assert [(c.start, c.end, c.text) for c in found.cues] == [
        (Fraction(1, 2), Fraction(3, 2), "Hello &amp; you"), (Fraction(5, 2), Fraction(7, 2), "Bye"),
    ]  # fmt: skip
