"""Trains gvideo/evaluate/studies/techniques/initialiser.npz, the network of the technique `learned`.

    python tests/bench/train_initialiser.py CLIP … --check CLIP … [--crops N] [--steps N] [--pairs FILE] [-o FILE]

Clips must be in no benchmark; those of --check are not trained on. Crops of 96 x 64 px at random places and sizes of
eight frames of each clip are fitted by the study's default fit, with 24 to 240 Gaussians. A fit gives four pairs:

    the picture less its mean   -> places and shapes of all Gaussians at the end
    the residual before each later generation -> places and shapes, at the end, of the Gaussians of that generation

Each pair is flipped and turned at random. The loss is the cross-entropy of the places under the density, and the smooth
absolute error of the shapes. Seeds are fixed; on one processor the result is the same. --pairs keeps the fits' results.

The weights that are shipped: room_vfr_720p (MIT), pdf_scroll_1024x768 and street_1080p30 (BSD-2), asl_book_480p30
(CC BY 4.0), checked on parkjoy_270p50_raw10 and vid4_city; 640 crops, 2552 pairs, 165 s of a core; 1000 steps, 126 s;
places -0.225 (checked -0.131) against the energy alone, shapes 0.263 (0.279).
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gvideo.encoder.backends.base import START_SIGMA
from gvideo.evaluate.studies.techniques.base import Technique
from gvideo.evaluate.studies.techniques.fit import Fit, StudyFitSettings
from gvideo.evaluate.studies.techniques.learned import CELL, PLANES, WEIGHTS, Network, planes_of
from gvideo.evaluate.studies.techniques.scenes import Scene
from gvideo.media import VideoSource

WIDTH, HEIGHT, FRAMES_OF_CLIP, FIT_STEPS, SEED = 96, 64, 8, 300, 7
FEWEST, MOST = 24, 240
BATCH, RATE, SHAPE_WEIGHT, CHECK_EVERY = 8, 2e-3, 1.0, 250


@dataclass(frozen=True)
class Pairs:
    """planes f32 [P,7,H,W]; of every Gaussian: its pair i64 [G], place f32 [G,2] px, shape f32 [G,3] as answered."""

    planes: Tensor
    pair: Tensor
    place: Tensor
    shape: Tensor


class Watched(Technique):
    """The default, which notes what every generation was placed by."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[np.ndarray, int]] = []

    def weigh(self, fit: Fit, energy: np.ndarray) -> np.ndarray:
        self.seen.append((fit.residual.copy(), len(fit)))
        return energy


def frames_of(path: Path) -> list[np.ndarray]:
    """Frames f32 [3,H,W] evenly spread over a clip."""
    with VideoSource(path) as video:
        count = sum(1 for _ in video)
    wanted = set(np.linspace(0, count - 1, FRAMES_OF_CLIP).astype(int).tolist())
    with VideoSource(path) as video:
        return [frame.planes for k, frame in enumerate(video) if k in wanted]


