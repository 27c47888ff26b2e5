"""Triton kernels of the signal model (reference.py), for NVIDIA GPUs and, slowly, for Triton's interpreter.

    project      one program a block of Gaussians and a frame: where each stands, what it touches
    list_pairs   one program a block of pairs of an instance and a tile: who they are
    prepare      the same when they are sorted by tile: what a tile must know of its members
    draw         one program a tile of a frame: the sum of its members
    fit_tiles    the same, then residual, squared error, and every member's moments
    collect      one program a block of Gaussians: moments of all tiles and frames to gradients

S segments of F frames each are batched; row s F + f of times and bases is frame f of segment s. Segment s owns
Gaussians starts[s] … starts[s+1]-1; an *instance* is a Gaussian in a frame, (s F + f) rows + (Gaussian - starts[s]).
Sums have a fixed order, so results repeat bit for bit.
"""

from __future__ import annotations

import math

import triton
import triton.language as tl

from gvideo.raster.interface import (
    FLOOR,
    LARGEST_AMPLITUDE,
    LARGEST_LOG_SCALE,
    LARGEST_POSITION_PX,
    LIFE_EXPONENT,
    SUPPORT_EXPONENT,
)

TILE = 16
#: Fields of an instance's place, f64: x, y, and A, B, C, D of p = A dx + B dy, q = C dx + D dy.
PLACE_FIELDS = 6
#: Fields of its strength, f32: amplitudes with life, and life.
STRENGTH_FIELDS = 4
#: Fields of a member of a tile, f32: p and q at the tile's pixel that is nearest to it, that pixel's column and row in
#: the tile, A, B, C, D, and strength.
MEMBER_FIELDS = 8 + STRENGTH_FIELDS
#: Moments of a member of a tile: sums of life w g_c, u p, u q, u p², u q², u p q.
MOMENTS = 8

_CUT = tl.constexpr(SUPPORT_EXPONENT)
_FLOOR = tl.constexpr(FLOOR)
_LIFE_CUT = tl.constexpr(LIFE_EXPONENT)
_REACH = tl.constexpr(math.sqrt(2.0 * SUPPORT_EXPONENT))
_MAX_LOG = tl.constexpr(LARGEST_LOG_SCALE)
_MAX_POSITION = tl.constexpr(LARGEST_POSITION_PX)
_MAX_AMPLITUDE = tl.constexpr(LARGEST_AMPLITUDE)
_SIDE = tl.constexpr(TILE)
_PIXELS = tl.constexpr(TILE * TILE)
_FIELDS = tl.constexpr(MEMBER_FIELDS)
_MOMENTS = tl.constexpr(MOMENTS)

#: Kernels whose sizes change all the time in a fit: Triton would compile them anew for 1 and for multiples of 16.
_any_size = triton.jit(do_not_specialize=("rows", "instances", "capacity", "halvings"))


