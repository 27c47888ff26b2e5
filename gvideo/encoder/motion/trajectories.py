"""The trajectory codebook: robust EM of M affine B-splines to the tracks of a grid of points (CODEC.md §3).

    start:  tracks that are not followed yet, one by one; several times, the best codebook stays
    assign: each track to the trajectory with the smallest mean log error      (E)
    refit:  weighted least squares of each trajectory to its tracks (IRLS, L1)  (M)

Control points are as dense in time as the tracks ask for. Trajectory 0 never moves. A track counts most around the
frame it starts from, and only inside the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from gvideo.bitstream import headers
from gvideo.encoder.motion import track_kernels
from gvideo.encoder.motion.flow import Flow
from gvideo.encoder.motion.parents import step_bits
from gvideo.model import motion
from gvideo.raster.threads import for_rows
from gvideo.types import Float32, Float64, Int64

#: Bonus of "no motion" in bits per frame: it costs nothing and stays exact.
REST_BONUS = 0.3
MAX_TRACKS = 3000
#: Tracks or Gaussians that are worth a thread: each is tried with every trajectory.
_ROWS_OF_A_THREAD = 256
#: Starts that are tried, candidates for each trajectory of a start, iterations of EM of each start, and of the best one
#: after that. A poor codebook costs a fifth of the bytes on some clips (docs/techniques.md).
STARTS, CANDIDATES, TRIAL_ITERATIONS, MORE_ITERATIONS = 3, 4, 5, 8
#: Frames a control point, from few to many, of which the first is taken whose splines leave the tracks no more than so
#: many bits a frame.
SPACINGS, UNEXPLAINED = (8, 4, 3, 2, 1), 0.4
#: A trajectory of fewer tracks begins anew.
MIN_MEMBERS = 10


@dataclass(frozen=True)
class Tracks:
    """Tracks f32 [T,n,2] of points f32 [n,2] seen in their frames i64 [n], weights f32 [T,n], in pictures of a size."""

    points: Float32
    frames: Int64
    tracks: Float32
    weights: Float32
    width: int
    height: int


def follow_points(flow: Flow) -> Tracks:
    """Tracks of a grid of points through a segment."""
    points, frames = _start_points(flow)
    tracks = flow.track(points, frames)
    weights = track_weights(tracks, frames, flow.num_frames / 5, flow.width, flow.height)
    return Tracks(points, frames, tracks, weights, flow.width, flow.height)


def control_points(seen: Tracks, times: Float64) -> tuple[int, int]:
    """(control points of a Gaussian's residual, spans of a trajectory in one of a residual) of a segment: the fewest
    whose trajectories can follow the tracks. times f64 [T]: of the frames."""
    num_frames = len(times)
    few = max(1 + round(num_frames / SPACINGS[0]), 1 if num_frames == 1 else 2)
    if num_frames < 2 * SPACINGS[0]:
        return few, 1
    few = max(few, headers.SPLINE_DEGREE + 1)
    total = max(float(seen.weights.sum(dtype=np.float64)), 1e-6)
    most = (min(num_frames, headers.MAX_CONTROL) - headers.SPLINE_DEGREE) // (few - headers.SPLINE_DEGREE)
    refinement = 1
    for spacing in SPACINGS:
        refinement = min(max(round((num_frames / spacing - 2) / (few - headers.SPLINE_DEGREE)), 1), most)
        basis = motion.basis(times, num_frames, headers.refined_count(few, refinement)).astype(np.float64)
        smooth = (basis @ np.linalg.pinv(basis)).astype(np.float32)
        away = np.abs(np.tensordot(smooth, seen.tracks, 1) - seen.tracks).sum(-1)
        if float((seen.weights * np.log2(1 + 2 * away)).sum(dtype=np.float64)) <= UNEXPLAINED * total:
            break
    return few, refinement


def fit_trajectories(seen: Tracks, basis: Float32, num_trajectories: int, seed: int) -> Float64:
    """Control points f64 [M,K,2,3] px of the codebook: the best of several starts."""
    num_frames, num_control = basis.shape
    if num_trajectories == 1 or num_frames < 2 or len(seen.points) == 0:
        return np.zeros((num_trajectories, num_control, 2, 3))
    points, tracks, weights = seen.points, seen.tracks, seen.weights
    # a track's control points less its point: the displacement of a Gaussian that moves like it
    shifts = np.einsum("kt,tnc->nkc", np.linalg.pinv(basis.astype(np.float64)), tracks) - points[:, None]
    share = weights.sum(0, dtype=np.float64)
    rng = np.random.default_rng(seed)

    def trial() -> Float64:
        theta = _start(seen, basis, shifts, share, num_trajectories, rng)
        for _ in range(TRIAL_ITERATIONS):
            theta = _improve(theta, seen, basis, shifts, share, rng)
        return theta

    best = min(
        (trial() for _ in range(STARTS)),
        key=lambda theta: float(assignment_errors(theta, basis, seen)[0].min(0) @ share),
    )
    for _ in range(MORE_ITERATIONS):
        best = _improve(best, seen, basis, shifts, share, rng)
    return best


def _start(
    seen: Tracks, basis: Float32, shifts: Float64, share: Float64, num_trajectories: int, rng: np.random.Generator
) -> Float64:
    """Trajectories of single tracks, one after the other: of a few drawn where the ones so far err, the one that helps
    most (greedy k-means++; Arthur and Vassilvitskii, 2007)."""
    theta = np.zeros((num_trajectories, *shifts.shape[1:], 3))
    error = assignment_errors(theta[:1], basis, seen)[0][0]
    for m in range(1, num_trajectories):
        candidates = np.zeros((CANDIDATES, *theta.shape[1:]))
        candidates[..., 0] = shifts[_draw(error, share, CANDIDATES, rng)]
        errors = assignment_errors(candidates, basis, seen)[0]
        errors[0] += REST_BONUS  # which is for the trajectory at rest
        errors = np.minimum(errors, error)
        chosen = int((errors @ share).argmin())
        theta[m], error = candidates[chosen], errors[chosen]
    return theta


def _draw(error: Float64, share: Float64, count: int, rng: np.random.Generator) -> Int64:
    """Numbers of tracks, with probability in proportion to their error."""
    chance = np.maximum(error, 1e-6) * np.maximum(share, 1e-6)
    return rng.choice(len(chance), size=count, p=chance / chance.sum())


def _improve(
    theta: Float64, seen: Tracks, basis: Float32, shifts: Float64, share: Float64, rng: np.random.Generator
) -> Float64:
    """One iteration of EM."""
    errors, means = assignment_errors(theta, basis, seen)
    chosen = errors.argmin(0)
    better = theta.copy()
    for m in range(1, len(theta)):
        members = np.flatnonzero(chosen == m)
        if len(members) < MIN_MEMBERS:
            better[m] = 0
            better[m, :, :, 0] = shifts[_draw(errors.min(0), share, 1, rng)[0]]
        else:
            better[m] = _refit(
                theta[m], basis, means[m, members], seen.tracks[:, members], seen.weights[:, members], seen.width,
                seen.height,
            )  # fmt: skip
    return better


def _start_points(flow: Flow) -> tuple[Float32, Int64]:
    """A grid of points in about 8 frames, at most MAX_TRACKS in all."""
    starts = np.arange(min(2, flow.num_frames - 1), flow.num_frames, max(1, flow.num_frames // 8))
    spacing = max(8.0, float(np.sqrt(flow.width * flow.height * len(starts) / MAX_TRACKS)))
    x = np.arange(spacing / 2, flow.width, spacing)
    y = np.arange(spacing / 2, flow.height, spacing)
    grid = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2).astype(np.float32)
    return np.tile(grid, (len(starts), 1)), np.repeat(starts, len(grid)).astype(np.int64)


def track_weights(tracks: Float32, frames: Int64, spread: float, width: int, height: int) -> Float32:
    """Weights f32 [T,n]: Gaussian in time around each track's own frame, 0 where the track has left the picture."""
    time = np.arange(len(tracks), dtype=np.float32)[:, None]
    weight = np.exp(-0.5 * ((time - frames) / spread) ** 2)
    x, y = tracks[..., 0], tracks[..., 1]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return np.where(inside, weight, 0).astype(np.float32)


def displacement_control(theta: Float64, means: Float64, width: int, height: int) -> Float64:
    """Control points f64 [n,K,2] of one trajectory [K,2,3] at means [n,2]."""
    control: Float64 = np.tensordot(motion.normalised(means, width, height), theta, ([1], [2]))
    return control


def assignment_errors(theta: Float64, basis: Float32, seen: Tracks) -> tuple[Float64, Float64]:
    """(errors f64 [M,n] in bits per frame, means f64 [M,n,2]) of following each trajectory."""
    errors = np.empty((len(theta), len(seen.points)))
    means = np.empty((len(theta), len(seen.points), 2))
    exact = basis.astype(np.float64)
    for_rows(
        len(seen.points),
        lambda a, b: track_kernels.assign(
            theta, exact, seen.points[a:b], seen.frames[a:b], np.ascontiguousarray(seen.tracks[:, a:b]),
            np.ascontiguousarray(seen.weights[:, a:b]), seen.width, seen.height, errors[:, a:b], means[:, a:b],
        ),
        least=_ROWS_OF_A_THREAD,
    )  # fmt: skip
    errors[0] -= REST_BONUS
    return errors, means


def _refit(
    theta: Float64, basis: Float32, means: Float64, tracks: Float32, weights: Float32, width: int, height: int
) -> Float64:
    """One IRLS step: control points [K,2,3] of a trajectory from its member tracks."""
    num_control = basis.shape[1]
    b = basis.astype(np.float64)
    features = motion.normalised(means, width, height)
    path = np.tensordot(b, displacement_control(theta, means, width, height), ([1], [1])) + means
    weight = weights / (np.abs(path - tracks).sum(-1) + 0.5)
    products = (features[:, :, None] * features[:, None, :]).reshape(len(features), 9)
    spatial = (weight @ products).reshape(-1, 3, 3)
    weighed = (b[:, :, None] * spatial.reshape(-1, 1, 9)).reshape(len(b), -1)
    normal = (b.T @ weighed).reshape(num_control, num_control, 3, 3).transpose(0, 2, 1, 3)
    normal = np.ascontiguousarray(normal).reshape(num_control * 3, num_control * 3)
    normal += np.diag(np.tile([1e-3, 1.0, 1.0], num_control)) * weight.sum() * 1e-3
    moved = (weight[..., None] * (tracks - means)).transpose(2, 0, 1) @ features
    right = np.tensordot(b, moved, ([0], [1])).transpose(0, 2, 1).reshape(num_control * 3, 2)
    solution = np.linalg.solve(normal, right)
    return solution.reshape(num_control, 3, 2).transpose(0, 2, 1)


def reassign(
    theta: Float64,
    basis: Float32,
    refinement: Float32,
    means: Float64,
    residual: Float64,
    trajectory: Int64,
    centres: Float64,
    durations: Float64,
    steps: Float64,
    width: int,
    height: int,
    trajectory_step: float,
) -> tuple[Int64, Float64, Float64]:
    """Gives every Gaussian the trajectory that leaves the least residual motion, its path unchanged as far as residuals
    can say it, and leaves out trajectories that cost more bits than they save.

    A B-spline's weights sum to one, so a path has absolute control points mean + displacement. Under trajectory m a
    new mean is solved for the position at the life's centre, and the residual is what is left of the control points;
    those beyond four sigmas of the life do not show and become zero. refinement [K,J]: see Target. centres, durations
    f64 [N] frames; steps f64 [N]: px that a residual is counted in; trajectory_step: px that control points are counted
    in. Returns (trajectory [N], means [N,2], residual [N,J,2]).
    """
    finer = refinement.astype(np.float64)
    coarser = np.asarray(np.linalg.pinv(finer), np.float64)
    exact = basis.astype(np.float64)
    count = len(means)
    costs = np.empty((len(theta), count))
    shared, rows = (theta, exact, finer, coarser), (means, residual, trajectory, centres, durations)
    for_rows(
        count,
        lambda a, b: cast(Any, track_kernels.trajectory_costs)(
            *shared, *(r[a:b] for r in rows), steps[a:b], width, height, costs[:, a:b]
        ),
        least=_ROWS_OF_A_THREAD,
    )
    costs[trajectory, np.arange(count)] -= 1.0  # a tie changes nothing
    chosen = _assign_paying(theta, trajectory_step, costs)
    new_means, new_residual = np.empty_like(means), np.empty_like(residual)
    for_rows(
        count,
        lambda a, b: cast(Any, track_kernels.follow_chosen)(
            *shared, *(r[a:b] for r in rows), width, height, chosen[a:b], new_means[a:b], new_residual[a:b]
        ),
        least=_ROWS_OF_A_THREAD,
    )
    return chosen, new_means, new_residual


def _assign_paying(theta: Float64, step: float, costs: Float64) -> Int64:
    """The cheapest trajectory of each Gaussian i64 [N] among those that save more bits than they take. costs f64
    [M,N]: bits of each Gaussian on each trajectory. Greedy: the worst one leaves, until each pays."""
    bits = step_bits(np.diff(np.round(theta / step), axis=1, prepend=0.0)).sum((1, 2, 3))
    left = np.arange(len(theta))
    while len(left) > 1:
        rows = costs[left]
        first = rows.argmin(0)
        gain = np.partition(rows, 1, 0)[1] - rows.min(0)
        worth = np.bincount(first, gain, len(left)) - bits[left]
        worth[0] = np.inf  # rest is free
        worst = int(worth.argmin())
        if worth[worst] >= 0:
            break
        left = np.delete(left, worst)
    chosen: Int64 = left[costs[left].argmin(0)]
    return chosen
