"""Many steps of fitting in one compiled call, on threads that stay awake (raster/awake.py).

A step has three phases, whose tasks any thread may take, and a word of the main thread's between two steps:

    hold      blocks of Gaussians: what is drawn
    draw      frames, or bands of one: squared errors and moments
    train     blocks of Gaussians: gradients, prices, Adam
    (main)    the same of the trajectories, and where they are in the next step's frames

Every task writes its own part of the arrays, and sums go over tasks in their order: results are the same on any
number of threads.
"""

from __future__ import annotations

import math

import numpy as np

from gvideo.encoder.backends.cpu_kernels import WHOLE, adam
from gvideo.encoder.backends.cpu_step_arrays import (
    BLOCK,
    Attributes,
    Drawn,
    Errors,
    Held,
    Plan,
    Quantiser,
    Scene,
    Trajectories,
)
from gvideo.encoder.backends.cpu_step_rows import hold_rows, train_rows
from gvideo.encoder.jit import kernel
from gvideo.raster.awake import begin, done, end, take
from gvideo.raster.cpu_fit import fit_frame
from gvideo.types import Float32, Float64, Int64

f32 = np.float32
#: Phases of a step.
HOLD, DRAW, TRAIN, NUM_PHASES = 0, 1, 2, 3


@kernel
def _draw(scene: Scene, plan: Plan, step: int, held: Held, drawn: Drawn, errors: Errors, task: int) -> None:
    """A frame of the step, or a band of it."""
    slot, top, bottom = scene.tasks[task, 0], scene.tasks[task, 1], scene.tasks[task, 2]
    frame = plan.frames[step, slot]
    target = scene.frames[frame]
    if bottom - top < target.shape[1]:
        target = target[:, top:bottom].copy()
    weights = scene.pixel_weights
    of_pixels = weights[frame, top:bottom] if weights.size else weights.reshape((0, 0))
    count = len(drawn.shapes) if drawn.num_wide.sum() > 0 else 0
    fit_frame(
        drawn.shapes, drawn.coarse_shapes[:count], drawn.small_means, drawn.small_displacements, drawn.amplitudes,
        held.centre, held.inverse_duration, scene.of_task[task], float(scene.times[frame]), target, top,
        scene.channel_weights, of_pixels, errors.squared_errors[task], errors.moments[task],
    )  # fmt: skip


@kernel
def _place_trajectories(plan: Plan, step: int, scene: Scene, quantiser: Quantiser, t: Trajectories) -> None:
    """Held as a decoder would hold them, or as they are, the first at rest; and where that is in a step's frames."""
    num, num_control = t.control.shape[:2]
    size, inverse = f32(quantiser.trajectory_step), f32(1.0 / quantiser.trajectory_step)
    for m in range(num):
        for k in range(num_control):
            for axis in range(2):
                for c in range(3):
                    value = t.control[m, k, axis, c]
                    if plan.training:
                        value = np.rint(value * inverse) * size
                    t.held[m, k, axis, c] = value if m > 0 else f32(0)
    for m in range(num):
        for f in range(plan.frames.shape[1]):
            frame = plan.frames[step, f]
            for axis in range(2):
                for c in range(3):
                    total = 0.0
                    for k in range(num_control):
                        total += np.float64(scene.basis[frame, k]) * np.float64(t.held[m, k, axis, c])
                    t.there[m, f, axis, c] = total


@kernel
def _add_weighed(weights: Float32, rows: Float64, out: Float64) -> None:
    """out[i] += weights[i,j] rows[j], of weights few of which are not zero."""
    for i in range(len(weights)):
        for j in range(len(rows)):
            share = np.float64(weights[i, j])
            if share != 0.0:
                for c in range(rows.shape[1]):
                    out[i, c] += share * rows[j, c]