@_any_size
def project(
    means, displacements, log_scales, angles, amplitudes, centres, inverse_durations, basis, times, starts,
    places, strengths, boxes, rows, num_frames, num_control, width, height, view, BLOCK: tl.constexpr,
):  # fmt: skip
    """Places f64 [6, instances], strengths f32 [4, instances] and boxes i32 [3, instances] (first tile, tiles across,
    tiles touched). view f64: scale and offset in x, in y (a plain argument would be a float32)."""
    scale_x = tl.load(view)
    offset_x = tl.load(view + 1)
    scale_y = tl.load(view + 2)
    offset_y = tl.load(view + 3)
    row = tl.program_id(0)
    segment = row // num_frames
    first = tl.load(starts + segment)
    count = tl.load(starts + segment + 1) - first
    j = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = j < count
    n = first + j
    instance = row.to(tl.int64) * rows + j
    instances = tl.num_programs(0).to(tl.int64) * rows

    log_u = tl.load(log_scales + 2 * n, inside, 0.0).to(tl.float64)
    log_v = tl.load(log_scales + 2 * n + 1, inside, 0.0).to(tl.float64)
    angle = tl.load(angles + n, inside, 0.0).to(tl.float64)
    shown = inside & (tl.abs(log_u) <= _MAX_LOG) & (tl.abs(log_v) <= _MAX_LOG) & (tl.abs(angle) < float("inf"))
    log_u = tl.where(shown, log_u, 0.0)
    log_v = tl.where(shown, log_v, 0.0)
    angle = tl.where(shown, angle, 0.0)
    age = tl.load(times + row).to(tl.float64) - tl.load(centres + n, inside, 0.0).to(tl.float64)
    age = age * tl.load(inverse_durations + n, inside, 0.0).to(tl.float64)
    fading = -0.5 * age * age
    shown = shown & (fading >= -_LIFE_CUT)
    life = tl.exp(tl.where(shown, fading, 0.0))

    x = tl.load(means + 2 * n, inside, 0.0).to(tl.float64)
    y = tl.load(means + 2 * n + 1, inside, 0.0).to(tl.float64)
    for k in range(num_control):
        weight = tl.load(basis + row * num_control + k).to(tl.float64)
        at = (n.to(tl.int64) * num_control + k) * 2
        x += weight * tl.load(displacements + at, inside, 0.0).to(tl.float64)
        y += weight * tl.load(displacements + at + 1, inside, 0.0).to(tl.float64)
    shown = shown & (tl.abs(x) <= _MAX_POSITION) & (tl.abs(y) <= _MAX_POSITION)
    x = tl.where(shown, (x + 0.5 - offset_x) * scale_x - 0.5, 0.0)
    y = tl.where(shown, (y + 0.5 - offset_y) * scale_y - 0.5, 0.0)

    sigma_u = tl.exp(log_u)
    sigma_v = tl.exp(log_v)
    cosine = tl.cos(angle)
    sine = tl.sin(angle)
    # edges are widened by more than float32 can err; the mask of each pixel decides in the end
    along = sigma_u * cosine
    across = sigma_v * sine
    half_width = _REACH * scale_x * tl.sqrt(along * along + across * across) * 1.00001 + 1e-3
    along = sigma_u * sine
    across = sigma_v * cosine
    half_height = _REACH * scale_y * tl.sqrt(along * along + across * across) * 1.00001 + 1e-3
    shown = shown & (x + half_width >= 0.0) & (x - half_width <= width - 1.0)
    shown = shown & (y + half_height >= 0.0) & (y - half_height <= height - 1.0)
    for c in tl.static_range(3):
        amplitude = tl.load(amplitudes + 3 * n + c, inside, 0.0)
        shown = shown & (tl.abs(amplitude) <= _MAX_AMPLITUDE)
    left = tl.maximum(x - half_width, 0.0).to(tl.int32) // _SIDE
    right = tl.minimum(x + half_width, width - 1.0).to(tl.int32) // _SIDE
    top = tl.maximum(y - half_height, 0.0).to(tl.int32) // _SIDE
    bottom = tl.minimum(y + half_height, height - 1.0).to(tl.int32) // _SIDE
    across_tiles = (width + _SIDE - 1) // _SIDE
    touched = tl.where(shown, (right - left + 1) * (bottom - top + 1), 0)
    listed = j < rows
    tl.store(boxes + instance, tl.where(shown, top * across_tiles + left, 0), listed)
    tl.store(boxes + instances + instance, tl.where(shown, right - left + 1, 1), listed)
    tl.store(boxes + 2 * instances + instance, touched, listed)

    tl.store(places + instance, x, shown)
    tl.store(places + instances + instance, y, shown)
    tl.store(places + 2 * instances + instance, cosine / (sigma_u * scale_x), shown)
    tl.store(places + 3 * instances + instance, sine / (sigma_u * scale_y), shown)
    tl.store(places + 4 * instances + instance, -sine / (sigma_v * scale_x), shown)
    tl.store(places + 5 * instances + instance, cosine / (sigma_v * scale_y), shown)
    for c in tl.static_range(3):
        amplitude = tl.load(amplitudes + 3 * n + c, inside, 0.0).to(tl.float64)
        tl.store(strengths + c * instances + instance, (amplitude * life).to(tl.float32), shown)
    tl.store(strengths + 3 * instances + instance, life.to(tl.float32), shown)


