"""A sweep as a page, as CSV (one row a run) and as text: ranking, winners, heat maps, convergence, agreement.

score of a combination on a clip = mean over figures of (value - least) / (greatest - least) on that clip, 0 is best
combined score = mean over clips and seeds
convergence: steps until the least loss so far has made 90, 95, 99 % of the way from the first to the least
agreement: Spearman's rank correlation of the order by training loss with the order by ground truth
"""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from scipy import stats

from gvideo.errors import MediaError
from gvideo.evaluate.report import plot
from gvideo.evaluate.report.page import document
from gvideo.evaluate.studies.density_report import html_table
from gvideo.evaluate.studies.sweep import COMPARED, Spec, SweepRun
from gvideo.evaluate.tables import Table, write_tsv

_SHARES = (0.90, 0.95, 0.99)
Combination = tuple[Any, ...]


def scores(spec: Spec, runs: Sequence[SweepRun], figures: Sequence[str] = ()) -> dict[tuple[str, Combination], float]:
    """(clip, combination) -> score 0..1, lower is better, over the figures (all compared ones if none is given)."""
    found: dict[tuple[str, Combination], list[float]] = {}
    for figure in figures or COMPARED[spec.kind]:
        for clip in dict.fromkeys(r.clip for r in runs):
            mine = [r for r in runs if r.clip == clip]
            low, high = min(r.values[figure] for r in mine), max(r.values[figure] for r in mine)
            for r in mine:
                share = (r.values[figure] - low) / (high - low) if high > low else 0.0
                found.setdefault((clip, r.combination), []).append(share)
    return {key: statistics.mean(values) for key, values in found.items()}


def ranking(spec: Spec, runs: Sequence[SweepRun], figures: Sequence[str] = ()) -> list[tuple[Combination, float]]:
    """Combinations by their score over all clips, best first."""
    by_combination: dict[Combination, list[float]] = {}
    for (_, combination), score in scores(spec, runs, figures).items():
        by_combination.setdefault(combination, []).append(score)
    return sorted(((c, statistics.mean(v)) for c, v in by_combination.items()), key=lambda x: x[1])


def winners(spec: Spec, runs: Sequence[SweepRun]) -> dict[str, Combination]:
    """Clip -> its best combination."""
    best: dict[str, tuple[float, Combination]] = {}
    for (clip, combination), score in scores(spec, runs).items():
        if clip not in best or score < best[clip][0]:
            best[clip] = (score, combination)
    return {clip: combination for clip, (_, combination) in best.items()}


def convergence(run: SweepRun, share: float) -> int | None:
    """Steps until the rolling minimum of the loss has made that share of its way; None without a curve."""
    if len(run.curve) < 2:
        return None
    first = run.curve[0][1]
    least = min(loss for _, loss in run.curve)
    reached = math.inf
    for step, loss in run.curve:
        reached = min(reached, loss)
        if first - reached >= share * (first - least):
            return step + 1
    return None


def agreement(spec: Spec, runs: Sequence[SweepRun]) -> tuple[float, list[Combination], list[Combination]]:
    """(rank correlation, order by training loss, order by ground truth)."""
    training = [c for c, _ in ranking(spec, runs, COMPARED[spec.kind][:1])]
    truth = [c for c, _ in ranking(spec, runs, ("truth_loss",))]
    if len(training) < 3:
        return math.nan, training, truth
    found = stats.spearmanr(range(len(training)), [truth.index(c) for c in training])
    return float(found.statistic), training, truth


def text_of(spec: Spec, combination: Combination) -> str:
    """The values of a combination with their names."""
    return ", ".join(f"{name} {value}" for name, value in zip(spec.parameters, combination, strict=True))


def ranking_table(spec: Spec, runs: Sequence[SweepRun]) -> Table:
    """Every combination with its rank and score, and its ranks by every figure alone."""
    alone = {f: [c for c, _ in ranking(spec, runs, (f,))] for f in COMPARED[spec.kind]}
    table: Table = [("rank", *spec.parameters, "combined score", *(f"rank by {f}" for f in alone))]
    for place, (combination, score) in enumerate(ranking(spec, runs), 1):
        others = (str(order.index(combination) + 1) for order in alone.values())
        table.append((str(place), *map(str, combination), f"{score:.3f}", *others))
    return table


def convergence_table(runs: Sequence[SweepRun]) -> Table:
    """Median and greatest steps for every share, and the recommendation: the 99 % of nine runs in ten."""
    table: Table = [("share of the gain", "median steps", "nine in ten", "most")]
    for share in _SHARES:
        steps = sorted(s for r in runs if (s := convergence(r, share)) is not None)
        if steps:
            ninth = steps[min(len(steps) - 1, math.ceil(0.9 * len(steps)) - 1)]
            table.append((f"{100 * share:.0f} %", f"{statistics.median(steps):.0f}", str(ninth), str(steps[-1])))
    return table


