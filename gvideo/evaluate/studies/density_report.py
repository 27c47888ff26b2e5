"""The density study as a page and as tables: the published table again, and every open question with its figure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from html import escape
from pathlib import Path

from gvideo.evaluate import tables
from gvideo.evaluate.report import plot
from gvideo.evaluate.report.page import document
from gvideo.evaluate.studies import density
from gvideo.evaluate.studies.density import (
    DensitySettings,
    Run,
    by_count,
    divergence,
    of_group,
    reversals,
    wanted_count,
)
from gvideo.evaluate.tables import Table, number

_SCHEDULES = ("constant", "decayed", "constant x10", "decayed x10", "decayed x10, 1/sqrt N")


def write_density(runs: Sequence[Run], settings: DensitySettings, problems: Sequence[str], folder: Path) -> Path:
    """Writes density.html and its tables; returns the page's path. Raises MediaError for a folder that cannot be."""
    parts = {
        "table": published_table(runs), "anomalies": anomaly_table(runs), "divergence": divergence_table(runs),
        "counts": count_table(runs), "runs": run_table(runs),
    }  # fmt: skip
    for name, table in parts.items():
        tables.write_tsv(folder / f"density_{name}.tsv", table)
    sections = [
        "<h1>How many Gaussians does a picture want?</h1>"
        f"<p>{sum(r.record is not None for r in runs)} fits of {settings.steps} steps, {settings.seeds} seeds. Loss: "
        "mean squared error of R'G'B' in 0..1; the published losses are of another kind, so improvements compare and "
        "losses do not.</p>",
        "<h3>The published table again: 64×64 gradient and checkerboard, constant rate 0.001, first seed</h3>",
        html_table(parts["table"]), _loss_chart(runs),
        "<h3>Do more Gaussians ever fit worse? Share of seeds in which the next count is worse</h3>",
        html_table(parts["anomalies"]),
        "<h3>Divergence: final loss over best loss, median</h3>", html_table(parts["divergence"]),
        "<h3>The count where one more Gaussian no longer pays its price, as share of the pixels</h3>",
        html_table(parts["counts"]),
        "<h3>The ten questions</h3><ol>" + "".join(f"<li>{escape(a)}</li>" for a in answers(runs)) + "</ol>",
        f"<h3>What went wrong</h3><ul>{''.join(f'<li>{escape(p)}</li>' for p in problems) or '<li>nothing</li>'}</ul>",
    ]  # fmt: skip
    page = folder / "density.html"
    page.write_text(document("How many Gaussians does a picture want?", sections))
    return page


def html_table(table: Table) -> str:
    """A table with its first row as heads."""
    head = "".join(f"<th>{escape(h)}</th>" for h in table[0])
    body = "".join(f"<tr>{''.join(f'<td>{escape(c)}</td>' for c in row)}</tr>" for row in table[1:])
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def published_table(runs: Sequence[Run]) -> Table:
    """The first study's columns, with the published improvement beside ours."""
    table: Table = [("N", "ratio", "pixels each", "best loss", "improvement", "published", "benefit per Gaussian",
                     "steps/s", "best at step", "at bounds")]  # fmt: skip
    mine = sorted((r for r in of_group(runs, "constant") if r.settings.seed == 0), key=lambda r: r.settings.num)
    published = dict(zip(density.PUBLISHED_COUNTS, density.PUBLISHED_LOSSES, strict=True))
    before: Run | None = None
    for run in mine:
        first, n, loss = mine[0].value("best_loss"), run.settings.num, run.value("best_loss")
        theirs = f"{100 * (1 - published[n] / density.PUBLISHED_LOSSES[0]):+.1f} %" if n in published else "–"
        gain = (before.value("best_loss") - loss) / (n - before.settings.num) if before else math.nan
        table.append((
            str(n), f"{100 * run.ratio:.2f} %", f"{1 / run.ratio:.1f}", f"{loss:.6f}",
            f"{100 * (1 - loss / first):+.1f} %", theirs, number(gain * 1e6, 1, sign=True) + "e-6" if before else "–",
            f"{run.value('steps_per_s'):.0f}", f"{run.value('best_step'):.0f}", f"{100 * run.value('at_bounds'):.0f} %",
        ))  # fmt: skip
        before = run
    return table