@kernel
def _charge_trajectories(t: Trajectories, price: float, step: float, gradient: Float32) -> None:
    """Adds the slope of price log2(1 + |level|), levels being what is coded of trajectories: their differences to
    parents, and then those in time."""
    num, num_control = t.control.shape[:2]
    size = (num, num_control * 6)
    differing = np.zeros(size)
    _add_weighed(t.differences, t.control.reshape(size).astype(np.float64), differing)
    slopes = np.zeros(size)
    for m in range(num):
        levels = np.zeros((num_control, 6))
        _add_weighed(t.in_time, differing[m].reshape((num_control, 6)), levels)
        for k in range(num_control):
            for c in range(6):
                level = levels[k, c] / step
                smooth = math.sqrt(level * level + 1.0 / 16.0)  # without a corner at zero
                levels[k, c] = price / (step * math.log(2.0)) * level / (smooth * (smooth + 1.0))
        _add_weighed(t.in_time.T, levels, slopes[m].reshape((num_control, 6)))
    total = np.zeros(size)
    _add_weighed(t.differences.T, slopes, total)
    flat = gradient.reshape(size)
    for m in range(num):
        for k in range(size[1]):
            flat[m, k] += f32(total[m, k])


@kernel
def _train_trajectories(
    plan: Plan, step: int, scene: Scene, quantiser: Quantiser, errors: Errors, t: Trajectories
) -> None:
    """Adam of the trajectories; the blocks' parts of their gradients are added in order."""
    num, num_control = t.control.shape[:2]
    num_frames = plan.frames.shape[1]
    there = np.zeros((num, num_frames, 2, 3))
    for block in range(len(errors.trajectories)):
        there += errors.trajectories[block]
    gradient = np.zeros((num, num_control, 2, 3), np.float32)
    for m in range(num):
        for k in range(num_control):
            for axis in range(2):
                for c in range(3):
                    total = 0.0
                    for f in range(num_frames):
                        total += np.float64(scene.basis[plan.frames[step, f], k]) * there[m, f, axis, c]
                    gradient[m, k, axis, c] = total
    price = plan.prices[step, 5]
    if plan.training and price > 0.0:
        _charge_trajectories(t, price, quantiser.trajectory_step, gradient)
    adam(
        t.control.reshape(-1), t.first.reshape(-1), t.second.reshape(-1), gradient.reshape(-1), WHOLE,
        plan.rates[step, 8], plan.constants[step],
    )  # fmt: skip


@kernel
def run_steps(
    is_main: bool,
    counters: Int64,
    plan: Plan,
    scene: Scene,
    quantiser: Quantiser,
    values: Attributes,
    first: Attributes,
    second: Attributes,
    trajectory: Int64,
    held: Held,
    trajectories: Trajectories,
    drawn: Drawn,
    errors: Errors,
) -> None:
    """All steps of a plan; called by every thread of awake.run(), in NUM_PHASES phases a step."""
    count = len(trajectory)
    num_blocks = len(drawn.num_wide)
    there = trajectories.there
    for step in range(len(plan.frames)):
        if is_main:
            _place_trajectories(plan, step, scene, quantiser, trajectories)
        for kind in range(NUM_PHASES):
            phase = NUM_PHASES * step + kind
            if not begin(counters, phase, is_main):
                return
            num_tasks = len(scene.tasks) if kind == DRAW else num_blocks
            task = take(counters, phase)
            while task < num_tasks:
                start, stop = task * BLOCK, min(task * BLOCK + BLOCK, count)
                if kind == HOLD:
                    hold_rows(plan, step, scene, quantiser, values, trajectory, held, there, drawn, task, start, stop)
                elif kind == DRAW:
                    _draw(scene, plan, step, held, drawn, errors, task)
                else:
                    train_rows(
                        plan, step, scene, values, first, second, trajectory, held, there, drawn, errors, task, start,
                        stop,
                    )  # fmt: skip
                done(counters, phase)
                task = take(counters, phase)
            if not end(counters, phase, is_main, num_tasks):
                return
        if is_main:
            total = 0.0
            for task in range(len(scene.tasks)):
                for c in range(3):
                    total += errors.squared_errors[task, c] * scene.channel_weights[c]
            plan.losses[step] = total
            _train_trajectories(plan, step, scene, quantiser, errors, trajectories)