def summary(spec: Spec, runs: Sequence[SweepRun]) -> str:
    """The findings as lines."""
    best, score = ranking(spec, runs)[0]
    correlation, training, truth = agreement(spec, runs)
    lines = [f"{len(runs)} runs; best of all: {text_of(spec, best)} (combined score {score:.3f})"]
    lines += [f"best for {clip}: {text_of(spec, c)}" for clip, c in winners(spec, runs).items()]
    lines.append(f"by training loss: {text_of(spec, training[0])}; by ground truth: {text_of(spec, truth[0])}; "
                 f"rank correlation {correlation:+.2f} ({_verdict(correlation)})")  # fmt: skip
    lines += [f"{row[0]} of the gain: {row[1]} steps (median), {row[2]} in nine runs of ten"
              for row in convergence_table(runs)[1:]]  # fmt: skip
    return "\n".join(lines)


def _verdict(correlation: float) -> str:
    if math.isnan(correlation):
        return "too few combinations to say"
    return "they agree" if correlation > 0.7 else "they agree in part" if correlation > 0.3 else "they do not agree"


def write_sweep(spec: Spec, runs: Sequence[SweepRun], problems: Sequence[str], folder: Path) -> Path:
    """Writes sweep.html, runs.csv and ranking.tsv; returns the page's path. Raises MediaError."""
    table = ranking_table(spec, runs)
    write_tsv(folder / "ranking.tsv", table)
    try:
        with (folder / "runs.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            figures = sorted({name for r in runs for name in r.values})
            steps = [f"steps_{100 * s:.0f}" for s in _SHARES]
            writer.writerow(["clip", "seed", *spec.parameters, *figures, *steps])
            for r in runs:
                measured = [r.values.get(f, "") for f in figures]
                writer.writerow([r.clip, r.seed, *r.combination, *measured, *(convergence(r, s) for s in _SHARES)])
    except OSError as error:
        raise MediaError(f"{folder}: cannot be written ({error.strerror or error})") from error
    won = winners(spec, runs)
    counts: dict[Combination, int] = {}
    for combination in won.values():
        counts[combination] = counts.get(combination, 0) + 1
    distribution: Table = [("combination", "clips won", "share", "which")]
    for combination, count in sorted(counts.items(), key=lambda x: -x[1]):
        clips = ", ".join(clip for clip, c in won.items() if c == combination)
        distribution.append((text_of(spec, combination), str(count), f"{100 * count / len(won):.0f} %", clips))
    steps_table = convergence_table(runs)
    sections = [
        f"<h1>Sweep of {escape(', '.join(spec.parameters))}</h1><p>{len(runs)} runs: {len(spec.combinations())} "
        f"combinations, {len(won)} clips, {len(spec.seeds)} seeds. Scores are from 0 (best on its clip) to 1. Losses "
        "during training are of shifted pictures where the grid is shifted, which interpolation makes smoother: a "
        "large offset flatters best_loss. final_loss and truth_loss are of the picture itself.</p>",
        f"<ul>{''.join(f'<li>{escape(k)}</li>' for k in summary(spec, runs).splitlines())}</ul>",
        "<h3>Ranking</h3>", html_table(table), "<h3>Winners</h3>", html_table(distribution),
        "<h3>Steps to converge</h3>",
        html_table(steps_table) if len(steps_table) > 1 else '<p class="note">Encodes report no loss by step.</p>',
        "<h3>Heat maps of the combined score</h3>", f'<div class="maps">{"".join(heat_maps(spec, runs))}</div>',
        f"<h3>What went wrong</h3><ul>{''.join(f'<li>{escape(p)}</li>' for p in problems) or '<li>nothing</li>'}</ul>",
    ]  # fmt: skip
    page = folder / "sweep.html"
    page.write_text(document("Parameter sweep", sections))
    return page


def heat_maps(spec: Spec, runs: Sequence[SweepRun]) -> list[str]:
    """The combined score over the first two parameters (others averaged): all clips, then each."""
    names = list(spec.parameters)
    rows = spec.parameters[names[0]]
    columns: Sequence[Any] = spec.parameters[names[1]] if len(names) > 1 else ("",)
    found = scores(spec, runs)
    title = names[0] + (f" (down) by {names[1]} (across)" if len(names) > 1 else "")
    clips = list(dict.fromkeys(r.clip for r in runs))
    maps = []
    for chosen, label in [(clips, "all clips"), *(([c], c) for c in clips)]:
        values: list[list[float | None]] = []
        for a in rows:
            line: list[float | None] = []
            for b in columns:
                cell = [s for (clip, c), s in found.items()
                        if clip in chosen and c[0] == a and (len(names) < 2 or c[1] == b)]  # fmt: skip
                line.append(statistics.mean(cell) if cell else None)
            values.append(line)
        maps.append(
            plot.heat_map(
                [str(a) for a in rows],
                [str(b) for b in columns],
                values,
                f"{label}: {title}" if chosen == clips else label,
            )
        )
    return maps
