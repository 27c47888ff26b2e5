"""Tiny synthetic clips, deterministic: shapes (move), pan, cut, flash, fade, noise; sync (beep and flash, with sound).

    name -> frames (float R'G'B' [H,W,3] in [0,1]) --8 bit, 4:2:0--> FFV1 in Matroska (+ PCM for sync)

Usage: make_synthetic.py FOLDER [NAME ...]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Clip = Callable[[int, int, int], Iterator[Picture]]

RATE = 25
SOUND_RATE = 48000


def texture(height: int, width: int, seed: int) -> Picture:
    """A smooth colourful texture: a few random waves per channel, mean 0.5, range about 0.1 to 0.9."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = np.zeros((height, width, 3), np.float32)
    for _ in range(8):
        fx, fy = rng.uniform(-0.35, 0.35, 2)
        for channel in range(3):
            waves[..., channel] += np.cos(fx * x + fy * y + rng.uniform(0, 6.28)) * rng.uniform(0.3, 1)
    waves /= 6 * waves.std()
    picture: Picture = np.clip(0.5 + waves, 0.02, 0.98)
    return picture


def shapes(num_frames: int, height: int, width: int) -> Iterator[Picture]:
    """A disc and a square cross in front of a still texture."""
    ground = 0.25 + 0.5 * texture(height, width, 1)
    y, x = np.mgrid[0:height, 0:width]
    for k in range(num_frames):
        picture = ground.copy()
        centre = width * (0.15 + 0.7 * k / max(1, num_frames - 1))
        picture[(x - centre) ** 2 + (y - height * 0.4) ** 2 < (height * 0.18) ** 2] = (0.9, 0.3, 0.1)
        left = width * 0.8 - centre * 0.7
        picture[(abs(x - left) < height * 0.12) & (abs(y - height * 0.7) < height * 0.12)] = (0.1, 0.4, 0.9)
        yield picture


def pan(num_frames: int, height: int, width: int) -> Iterator[Picture]:
    """A wide texture that moves by two pixels per frame."""
    wide = texture(height, width + 2 * num_frames, 2)
    for k in range(num_frames):
        yield wide[:, 2 * k : 2 * k + width]


def cut(num_frames: int, height: int, width: int) -> Iterator[Picture]:
    """Two different textures, the second from the middle on, both panned."""
    half = num_frames // 2
    for seed, length in ((3, half), (4, num_frames - half)):
        wide = texture(height, width + num_frames, seed)
        for k in range(length):
            yield wide[:, k : k + width]


def flash(num_frames: int, height: int, width: int) -> Iterator[Picture]:
    """A pan with two white frames in the middle."""
    for k, picture in enumerate(pan(num_frames, height, width)):
        yield np.ones_like(picture) if num_frames // 2 <= k < num_frames // 2 + 2 else picture


def fade(num_frames: int, height: int, width: int) -> Iterator[Picture]:
    """A still texture that comes out of black and goes back to it."""
    still = texture(height, width, 5)
    for k in range(num_frames):
        yield still * np.float32(min(1.0, 3 * k / num_frames, 3 * (num_frames - 1 - k) / num_frames))


def noise(num_frames: int, height: int, width: int) -> Iterator[Picture]:
    """Independent noise in every frame over a still texture."""
    rng = np.random.default_rng(6)
    still = texture(height, width, 6)
    for _ in range(num_frames):
        yield np.clip(still + rng.normal(0, 0.1, still.shape).astype(np.float32), 0, 1)


def sync(num_frames: int, height: int, width: int) -> Iterator[Picture]:
    """Dark, with a white frame once a second; its sound beeps for the same frame."""
    for k in range(num_frames):
        yield np.full((height, width, 3), 0.95 if k % RATE == RATE // 2 else 0.1, np.float32)


def beep(num_frames: int) -> NDArray[np.int16]:
    """Mono sound of the length of the clip: 1 kHz during every white frame of sync, silence else."""
    time_s = np.arange(num_frames * SOUND_RATE // RATE) / SOUND_RATE
    frame = (time_s * RATE).astype(int)
    tone = 12000 * np.sin(2 * np.pi * 1000 * time_s) * (frame % RATE == RATE // 2)
    sound: NDArray[np.int16] = tone.astype(np.int16)
    return sound


CLIPS: dict[str, Clip] = {c.__name__: c for c in (shapes, pan, cut, flash, fade, noise, sync)}


def write_clip(path: Path, name: str, num_frames: int = 50, height: int = 90, width: int = 160) -> None:
    """Write one clip as .mkv."""
    with av.open(str(path), "w", format="matroska") as container:
        container.flags |= av.container.Flags.bitexact.value  # type: ignore[operator]
        video = container.add_stream("ffv1", rate=RATE)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.codec_context.time_base = Fraction(1, RATE)
        audio = container.add_stream("pcm_s16le", rate=SOUND_RATE, layout="mono") if name == "sync" else None
        for k, picture in enumerate(CLIPS[name](num_frames, height, width)):
            rgb = np.ascontiguousarray(np.rint(picture * 255).astype(np.uint8))
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = k, Fraction(1, RATE)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            sound = av.AudioFrame.from_ndarray(beep(num_frames)[None], "s16", "mono")
            sound.sample_rate, sound.pts, sound.time_base = SOUND_RATE, 0, Fraction(1, SOUND_RATE)
            container.mux(audio.encode(sound))
            container.mux(audio.encode(None))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for clip_name in sys.argv[2:] or list(CLIPS):
        write_clip(folder / f"{clip_name}.mkv", clip_name)
        print(folder / f"{clip_name}.mkv")
