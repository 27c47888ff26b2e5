"""Sound and subtitles of streams that still grow: what comes after opening is heard and read too."""

from __future__ import annotations

import functools
import threading
import time
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import reels
from faults import serving
from packaged import write_stream

from packager.gsv import GsvFile
from packager.live import LivePublisher
from packager.live_sound import LiveSound
from packager.sink import LocalSink
from packager.subtitles import Cue
from player.presentation.captions import Captions
from player.presentation.sound_reader import RATE, SoundReader
from player.presentation.stream_reel import StreamReel
from player.source.fetch import Fetcher

SEGMENT = Fraction(2)


class Feed:
    """A live stream that beeps at 0.4 s of every second of an input, and says which second it is."""

    def __init__(self, folder: Path, stream: Path, partial: Fraction | None = None) -> None:
        self._source = GsvFile(stream)
        self.live = LivePublisher(LocalSink(folder), datetime.now(UTC), SEGMENT, partial=partial)

    def begin(self) -> None:
        """A new input."""
        self._sound, self._end = LiveSound(RATE, 2, "en", ""), Fraction(0)
        self._written = 0
        self._pieces = iter(list(self._source.pieces()))
        self.live.begin(self._source.track(), audio=[self._sound.track], texts=[("en", "")])

    def add(self, count: int = 1) -> None:
        for _ in range(count):
            piece = next(self._pieces)
            start, self._end = self._end, self._end + Fraction(piece.duration, self._source.track().timescale)
            self._beep(self._end + self._sound.margin)
            seconds = [k for k in range(12) if start <= k < self._end]
            cues = [Cue(Fraction(k), k + Fraction(1, 2), f"second {k}", "") for k in seconds]
            self.live.add(piece, audio=[self._sound.cut(self._end)], texts=[cues])

    def _beep(self, end: Fraction) -> None:
        at = np.arange(self._written, int(end * RATE))
        self._written = int(end * RATE)
        loud = (at % RATE >= 0.4 * RATE) & (at % RATE < 0.5 * RATE)
        wave = (0.5 * loud * np.sin(2 * np.pi * 1000 * at / RATE)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), "fltp", "stereo")
        frame.sample_rate = RATE
        self._sound.take(frame, None)


class Ear(threading.Thread):
    """Hears a rendition from a time on, no more than is asked for."""

    def __init__(self, reader: SoundReader, start: float) -> None:
        super().__init__(daemon=True)
        self._reader, self._start = reader, start
        self.until, self.reached = 0.0, start
        self.loud: list[float] = []
        self.start()

    def run(self) -> None:
        for at, block in self._reader.samples(self._start, self._is_over):
            self.loud += [at + n / RATE for n in np.flatnonzero(np.abs(block[:, 0]) > 0.2)]
            self.reached = at + len(block) / RATE

    def _is_over(self) -> bool:
        while self.reached > self.until >= 0:
            time.sleep(0.01)
        return self.until < 0

    def hear(self, until: float) -> list[float]:
        """When beeps began."""
        self.until, end = until, time.monotonic() + 20
        while self.reached < until - 0.1:
            assert time.monotonic() < end
            time.sleep(0.01)
        return [t for n, t in enumerate(self.loud) if n == 0 or t - self.loud[n - 1] > 0.3]


def reader_of(reel: StreamReel) -> SoundReader:
    (rendition,) = reel.renditions("audio", Fetcher())
    return SoundReader(rendition, Fetcher(backoff_seconds=0.01))


until = functools.partial(reels.until, seconds=20.0)


@pytest.mark.parametrize("manifest", ["master.m3u8", "manifest.mpd"])
def test_sound_grows_over_a_discontinuity_to_its_end(manifest, tmp_path, fast):
    feed = Feed(tmp_path / "p", write_stream(tmp_path / "s.gsv", count=12))
    feed.begin()
    feed.add()
    with serving(tmp_path / "p") as served:
        reel = reels.opened(f"{served.url}/{manifest}")
        reader = reader_of(reel)
        ear = Ear(reader, 0.0)
        np.testing.assert_allclose(ear.hear(1.9), [0.4, 1.4], atol=0.005)
        feed.add(2)
        np.testing.assert_allclose(ear.hear(5.9), np.arange(6) + 0.4, atol=0.005)
        feed.begin()
        feed.add(2)
        until(lambda: len(reel.starts) == 5)
        ear.until = 9.9
        time.sleep(0.3)
        assert ear.reached < 6.1  # where the picture has not come yet
        begun = float(reel.piece(3).times[0])
        np.testing.assert_allclose(ear.hear(9.8)[6:], begun + np.arange(4) + 0.4, atol=0.005)
        feed.live.end()
        ear.until = 99.0
        ear.join(20)
        assert not ear.is_alive()
        reader.close()
        reel.close()


def test_sound_of_parts(tmp_path, fast):
    """As they come; and those that are not named any more, cut out of their segment."""
    stream = write_stream(tmp_path / "s.gsv", num_segments=24, num_frames=12, count=8)
    feed = Feed(tmp_path / "p", stream, partial=Fraction(1, 2))
    feed.begin()
    feed.add(6)
    with serving(tmp_path / "p") as served:
        reel = reels.opened(f"{served.url}/master.m3u8")
        reader = reader_of(reel)
        assert any(s.is_piece for s in reader.rendition.track.segments)
        ear = Ear(reader, 0.0)
        np.testing.assert_allclose(ear.hear(2.7), [0.4, 1.4, 2.4], atol=0.005)
        feed.add(3)
        np.testing.assert_allclose(ear.hear(4.2), np.arange(4) + 0.4, atol=0.005)
        known = len(reader.rendition.track.segments)
        feed.add(15)
        until(lambda: sum(float(s.seconds) for s in reader.rendition.track.segments) > 11.4)
        assert any(s.cut for s in reader.rendition.track.segments[:known])
        np.testing.assert_allclose(ear.hear(11.4)[:11], np.arange(11) + 0.4, atol=0.005)
        ear.until = -1.0
        ear.join(20)
        reader.close()
        reel.close()


def test_subtitles_grow(tmp_path, fast):
    feed = Feed(tmp_path / "p", write_stream(tmp_path / "s.gsv", count=12))
    feed.begin()
    feed.add()
    reel = reels.opened(str(tmp_path / "p" / "master.m3u8"))
    (rendition,) = reel.renditions("subtitles", Fetcher())
    captions = Captions(rendition, Fetcher())
    until(lambda: captions.text_at(1.2) == "second 1")
    assert captions.text_at(1.7) == ""
    feed.add(2)
    until(lambda: captions.text_at(5.2) == "second 5")
    captions.close()
    reel.close()
