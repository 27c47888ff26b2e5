"""Sound and subtitles of published streams, from HLS and DASH: samples at their exact times, clocks, cues."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from faults import serving
from packaged import package_plain, write_clip, write_stream

from gvideo.cli import main
from gvideo.errors import MediaError, OptionError
from player.desktop.watch import renditions
from player.presentation.captions import Caption, Captions, read_captions
from player.presentation.rendition import Rendition
from player.presentation.sound import BLOCK, Sound
from player.presentation.sound_reader import RATE, SoundReader
from player.presentation.stream_reel import StreamReel, open_reel
from player.source.fetch import Fetcher
from player.source.record import Level, Presentation, Resource, Segment, Track

VTT = "WEBVTT\n\n00:01.500 --> 00:02.500 line:0\nover <i>the</i> cut\n\n00:04.000 --> 00:05.000\nlater &amp; last\n"


@pytest.fixture(scope="module", params=["aac", "libopus"])
def film(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published stream with sound that beeps at 0.4 s of every second in two languages, and subtitles."""
    folder = tmp_path_factory.mktemp("film")
    clip = write_clip(folder / "clip.mp4", 6, audio=((request.param, "eng"), (request.param, "ger")))
    stream = write_stream(folder / "s.gsv", count=12)
    (folder / "f.en.vtt").write_text(VTT)
    return package_plain(stream, folder / "p", "--source", str(clip), "--subtitles", str(folder / "f.en.vtt"))


def opened(source: Path | str) -> StreamReel:
    reel = open_reel(str(source))
    assert isinstance(reel, StreamReel)
    return reel