@triton.jit
def _origin(tile, tiles, tiles_x):
    """Column and row of a tile's first pixel."""
    own = tile % tiles
    return (own % tiles_x) * _SIDE, (own // tiles_x) * _SIDE


@_any_size
def list_pairs(
    ends, boxes, keys, owners, capacity, instances, rows, tiles, tiles_x, no_tile, halvings, BLOCK: tl.constexpr
):  # fmt: skip
    """Keys i16 or i32 [capacity], tiles of all frames, and owners i32 [capacity], instances, of pairs in the order of
    instances. no_tile: the key of places that no pair takes. halvings: bits of `instances`."""
    slot = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    low = tl.zeros((BLOCK,), tl.int32)
    high = low + instances
    for _ in range(halvings):
        middle = (low + high) // 2
        before = tl.load(ends + middle, middle < instances, 0) <= slot
        before = before & (low < high)
        low = tl.where(before, middle + 1, low)
        high = tl.where(before, high, middle)
    taken = (low < instances) & (slot < capacity)
    touched = tl.load(boxes + 2 * instances + low, taken, 0)
    local = (slot - (tl.load(ends + low, taken, 0) - touched)).to(tl.int32)
    across = tl.load(boxes + instances + low, taken, 1)
    tile = tl.load(boxes + low, taken, 0) + local // across * tiles_x + local % across
    tl.store(keys + slot, tl.where(taken, low // rows * tiles + tile, no_tile), slot < capacity)
    tl.store(owners + slot, tl.where(taken, low, 0), slot < capacity)


@_any_size
def prepare(
    places, strengths, keys, slots, owners, members, capacity, instances, tiles, tiles_x, no_tile, BLOCK: tl.constexpr
):  # fmt: skip
    """Members f32 [capacity, 12] of tiles, in the order of keys.

    Their p and q start from the tile's pixel that is nearest to the Gaussian, and are reckoned there in float64: terms
    that cancel far from a needle's centre never meet in float32."""
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    key = tl.load(keys + i, i < capacity, no_tile).to(tl.int32)
    taken = key < no_tile
    left, top = _origin(key, tiles, tiles_x)
    instance = tl.load(owners + tl.load(slots + i, taken, 0), taken, 0)
    at = places + instance
    x = tl.load(at, taken, 0.0) - left
    y = tl.load(at + instances, taken, 0.0) - top
    column = tl.minimum(tl.maximum(tl.floor(x + 0.5), 0.0), _SIDE - 1.0)
    row = tl.minimum(tl.maximum(tl.floor(y + 0.5), 0.0), _SIDE - 1.0)
    a = tl.load(at + 2 * instances, taken, 0.0)
    b = tl.load(at + 3 * instances, taken, 0.0)
    c = tl.load(at + 4 * instances, taken, 0.0)
    d = tl.load(at + 5 * instances, taken, 0.0)
    member = members + i * _FIELDS
    tl.store(member, (a * (column - x) + b * (row - y)).to(tl.float32), taken)
    tl.store(member + 1, (c * (column - x) + d * (row - y)).to(tl.float32), taken)
    tl.store(member + 2, column.to(tl.float32), taken)
    tl.store(member + 3, row.to(tl.float32), taken)
    tl.store(member + 4, a.to(tl.float32), taken)
    tl.store(member + 5, b.to(tl.float32), taken)
    tl.store(member + 6, c.to(tl.float32), taken)
    tl.store(member + 7, d.to(tl.float32), taken)
    for k in tl.static_range(4):
        tl.store(member + 8 + k, tl.load(strengths + k * instances + instance, taken, 0.0), taken)


@triton.jit
def _weigh(member):
    """(p, q, slope, weight) of a member at the pixels of its tile, without life; slope: the weight's derivative by its
    exponent."""
    pixel = tl.arange(0, _PIXELS)
    x = (pixel % _SIDE).to(tl.float32) - tl.load(member + 2)
    y = (pixel // _SIDE).to(tl.float32) - tl.load(member + 3)
    p = tl.load(member) + (tl.load(member + 4) * x + tl.load(member + 5) * y)
    q = tl.load(member + 1) + (tl.load(member + 6) * x + tl.load(member + 7) * y)
    exponent = -0.5 * (p * p + q * q)
    slope = tl.where(exponent >= -_CUT, tl.exp(exponent), 0.0)
    return p, q, slope, tl.maximum(slope - _FLOOR, 0.0)


@triton.jit
def _sum_members(members, begin, end):
    luma = tl.zeros((_PIXELS,), tl.float32)
    blue = tl.zeros((_PIXELS,), tl.float32)
    red = tl.zeros((_PIXELS,), tl.float32)
    member = members + begin.to(tl.int64) * _FIELDS
    for _ in range(begin, end):
        _, _, _, weight = _weigh(member)
        luma += tl.load(member + 8) * weight
        blue += tl.load(member + 9) * weight
        red += tl.load(member + 10) * weight
        member += _FIELDS
    return luma, blue, red


@triton.jit
def draw(members, tile_starts, pictures, tiles, tiles_x, width, height, plane, CHANNELS: tl.constexpr):
    """Pictures f32 [frames, CHANNELS, H, W]. plane: H W."""
    tile = tl.program_id(0)
    left, top = _origin(tile, tiles, tiles_x)
    luma, blue, red = _sum_members(members, tl.load(tile_starts + tile), tl.load(tile_starts + tile + 1))
    pixel = tl.arange(0, _PIXELS)
    x = left + pixel % _SIDE
    y = top + pixel // _SIDE
    inside = (x < width) & (y < height)
    at = pictures + (tile // tiles).to(tl.int64) * (CHANNELS * plane) + y * width + x
    tl.store(at, luma, inside)
    if CHANNELS == 3:
        tl.store(at + plane, blue, inside)
        tl.store(at + 2 * plane, red, inside)


@triton.jit
def fit_tiles(
    members, slots, tile_starts, targets, pixel_weights, frame_rows, errors, moments, tiles, tiles_x, width, height,
    plane, weight_luma, weight_blue, weight_red, WEIGHTED: tl.constexpr,
):  # fmt: skip
    """Squared errors f32 [frames tiles, 3], and moments f32 [capacity, 8] in the slot of each member."""
    tile = tl.program_id(0)
    left, top = _origin(tile, tiles, tiles_x)
    begin = tl.load(tile_starts + tile)
    end = tl.load(tile_starts + tile + 1)
    luma, blue, red = _sum_members(members, begin, end)
    pixel = tl.arange(0, _PIXELS)
    x = left + pixel % _SIDE
    y = top + pixel // _SIDE
    inside = (x < width) & (y < height)
    at = targets + tl.load(frame_rows + tile // tiles) * (3 * plane) + y * width + x
    luma = tl.where(inside, luma - tl.load(at, inside, 0.0), 0.0)
    blue = tl.where(inside, blue - tl.load(at + plane, inside, 0.0), 0.0)
    red = tl.where(inside, red - tl.load(at + 2 * plane, inside, 0.0), 0.0)
    by_luma = luma
    by_blue = blue
    by_red = red
    if WEIGHTED:
        at = pixel_weights + tl.load(frame_rows + tile // tiles) * plane + y * width + x
        of_pixel = tl.load(at, inside, 0.0)
        by_luma = of_pixel * luma
        by_blue = of_pixel * blue
        by_red = of_pixel * red
    tl.store(errors + 3 * tile, tl.sum(luma * by_luma))
    tl.store(errors + 3 * tile + 1, tl.sum(blue * by_blue))
    tl.store(errors + 3 * tile + 2, tl.sum(red * by_red))
    luma = 2.0 * weight_luma * by_luma
    blue = 2.0 * weight_blue * by_blue
    red = 2.0 * weight_red * by_red
    member = members + begin.to(tl.int64) * _FIELDS
    for i in range(begin, end):
        p, q, slope, weight = _weigh(member)
        u = tl.load(member + 8) * luma + tl.load(member + 9) * blue
        u = (u + tl.load(member + 10) * red) * slope
        life = tl.load(member + 11)
        out = moments + tl.load(slots + i) * _MOMENTS
        tl.store(out, life * tl.sum(weight * luma))
        tl.store(out + 1, life * tl.sum(weight * blue))
        tl.store(out + 2, life * tl.sum(weight * red))
        tl.store(out + 3, tl.sum(u * p))
        tl.store(out + 4, tl.sum(u * q))
        tl.store(out + 5, tl.sum(u * p * p))
        tl.store(out + 6, tl.sum(u * q * q))
        tl.store(out + 7, tl.sum(u * p * q))
        member += _FIELDS


@_any_size
def collect(
    moments, places, boxes, ends, log_scales, amplitudes, centres, inverse_durations, basis, times, starts,
    by_mean, by_displacement, by_log_scale, by_angle, by_amplitude, by_centre, by_inverse,
    rows, num_frames, num_control, capacity, BLOCK: tl.constexpr, LANES: tl.constexpr, CONTROL: tl.constexpr,
):  # fmt: skip
    """Gradients of every Gaussian. ends i64 [instances]: where an instance's slots end. CONTROL: at least num_control,
    a power of two."""
    segment = tl.program_id(0)
    first = tl.load(starts + segment)
    j = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = j < tl.load(starts + segment + 1) - first
    n = first + j
    instances = tl.num_programs(0).to(tl.int64) * num_frames * rows
    lane = tl.arange(0, LANES)

    log_u = tl.load(log_scales + 2 * n, inside, 0.0).to(tl.float64)
    log_v = tl.load(log_scales + 2 * n + 1, inside, 0.0).to(tl.float64)
    elongation = tl.exp(tl.minimum(tl.maximum(log_u - log_v, -32.0), 32.0))
    luma = tl.load(amplitudes + 3 * n, inside, 0.0).to(tl.float64)
    blue = tl.load(amplitudes + 3 * n + 1, inside, 0.0).to(tl.float64)
    red = tl.load(amplitudes + 3 * n + 2, inside, 0.0).to(tl.float64)
    centre = tl.load(centres + n, inside, 0.0).to(tl.float64)
    inverse = tl.load(inverse_durations + n, inside, 0.0).to(tl.float64)
    zero = tl.zeros((BLOCK,), tl.float64)
    sum_luma, sum_blue, sum_red, sum_x, sum_y = zero, zero, zero, zero, zero
    sum_uu, sum_vv, sum_uv, sum_centre, sum_inverse = zero, zero, zero, zero, zero
    k = tl.arange(0, CONTROL)
    control_x = tl.zeros((BLOCK, CONTROL), tl.float64)
    control_y = tl.zeros((BLOCK, CONTROL), tl.float64)
    for f in range(num_frames):
        row = segment * num_frames + f
        instance = row.to(tl.int64) * rows + j
        touched = tl.load(boxes + 2 * instances + instance, inside, 0)
        begin = tl.load(ends + instance, inside, 0) - touched
        m_luma, m_blue, m_red, m_p, m_q = zero, zero, zero, zero, zero
        m_pp, m_qq, m_pq = zero, zero, zero
        for start in range(0, tl.max(touched), LANES):
            slot = begin[:, None] + (start + lane)[None, :]
            there = ((start + lane)[None, :] < touched[:, None]) & (slot < capacity)
            at = moments + slot * _MOMENTS
            m_luma += tl.sum(tl.load(at, there, 0.0).to(tl.float64), 1)
            m_blue += tl.sum(tl.load(at + 1, there, 0.0).to(tl.float64), 1)
            m_red += tl.sum(tl.load(at + 2, there, 0.0).to(tl.float64), 1)
            m_p += tl.sum(tl.load(at + 3, there, 0.0).to(tl.float64), 1)
            m_q += tl.sum(tl.load(at + 4, there, 0.0).to(tl.float64), 1)
            m_pp += tl.sum(tl.load(at + 5, there, 0.0).to(tl.float64), 1)
            m_qq += tl.sum(tl.load(at + 6, there, 0.0).to(tl.float64), 1)
            m_pq += tl.sum(tl.load(at + 7, there, 0.0).to(tl.float64), 1)
        shown = touched > 0
        at_place = places + instance
        by_x = tl.load(at_place + 2 * instances, shown, 0.0) * m_p
        by_x += tl.load(at_place + 4 * instances, shown, 0.0) * m_q
        by_y = tl.load(at_place + 3 * instances, shown, 0.0) * m_p
        by_y += tl.load(at_place + 5 * instances, shown, 0.0) * m_q
        sum_luma += m_luma
        sum_blue += m_blue
        sum_red += m_red
        sum_x += by_x
        sum_y += by_y
        sum_uu += m_pp
        sum_vv += m_qq
        sum_uv += m_pq
        by_life = tl.where(shown, luma * m_luma + blue * m_blue + red * m_red, 0.0)
        age = tl.where(shown, tl.load(times + row).to(tl.float64) - centre, 0.0)
        factor = tl.where(shown, inverse, 0.0)
        sum_centre += by_life * age * factor * factor
        sum_inverse -= by_life * age * age * factor
        weight = tl.load(basis + row * num_control + k, k < num_control, 0.0).to(tl.float64)
        control_x += weight[None, :] * by_x[:, None]
        control_y += weight[None, :] * by_y[:, None]
    at = by_displacement + (n.to(tl.int64)[:, None] * num_control + k[None, :]) * 2
    written = inside[:, None] & (k < num_control)[None, :]
    tl.store(at, control_x.to(tl.float32), written)
    tl.store(at + 1, control_y.to(tl.float32), written)
    tl.store(by_mean + 2 * n, sum_x.to(tl.float32), inside)
    tl.store(by_mean + 2 * n + 1, sum_y.to(tl.float32), inside)
    tl.store(by_log_scale + 2 * n, sum_uu.to(tl.float32), inside)
    tl.store(by_log_scale + 2 * n + 1, sum_vv.to(tl.float32), inside)
    tl.store(by_angle + n, ((elongation - 1.0 / elongation) * sum_uv).to(tl.float32), inside)
    tl.store(by_amplitude + 3 * n, sum_luma.to(tl.float32), inside)
    tl.store(by_amplitude + 3 * n + 1, sum_blue.to(tl.float32), inside)
    tl.store(by_amplitude + 3 * n + 2, sum_red.to(tl.float32), inside)
    tl.store(by_centre + n, sum_centre.to(tl.float32), inside)
    tl.store(by_inverse + n, sum_inverse.to(tl.float32), inside)
