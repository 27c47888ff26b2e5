"""Pictures of an independent decoder, in double precision, after SYNTAX.md §5 and §8."""

from __future__ import annotations

import math

import numpy as np
from page_headers import Segment, Sequence, Stream
from page_symbols import PERMANENT, Gaussian, Rules, Symbols

WEIGHTS = {  # matrix: Kr, Kb
    1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),
}  # fmt: skip
#: A life this near its end may be drawn or not (§9).
TIE = 2e-3


def spline(x: float, n: int) -> np.ndarray:
    """Clamped uniform B-spline functions [n] at x in [0, 1]."""
    degree = min(3, n - 1)
    if n == 1 or x >= 1.0:
        return np.eye(n)[n - 1]
    knots = [0.0] * (degree + 1) + [k / (n - degree) for k in range(1, n - degree)] + [1.0] * (degree + 1)

    def value(i: int, p: int) -> float:
        if p == 0:
            return float(knots[i] <= x < knots[i + 1])
        left, right = knots[i + p] - knots[i], knots[i + p + 1] - knots[i + 1]
        found = 0.0
        if left > 0:
            found += (x - knots[i]) / left * value(i, p - 1)
        if right > 0:
            found += (knots[i + p + 1] - x) / right * value(i + 1, p - 1)
        return found

    return np.array([value(i, degree) for i in range(n)])


class Pictures:
    """Frames of one segment."""

    def __init__(self, s: Sequence, g: Segment, symbols: Symbols) -> None:
        self.s, self.g, self.symbols, self.rules = s, g, symbols, Rules(s, g)
        starts = g.ticks[:-1]
        span = starts[-1] - starts[0]
        self.times = [(t - starts[0]) * (g.num_frames - 1) / span if span else 0.0 for t in starts]

    def life(self, q: Gaussian, t: float) -> tuple[float, bool]:
        """w(t), and whether it is so near the end that it may be 0 as well."""
        if q.duration == PERMANENT:
            return 1.0, False
        frames, bits = self.g.num_frames, self.rules.centre_bits(q.c, q.duration)
        tau = (q.centre + 0.5) * 2 * frames / 2**bits - frames / 2
        exponent = -0.5 * ((t - tau) / 2 ** (q.duration / 2 - 1)) ** 2
        return (math.exp(exponent) if exponent >= -5 else 0.0), abs(exponent + 5) < TIE

    def frame(self, k: int) -> np.ndarray:
        """F [3, height, width] of frame k."""
        s, g, t = self.s, self.g, self.times[k]
        y, x = np.mgrid[0 : s.height, 0 : s.width].astype(float)
        base = [g.base[0] / 1023, (g.base[1] - 512) / 1023, (g.base[2] - 512) / 1023]
        picture = np.ones((3, s.height, s.width)) * np.array(base)[:, None, None]
        at = t / max(g.num_frames - 1, 1)
        paths, own = spline(at, g.num_path), spline(at, g.num_control)
        for q in self.symbols.gaussians:
            w, tie = self.life(q, t)
            if tie:
                raise ArithmeticError("a life that ends within the tolerance: not for comparison")
            amplitudes = np.array(self.amplitudes(q))
            mu_x, mu_y = self.place(q, paths, own)
            if w == 0 or (np.abs(amplitudes) > 1 << 16).any():
                continue
            sigma_u, sigma_v = self.sigmas(q)
            theta = math.pi * q.angle / 2 ** self.rules.angle_bits(q.c, q.ratio)
            u = (math.cos(theta) * (x - mu_x) + math.sin(theta) * (y - mu_y)) / sigma_u
            v = (-math.sin(theta) * (x - mu_x) + math.cos(theta) * (y - mu_y)) / sigma_v
            shape = np.maximum(np.exp(-0.5 * (u * u + v * v)) - math.exp(-4), 0)
            picture += amplitudes[:, None, None] * w * shape
        return picture

    def sigmas(self, q: Gaussian) -> tuple[float, float]:
        step = self.rules.step(q.c)
        return 2 ** ((q.scale * step - 21) / 16), 2 ** (((q.scale - q.ratio) * step - 21) / 16)

    def amplitudes(self, q: Gaussian) -> tuple[float, float, float]:
        sigma_u, sigma_v = self.sigmas(q)
        life = max(0.3, sum(self.life(q, t)[0] ** 2 for t in self.times))
        allowed = 2 ** (4 - self.g.distortions[q.layer] / 8)
        step = math.sqrt(12 * allowed / (math.pi * sigma_u * sigma_v * life))
        chroma = step * self.s.chroma_step / 16
        return q.luma * step, q.blue * chroma, q.red * chroma

    def place(self, q: Gaussian, paths: np.ndarray, own: np.ndarray) -> tuple[float, float]:
        s, e = self.s, self.rules.exponents(q)
        m_x = q.x / 16 + 2 ** e[0] / 2 - 0.5 - self.g.margins[0] * 2**self.g.cell_bits
        m_y = q.y / 16 + 2 ** e[1] / 2 - 0.5 - self.g.margins[1] * 2**self.g.cell_bits
        residual = np.array(q.residual, float).reshape(-1, 2) * [2.0 ** (e[i] + s.residual) for i in range(2)]
        shift = own @ residual
        if q.trajectory:
            unit = max(s.width, s.height) / 4
            features = np.array([1.0, (m_x - s.width / 2) / unit, (m_y - s.height / 2) / unit])
            theta = np.array(self.symbols.control[q.trajectory - 1], float).reshape(-1, 2, 3) * 2.0**s.trajectory
            shift = shift + paths @ (theta @ features)
        return m_x + float(shift[0]), m_y + float(shift[1])