def beeps(blocks: list[tuple[float, np.ndarray]]) -> list[float]:
    """Times at which something begins to sound; blocks must follow one another."""
    times = [t for t, _ in blocks]
    lengths = [len(b) / RATE for _, b in blocks]
    np.testing.assert_allclose(times[1:], np.add(times, lengths)[:-1], atol=1e-6)
    loud = np.flatnonzero(np.abs(np.concatenate([b for _, b in blocks])[:, 0]) > 0.2)
    return [times[0] + i / RATE for i in loud[np.diff(loud, prepend=-RATE) > RATE // 10]]


@pytest.mark.parametrize("manifest", ["master.m3u8", "manifest.mpd"])
def test_sound_is_where_it_belongs(manifest, film):
    """From the start and from the middle, over the cuts, to the millisecond."""
    reel = opened(film / manifest)
    found = reel.renditions("audio", Fetcher())
    assert [r.track.language for r in found] == ["en", "de"]
    for start in (0.0, 3.3):
        blocks = list(SoundReader(found[1], Fetcher()).samples(start, lambda: False))
        assert blocks[0][0] == pytest.approx(start, abs=1 / RATE)
        assert sum(len(b) for _, b in blocks) / RATE == pytest.approx(6 - start, abs=0.05)
        wanted = [k + 0.4 for k in range(6) if k + 0.4 >= start]
        np.testing.assert_allclose(beeps(blocks), wanted, atol=0.001)
    reel.close()


class Silent(SoundReader):
    """Blocks as a test says."""

    def __init__(self, blocks: list[tuple[float, np.ndarray]], error: str = "") -> None:
        self._blocks, self._error = blocks, error

    def close(self) -> None:
        pass

    def samples(self, start, is_over):  # type: ignore[no-untyped-def]
        yield from (b for b in self._blocks if b[0] >= start)
        if self._error:
            raise MediaError(self._error)


def ramp(first: int, count: int) -> tuple[float, np.ndarray]:
    values = (np.arange(first, first + count) % 1000 / 1000).astype(np.float32)
    return first / RATE, np.stack([values, values], axis=1)


def pulled(sound: Sound, count: int = BLOCK) -> np.ndarray:
    out = np.full((count, 2), 9, np.float32)
    sound.fill(out)
    return out[:, 0]


def started(reader: SoundReader, now: object = time.monotonic) -> Sound:
    sound = Sound(reader, now)  # type: ignore[arg-type]
    sound.start(0.0)
    assert sound._thread is not None
    sound._thread.join(5)
    sound.run(True)
    return sound


def test_a_device_gets_every_sample_once():
    sound = started(Silent([ramp(0, 700), ramp(700, 3000), ramp(3700, 500)]))
    found = np.concatenate([pulled(sound) for _ in range(5)])
    np.testing.assert_array_equal(found[:4200], ramp(0, 4200)[1][:, 0])
    assert not found[4200:].any()
    assert sound.position() is None  # it is over: the picture goes on by itself
    sound.close()


def test_silence_where_nothing_sounds_and_while_it_is_held():
    sound = started(Silent([ramp(0, 1000), ramp(1500, 1000)]))
    sound.run(False)
    assert not pulled(sound).any()
    sound.run(True)
    found = np.concatenate([pulled(sound) for _ in range(3)])
    assert not found[1000:1500].any()
    np.testing.assert_array_equal(found[1500:2500], ramp(1500, 1000)[1][:, 0])
    sound.volume = 0.0
    sound.start(0.0)
    time.sleep(0.1)
    assert not pulled(sound).any()
    sound.close()


def test_the_position_follows_the_device_smoothly():
    """A device that is 1 % slow and asks with a jitter of 5 ms: the position is never off by as much."""
    now = [0.0]
    sound = started(Silent([ramp(0, 60 * RATE)]), lambda: now[0])
    rng = np.random.default_rng(0)
    errors = []
    for k in range(1000):
        due = k * BLOCK / RATE * 1.01
        now[0] = due + rng.uniform(0, 0.005)
        pulled(sound)
        now[0] = due + 0.008
        position = sound.position()
        assert position is not None
        errors.append(position - (k * BLOCK / RATE + 0.008 - 0.5 * BLOCK / RATE))
    assert np.abs(errors[50:]).max() < 0.008
    assert np.abs(np.diff(errors[50:])).max() < 0.001
    sound.close()


def test_sound_that_fails_says_why():
    sound = started(Silent([ramp(0, 100)], "a1/seg_2.m4s: gone"))
    assert sound.failure == "a1/seg_2.m4s: gone"
    assert pulled(sound)[1] > 0
    assert sound.position() is None
    sound.close()


@pytest.mark.parametrize("fault", ["404", "garbage", "truncated"])
def test_segments_of_sound_that_cannot_be_read(fault, film):
    with serving(film, lambda path, count: fault if path.startswith("a0") and "seg_2" in path else "") as served:
        reel = opened(served.url)
        reader = SoundReader(reel.renditions("audio", Fetcher())[0], Fetcher(backoff_seconds=0.01))
        blocks = []
        with pytest.raises(MediaError, match="seg_2") as caught:
            blocks.extend(reader.samples(0.0, lambda: False))
        assert "\n" not in str(caught.value)
        reel.close()


@pytest.mark.parametrize("manifest", ["master.m3u8", "manifest.mpd"])
def test_subtitles(manifest, film):
    """A cue over a cut is read once; tags and references are gone."""
    reel = opened(film / manifest)
    (rendition,) = reel.renditions("subtitles", Fetcher())
    captions = Captions(rendition, Fetcher())
    found = {}
    for seconds in (0.5, 1.7, 2.2, 2.6, 4.5, 5.9):
        captions.text_at(seconds)
        assert captions._busy is None or not captions._busy.join(5)
        found[seconds] = captions.text_at(seconds)
    assert found == {0.5: "", 1.7: "over the cut", 2.2: "over the cut", 2.6: "", 4.5: "later & last", 5.9: ""}
    assert captions.failure == ""
    reel.close()


def test_times_of_others_in_webvtt():
    """X-TIMESTAMP-MAP with an offset, Windows line ends, hours, a cue with a name."""
    text = (
        "\ufeffWEBVTT\r\nX-TIMESTAMP-MAP=LOCAL:00:00:10.000,MPEGTS:1800000\r\n\r\nNOTE nothing\r\n\r\n"
        "first\r\n01:00:12.000 --> 01:00:13.500 align:start\r\n- a\r\n- b\r\n\r\nno cue\r\n"
    )
    assert read_captions(text) == [Caption(3622.0, 3623.5, "- a\n- b")]
    assert read_captions("") == []
    assert read_captions("WEBVTT\n\n00:02.000 --> 00:01.000\nbackwards\n") == []


def test_subtitles_that_cannot_be_had(tmp_path):
    segment = Segment(Resource(""), Resource(str(tmp_path / "none.vtt")), 2, (None,))  # type: ignore[arg-type]
    track = Track("subtitles", (Level("s"),), (segment,), "en")
    captions = Captions(Rendition(track, Presentation("", (track,)), Fetcher(), lambda part: 0.0), Fetcher())
    assert captions.text_at(1.0) == ""
    assert captions._busy is not None
    captions._busy.join(5)
    assert "none.vtt" in captions.failure
    assert captions.text_at(1.0) == ""


def test_languages_are_chosen(film):
    reel = opened(film)
    sound, captions, chosen = renditions(reel, Fetcher(), "de-AT", "en")
    assert sound is not None
    assert sound._reader.rendition.track.language == "de"
    assert chosen == 0
    assert captions[0].language == "en"
    assert renditions(reel, Fetcher(), "none", None)[0] is None
    with pytest.raises(OptionError, match="--audio fr: not there; the stream has en, de"):
        renditions(reel, Fetcher(), "fr", None)
    with pytest.raises(OptionError, match="--subtitles de: not there; the stream has en"):
        renditions(reel, Fetcher(), None, "de")
    reel.close()


def test_a_film_in_one_file_has_sound(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", 6)
    stream = write_stream(tmp_path / "s.gsv", count=12)
    film = tmp_path / "film.mp4"
    assert main(["package", str(stream), "-o", str(film), "--source", str(clip)]) == 0
    reel = opened(film)
    (rendition,) = reel.renditions("audio", Fetcher())
    blocks = list(SoundReader(rendition, Fetcher()).samples(1.0, lambda: False))
    np.testing.assert_allclose(beeps(blocks), [1.4, 2.4, 3.4, 4.4, 5.4], atol=0.001)
    reel.close()
