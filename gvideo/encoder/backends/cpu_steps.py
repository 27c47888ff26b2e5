"""Steps of fitting in compiled calls: the arrays that cpu_step_kernels.py works on, made of parameters and frames.

Beside what it draws, a step of 350 Gaussians or 25 000 used to cost a third of its time in some hundred operations on
arrays, most of them too short for a second thread to wake up for.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from gvideo.encoder.backends.base import CHANNEL_WEIGHTS, Target
from gvideo.encoder.backends.cpu_kernels import lives_of
from gvideo.encoder.backends.cpu_quantise import constants_of
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
from gvideo.encoder.backends.cpu_step_kernels import NUM_PHASES, run_steps
from gvideo.encoder.backends.steps import GrowthSteps, Steps, TrainingSteps
from gvideo.encoder.gaussians.parameters import BETA1, BETA2, EPSILON, Parameters
from gvideo.raster import awake
from gvideo.raster.cpu_kernels import MOMENTS
from gvideo.raster.cpu_plan import SHAPE_FIELDS, TILE
from gvideo.types import Float32, Int64

#: Steps of a call: in between an interruption is heard, and the number of threads asked for.
_STEPS_A_CALL = 8


def run(
    target: Target, shrunk: tuple[int, Float32, Float32 | None], p: Parameters, steps: Steps
) -> list[float | Tensor]:
    """See FitBackend.run_steps(). shrunk: halvings of the target's size, and its frames and
    weights at that size."""
    num_steps, num_frames = steps.frames.shape
    scene = _scene(target, shrunk, num_frames)
    training = isinstance(steps, TrainingSteps)
    values, first, second = (Attributes(*(a[name].numpy() for name in Attributes._fields)) for a in _parts(p))
    held = _held(values, training)
    drawn, errors = _drawn(held, num_frames, shrunk[0]), _errors(p, num_frames, len(scene.tasks))
    quantiser, trajectories = _quantiser(steps), _trajectories(p, steps)
    losses: list[float | Tensor] = []
    for start in range(0, num_steps, _STEPS_A_CALL):
        plan = _plan(p, steps, range(start, min(start + _STEPS_A_CALL, num_steps)))
        arguments = (
            plan, scene, quantiser, values, first, second, p.trajectory.numpy(), held, trajectories, drawn, errors,
        )  # fmt: skip
        awake.run(partial(_call, arguments), NUM_PHASES * len(plan.frames))
        losses += plan.losses.tolist()
    return losses


def _call(arguments: tuple[Any, ...], is_main: bool, counters: Int64) -> None:
    run_steps(is_main, counters, *arguments)


def _parts(p: Parameters) -> tuple[dict[str, Tensor], ...]:
    return p.values, p.first, p.second


def _tasks(num_frames: int, height: int) -> Int64:
    """Tasks i64 [T,3] of drawing a step: frame, first row, row behind the last. An odd last frame is drawn in halves,
    so that two threads have as much to do."""
    tasks = [(frame, 0, height) for frame in range(num_frames)]
    half = -(-height // (2 * TILE)) * TILE
    if num_frames % 2 and half < height:
        tasks[-1:] = [(num_frames - 1, 0, half), (num_frames - 1, half, height)]
    return np.array(tasks, np.int64)


def _scene(target: Target, shrunk: tuple[int, Float32, Float32 | None], num_frames: int) -> Scene:
    halvings, frames, weights = shrunk
    tasks = _tasks(num_frames, frames.shape[2])
    return Scene(
        frames, np.zeros((0, 0, 0), np.float32) if weights is None else weights, target.times, target.basis,
        target.residual_basis, CHANNEL_WEIGHTS * np.float32(4**halvings),
        np.eye(num_frames, dtype=np.float32)[tasks[:, 0]], tasks, *target.size, halvings,
    )  # fmt: skip


def _held(values: Attributes, training: bool) -> Held:
    """Room for what is quantised; what is not changed stays where it is while nothing is."""
    num = len(values.mean)

    def room(like: Float32) -> Float32:
        return np.empty_like(like) if training else like

    def of_quantised(*shape: int) -> Float32:
        return np.empty((num if training else 0, *shape), np.float32)

    return Held(
        room(values.mean), room(values.residual), np.empty_like(values.log_scale), room(values.angle),
        np.empty((num, 3), np.float32), room(values.centre), np.empty(num, np.float32),
        of_quantised(3), of_quantised(3), of_quantised(3), of_quantised(*values.residual.shape[1:]), of_quantised(2),
    )  # fmt: skip


def _drawn(held: Held, num_frames: int, halvings: int) -> Drawn:
    num = len(held.mean)
    displacements = np.empty((num, num_frames, 2), np.float32)
    small = (held.mean, displacements, held.log_scale, held.amplitude)
    if halvings:
        small = tuple(np.empty_like(a) for a in small)  # type: ignore[assignment]
    return Drawn(
        displacements, *small, np.empty((num, 2), np.float32), np.empty((num, 3), np.float32), np.empty(num, np.bool_),
        np.empty(-(-num // BLOCK), np.int64), np.empty((num, SHAPE_FIELDS), np.float32),
        np.empty((num, SHAPE_FIELDS), np.float32), np.empty((num, 4)),
    )  # fmt: skip


def _errors(p: Parameters, num_frames: int, num_tasks: int) -> Errors:
    num, num_trajectories = len(p), len(p.values["theta"])
    return Errors(
        np.empty((num_tasks, num, MOMENTS), np.float32), np.empty((num_tasks, 3)), np.empty((num, 10 + 2 * num_frames)),
        np.empty((-(-num // BLOCK), num_trajectories, num_frames, 2, 3)),
    )  # fmt: skip


def _trajectories(p: Parameters, steps: Steps) -> Trajectories:
    control = p.values["theta"].numpy()
    nothing = np.zeros((0, 0), np.float32)
    coded = (nothing, nothing)
    if isinstance(steps, TrainingSteps):
        coded = steps.differences.numpy(), steps.in_time.numpy()
    there = np.empty((len(control), steps.frames.shape[1], 2, 3), np.float32)
    first, second = p.first["theta"].numpy(), p.second["theta"].numpy()
    return Trajectories(control, first, second, np.empty_like(control), there, *coded)


def _quantiser(steps: Steps) -> Quantiser:
    if isinstance(steps, GrowthSteps):
        return Quantiser(np.zeros((0, 0)), np.zeros(0, np.int64), np.zeros(0), 1.0)
    rules, g = steps.rules, steps.geometry
    constants = constants_of(rules, g, steps.precision_bias, steps.permanent_at)
    return Quantiser(lives_of(g.frame_times), rules.as_array(), constants, 2.0**rules.trajectory)


def _plan(p: Parameters, steps: Steps, window: range) -> Plan:
    """Counts the steps of the window, which Adam's corrections go by."""
    names = (*Attributes._fields, "theta")
    rates, constants = np.empty((len(window), len(names))), np.empty((len(window), 5))
    prices = np.zeros((len(window), 6))
    for row, k in enumerate(window):
        correction, root = p.corrections()
        rates[row] = [steps.rates[k][name] / correction for name in names]
        constants[row] = steps.factor, BETA1, BETA2, root, EPSILON
        if isinstance(steps, TrainingSteps):
            prices[row] = steps.prices[k]
        else:
            prices[row, 0] = steps.motion_price
    share = 0.0 if isinstance(steps, TrainingSteps) else steps.motion_step
    frames = np.ascontiguousarray(steps.frames[window.start : window.stop])
    return Plan(isinstance(steps, TrainingSteps), frames, rates, constants, prices, share, np.empty(len(window)))