def crop(planes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """f32 [3,64,96] out of planes f32 [3,H,W], scaled down by a random factor."""
    height, width = planes.shape[1:]
    most = min(width / WIDTH, height / HEIGHT)
    scale = most ** rng.uniform(0.15, 1)
    w, h = min(width, round(WIDTH * scale)), min(height, round(HEIGHT * scale))
    x, y = rng.integers(0, width - w + 1), rng.integers(0, height - h + 1)
    cut = planes[:, y : y + h, x : x + w]
    return np.stack([cv2.resize(p, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA) for p in cut])


def energy_of(residual: np.ndarray, sigma: float) -> np.ndarray:
    """As Fit.grow has it, f32 [H,W] of f32 [1,3,H,W]."""
    around = int(sigma) // 2 * 2 + 1
    return cv2.blur(residual[0, 0] ** 2, (around, around), borderType=cv2.BORDER_CONSTANT)


def pairs_of(paths: list[Path], crops: int, seed: int) -> Pairs:
    """Fits `crops` crops, the clips in turn."""
    rng = np.random.default_rng(seed)
    clips = [frames_of(path) for path in paths]
    planes, pair, place, shape = [], [], [], []
    started, total = time.process_time(), 0
    while total < crops:
        frames = clips[total % len(clips)]
        picture = crop(frames[rng.integers(len(frames))], rng)
        total += 1
        if picture[0].std() < 0.01:
            continue  # nothing to see
        num = round(math.exp(rng.uniform(math.log(FEWEST), math.log(MOST))))
        watched = Watched()
        less = (picture - picture.mean((1, 2), keepdims=True))[None].astype(np.float32)
        fit = Fit(Scene("crop", less), StudyFitSettings(num, FIT_STEPS, total), watched)
        fit.run()
        fields = fit.fields()
        half = (fields.log_scale[:, 0] - fields.log_scale[:, 1]) / 2
        turned = torch.stack([half * (2 * fields.angle).cos(), half * (2 * fields.angle).sin()], 1)
        last = [*(n for _, n in watched.seen[1:]), num]
        spans = [(0, num, num)] + [
            (first, end, end) for (_, first), end in zip(watched.seen[1:], last[1:], strict=True)
        ]
        for (residual, _), (first, end, count) in zip(watched.seen, spans, strict=True):
            sigma = math.sqrt(WIDTH * HEIGHT / count) * START_SIGMA
            energy = energy_of(residual, sigma)[None]
            rows = slice(first, end)
            inside = fields.mean[rows].round().long()
            kept = ((inside >= 0) & (inside < torch.tensor([WIDTH, HEIGHT]))).all(1)
            size = fields.log_scale[rows].mean(1, keepdim=True) - math.log(sigma)
            pair.append(torch.full((int(kept.sum()),), len(planes)))
            planes.append(torch.from_numpy(planes_of(residual, energy, sigma)[0]))
            place.append(fields.mean[rows][kept])
            shape.append(torch.cat([size, turned[rows]], 1)[kept])
        if total % 50 == 0:
            print(f"{total} crops, {time.process_time() - started:.0f} s", flush=True)
    return Pairs(torch.stack(planes), torch.cat(pair), torch.cat(place), torch.cat(shape).clamp(-3, 3))


def turned_pairs(pairs: Pairs, rows: Tensor, flips: tuple[bool, bool, bool]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(planes [B,7,h,w], which of the batch [G], place [G,2], shape [G,3]) of pairs `rows`, flipped along x and y, and
    with both exchanged. Angles change sign with a flip; x and y exchanged make 90 degrees less the angle of it."""
    where = torch.full((len(pairs.planes),), -1)
    where[rows] = torch.arange(len(rows))
    own = where[pairs.pair] >= 0
    planes, place, shape = pairs.planes[rows].clone(), pairs.place[own].clone(), pairs.shape[own].clone()
    for axis, flip in enumerate(flips[:2]):
        if flip:
            planes = planes.flip(3 - axis)
            place[:, axis] = planes.shape[3 - axis] - 1 - place[:, axis]
            planes[:, 5] *= -1
            shape[:, 2] *= -1
    if flips[2]:
        planes, place = planes.transpose(2, 3).clone(), place.flip(1)
        planes[:, 4] *= -1
        shape[:, 1] *= -1
    return planes, where[pairs.pair][own], place, shape


def losses(net: Network, planes: Tensor, of: Tensor, place: Tensor, shape: Tensor) -> tuple[Tensor, Tensor]:
    """(cross-entropy of the places less that under the energy alone, error of the shapes), means over Gaussians."""
    answers = net(planes)
    x, y = ((place.round() / CELL).floor().long().clamp(min=0)).unbind(1)
    x, y = x.clamp(max=answers.shape[3] - 1), y.clamp(max=answers.shape[2] - 1)
    before = functional.avg_pool2d(planes[:, 3:4].exp(), CELL)[:, 0].log()
    places = []
    for logits in (before + answers[:, 0], before):
        chance = logits.flatten(1).log_softmax(1).view_as(logits)
        places.append(-chance[of, y, x].mean())
    return places[0] - places[1], functional.smooth_l1_loss(answers[of, 1:, y, x], shape, beta=0.3)


def train(pairs: Pairs, check: Pairs, steps: int) -> Network:
    """A network after so many steps of AdamW, its rate rising over a twentieth of them and falling as a cosine."""
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    net = Network()
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda k: min(1, 20 * (k + 1) / steps) * 0.5 * (1 + math.cos(math.pi * k / steps))
    )
    started, seen = time.process_time(), []
    for step in range(steps):
        rows = torch.from_numpy(rng.choice(len(pairs.planes), BATCH, replace=False))
        flips = tuple(bool(f) for f in rng.integers(0, 2, 3))
        places, shapes = losses(net, *turned_pairs(pairs, rows, flips))
        optimiser.zero_grad()
        (places + SHAPE_WEIGHT * shapes).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        seen.append((float(places.detach()), float(shapes.detach())))
        if (step + 1) % CHECK_EVERY == 0 or step + 1 == steps:
            a, b = np.mean(seen[-CHECK_EVERY:], 0)
            c, d = checked(net, check)
            spent = time.process_time() - started
            print(f"{step + 1}: places {a:+.4f}, shapes {b:.4f}; check {c:+.4f}, {d:.4f}; {spent:.0f} s", flush=True)
    return net


@torch.no_grad()
def checked(net: Network, check: Pairs) -> tuple[float, float]:
    """Losses on pairs that are not trained on."""
    rows = torch.arange(len(check.planes))
    places, shapes = losses(net.eval(), *turned_pairs(check, rows, (False, False, False)))
    return float(places), float(shapes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--check", nargs="+", type=Path, required=True)
    parser.add_argument("--crops", type=int, default=640)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--pairs", type=Path, help="kept here, and read from here if it exists")
    parser.add_argument("-o", "--output", type=Path, default=WEIGHTS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    names = ("planes", "pair", "place", "shape")
    if args.pairs and args.pairs.exists():
        with np.load(args.pairs) as kept:
            sets = [Pairs(*(torch.from_numpy(kept[f"{part}_{n}"]) for n in names)) for part in ("train", "check")]
    else:
        sets = [pairs_of(args.clips, args.crops, SEED), pairs_of(args.check, args.crops // 8, SEED + 1)]
        if args.pairs:
            parts = zip(("train", "check"), sets, strict=True)
            np.savez(args.pairs, **{f"{part}_{n}": getattr(s, n).numpy() for part, s in parts for n in names})
    assert sets[0].planes.shape[1] == PLANES
    net = train(*sets, args.steps)
    numbers = {name: value.numpy().astype(np.float16) for name, value in net.state_dict().items()}
    with args.output.open("wb") as file:
        np.savez_compressed(file, **numbers)
    print(f"{sum(v.size for v in numbers.values())} weights, {args.output.stat().st_size} bytes in {args.output}")


if __name__ == "__main__":
    main()