def tile(seed: int, kernel: list[int], which: int) -> np.ndarray:
    """§8.4, i64 [N, N]."""
    n = (256, 243)[which]
    white = np.zeros((n, n), np.int64)
    for y in range(n):
        for x in range(n):
            h = mix(seed * 2**17 + which * 2**16 + y * n + x)
            white[y, x] = sum((h >> 5 * k & 31) * (1 if k < 3 else -1) for k in range(6))
    shaped = np.zeros((n, n), np.int64)
    for j in range(-2, 3):
        for i in range(-2, 3):
            shaped += kernel[3 * abs(j) + abs(i)] * np.roll(white, (-j, -i), (0, 1))
    rms = math.isqrt(int((shaped**2).sum()) // n**2)
    return np.clip((181 * shaped + rms) // (2 * rms), -1023, 1023) if rms else np.zeros_like(shaped)


def mix(n: int) -> int:
    n &= 0xFFFFFFFF
    n ^= n >> 16
    n = n * 0x7FEB352D & 0xFFFFFFFF
    n ^= n >> 15
    n = n * 0x846CA68B & 0xFFFFFFFF
    return n ^ n >> 16


def add_grain(picture: np.ndarray, s: Sequence, crc: int, k: int, tiles: list[np.ndarray]) -> None:
    """Adds the grain of frame k of a segment to the luma."""
    assert s.grain is not None
    a = mix(crc + k * 0x9E3779B9)
    b = mix(a + 1)
    y, x = np.mgrid[0 : s.height, 0 : s.width]
    grain = tiles[0][(y + (a >> 8 & 255)) % 256, (x + (a & 255)) % 256]
    grain = grain + tiles[1][(y + (b >> 16) % 243) % 243, (x + (b & 65535) % 243) % 243]
    strength = np.interp(picture[0], [(2 * i + 1) / 16 for i in range(8)], s.grain[1])
    picture[0] += strength * grain / 2**19


def rgb(picture: np.ndarray, matrix: int) -> np.ndarray:
    """Codes u8 [3, height, width] of F."""
    luma, cb, cr = picture
    if matrix == 8:
        red, green, blue = luma - cb + cr, luma + cb, luma - cb - cr
    else:
        kr, kb = WEIGHTS[matrix]
        red, blue = luma + 2 * (1 - kr) * cr, luma + 2 * (1 - kb) * cb
        green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip(np.floor(255 * np.stack([red, green, blue]) + 0.5), 0, 255).astype(np.uint8)


def frames(stream: Stream, symbols: list[Symbols], numbers: list[int], *, grain: bool = False) -> np.ndarray:
    """R'G'B' codes u8 [F, 3, height, width] of frames by number."""
    s = stream.sequence
    tiles = [tile(s.grain[0], s.grain[2], k) for k in range(2)] if grain and s.grain else []
    first = np.cumsum([0, *(g.num_frames for g in stream.segments)])
    found = []
    for number in numbers:
        segment = int(np.searchsorted(first, number, side="right")) - 1
        g, k = stream.segments[segment], number - int(first[segment])
        picture = Pictures(s, g, symbols[segment]).frame(k)
        if tiles:
            add_grain(picture, s, g.crc, k, tiles)
        found.append(rgb(picture, s.colour[2]))
    return np.stack(found)