def anomaly_table(runs: Sequence[Run]) -> Table:
    """How often the next count is worse, by schedule."""
    columns = [(name, {(a, b): (worse, of) for a, b, worse, of in reversals(of_group(runs, name))})
               for name in _SCHEDULES]  # fmt: skip
    steps = list(dict.fromkeys(step for _, found in columns for step in found))
    table: Table = [("step", *(name for name, _ in columns))]
    for a, b in steps:
        cells = [found.get((a, b)) for _, found in columns]
        table.append((f"{a} → {b}", *(f"{c[0]} of {c[1]}" if c else "–" for c in cells)))
    return table


def divergence_table(runs: Sequence[Run]) -> Table:
    """Final by best loss and the median best loss, for every way of fitting."""
    table: Table = [("fit", "final / best", "worst", "median best loss", "steps/s", "runs")]
    for group in dict.fromkeys(r.group for r in runs if r.group != "sizes"):
        mine = of_group(runs, group)
        if mine:
            worst = max(r.value("final_loss") / max(r.value("best_loss"), 1e-12) for r in mine)
            shared = [r for r in mine if r.settings.num in _shared_counts(runs)]
            loss = statistics.median(r.value("best_loss") for r in shared or mine)
            speed = statistics.median(r.value("steps_per_s") for r in mine)
            table.append(
                (group, f"{divergence(mine):.2f}", f"{worst:.2f}", f"{loss:.6f}", f"{speed:.0f}", str(len(mine)))
            )
    return table


def _shared_counts(runs: Sequence[Run]) -> set[int]:
    """Counts that every way of fitting was tried with, so that their losses compare."""
    groups = dict.fromkeys(r.group for r in runs if r.group != "sizes")
    return set.intersection(*({r.settings.num for r in runs if r.group == g} for g in groups)) if groups else set()


def count_table(runs: Sequence[Run]) -> Table:
    """Wanted ratio by picture and size at three prices."""
    table: Table = [("picture", "side", *(f"price {p:g}" for p in density.PRICES))]
    mine = of_group(runs, "sizes")
    for name, side in dict.fromkeys((r.picture, r.side) for r in mine):
        here = [r for r in mine if (r.picture, r.side) == (name, side)]
        found = [wanted_count(here, price) for price in density.PRICES]
        cells = [f"{'' if reached else '> '}{100 * ratio:.2f} %" for ratio, reached in found]
        table.append((Path(name).name, str(side), *cells))
    return table


def run_table(runs: Sequence[Run]) -> Table:
    """Every run."""
    table: Table = [("group", "picture", "side", "N", "seed", "ratio", "best_loss", "best_step", "final_loss",
                     "steps_per_s", "at_bounds")]  # fmt: skip
    for r in runs:
        if r.record:
            values = (f"{r.value(k):.6g}" for k in ("best_loss", "best_step", "final_loss", "steps_per_s", "at_bounds"))
            table.append((r.group, Path(r.picture).name, str(r.side), str(r.settings.num), str(r.settings.seed),
                          f"{r.ratio:.5f}", *values))  # fmt: skip
    return table


def answers(runs: Sequence[Run]) -> list[str]:
    """The open questions of the first study, each with what was measured."""

    def worse(group: str, low: int, high: int) -> str:
        found = [(w, of) for a, b, w, of in reversals(of_group(runs, group)) if (a, b) == (low, high)]
        return f"{found[0][0]} of {found[0][1]} seeds" if found else "not run"

    def bounds(count: int) -> str:
        values = by_count(of_group(runs, "constant"), "at_bounds").get(count)
        return f"{100 * statistics.mean(values):.0f} %" if values else "not run"

    def median_loss(group: str) -> str:
        values = [r.value("best_loss") for r in of_group(runs, group) if r.settings.num in _shared_counts(runs)]
        return f"{statistics.median(values):.6f}" if values else "not run"

    sizes = of_group(runs, "sizes")

    def ratios(price: float, picture: str | None = None) -> str:
        keys = dict.fromkeys((r.picture, r.side) for r in sizes if picture in (None, r.picture))
        found = [wanted_count([r for r in sizes if (r.picture, r.side) == k], price) for k in keys]
        if not found:
            return "not run"
        values = [100 * ratio for ratio, _ in found]
        open_end = sum(not reached for _, reached in found)
        return f"{min(values):.2f} to {max(values):.2f} %" + (f" ({open_end} beyond the sweep)" if open_end else "")

    total = {g: (sum(w for _, _, w, _ in v), sum(n for _, _, _, n in v)) for g in _SCHEDULES
             if (v := reversals(of_group(runs, g)))}  # fmt: skip
    steps = "; ".join(f"{g}: {w} of {n}" for g, (w, n) in total.items())
    ten = ("rmsprop", "sgd", "lbfgs", "beta2 0.99", "decayed x10")
    return [
        f"Why is N = 40 worse than 35? It is worse in {worse('constant', 35, 40)} at a constant rate and in "
        f"{worse('decayed x10', 35, 40)} with decay. Gaussians at a bound of their scale: {bounds(35)} at 35, "
        f"{bounds(40)} at 40.",
        f"Why is N = 70 worse than 65? In {worse('constant', 65, 70)} at a constant rate, "
        f"{worse('decayed x10', 65, 70)} with decay. At a bound: {bounds(65)} and {bounds(70)}.",
        f"Do other seeds change the results? Steps to a higher count that made it worse, over all seeds: {steps}.",
        f"Does 1.5 % hold for other pictures? At a price of 0.4 the wanted ratio is {ratios(0.4)} over all.",
        f"Does the ratio scale with size? On the first picture alone: {ratios(0.4, density.FIRST)} over the sizes.",
        "Does it depend on content? At a price of 0.4: "
        + "; ".join(f"{Path(p).name} {ratios(0.4, p)}" for p in dict.fromkeys(r.picture for r in sizes)) + ".",
        "Would decay prevent divergence? Final over best loss, median: constant "
        f"{divergence(of_group(runs, 'constant')):.2f} (rate x10: {divergence(of_group(runs, 'constant x10')):.2f}), "
        f"decayed {divergence(of_group(runs, 'decayed')):.2f} (x10: {divergence(of_group(runs, 'decayed x10')):.2f}).",
        "Would other optimisers change the best count? Median best loss over the counts tried by all: "
        + "; ".join(f"{g} {median_loss(g)}" for g in ten) + ".",
        f"Would a better start remove the reversals? 35 → 40 worse in: random {worse('decayed x10', 35, 40)}, grid "
        f"{worse('grid start', 35, 40)}, k-means {worse('kmeans start', 35, 40)}; 65 → 70: random "
        f"{worse('decayed x10', 65, 70)}, grid {worse('grid start', 65, 70)}, k-means {worse('kmeans start', 65, 70)}. "
        f"Median best loss: random {median_loss('decayed x10')}, grid {median_loss('grid start')}, k-means "
        f"{median_loss('kmeans start')}.",
        "What should the automatic count be? The one where another Gaussian saves less squared error than it costs: "
        + "; ".join(f"price {p:g}: {ratios(p)}" for p in density.PRICES)
        + ". No fixed ratio gives that: it depends on content and on the price, so growth has to stop by gain.",
    ]  # fmt: skip


def _loss_chart(runs: Sequence[Run]) -> str:
    lines, legend = [], []
    for k, group in enumerate(_SCHEDULES):
        losses = by_count(of_group(runs, group), "best_loss")
        points = [(float(n), statistics.median(v) * 1000) for n, v in losses.items()]
        lines.append(plot.Line(group, points, f"c{k}", strong=group == "constant"))
        legend.append(f'<span><i class="k c{k}"></i>{escape(group)}</span>')
    chart = plot.line_chart(lines, "Gaussians (64×64)", "best loss × 1000, median over seeds", width=560)
    return f'<p class="legend">{"".join(legend)}</p><figure>{chart}</figure>'
