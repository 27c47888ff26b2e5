"""experiments on the fit: how many Gaussians a picture wants, parameter sweeps, techniques of the field

    gvideo study density [--quick] [--images FILE…] [--report DIR]        how many Gaussians a picture wants
    gvideo study sweep SPEC.yaml [--report DIR]                            any grid of parameters
    gvideo study techniques [NAMES] [--clips FILE…] [--report DIR]         each technique against the default

Exit code 2 when nothing could be measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from gvideo.commands.terminal.console import console
from gvideo.errors import GVideoError, OptionError
from gvideo.processors import num_processors


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `gvideo study`."""
    kinds = parser.add_subparsers(required=True, metavar="STUDY")
    density = kinds.add_parser("density", help="how many Gaussians a picture wants")
    density.add_argument("--images", nargs="+", default=[], metavar="FILE", help="pictures or clips (first frame) too")
    density.add_argument("--sizes", default="32,64,128", metavar="LIST", help="longer sides, px (default %(default)s)")
    density.add_argument("--steps", type=int, default=4000, metavar="N", help="of every fit (default %(default)s)")
    density.add_argument("--seeds", type=int, default=5, metavar="N", help="how many (default %(default)s)")
    density.add_argument(
        "--quick", action="store_true", help="few counts, sizes and steps: a minute instead of an hour"
    )
    density.set_defaults(study=_density)
    sweep = kinds.add_parser("sweep", help="a grid of parameters over clips")
    sweep.add_argument(
        "spec", type=Path, metavar="SPEC.yaml", help="what to run (see gvideo/evaluate/studies/sweep.py)"
    )
    sweep.set_defaults(study=_sweep)
    techniques = kinds.add_parser("techniques", help="each technique against the default, at equal time and bytes")
    techniques.add_argument("names", nargs="*", metavar="NAME", help="which (default all; a wrong one lists them)")
    techniques.add_argument("--clips", nargs="+", metavar="FILE", help="pictures and clips (default made ones)")
    techniques.add_argument("--seeds", type=int, default=2, metavar="N", help="how many (default %(default)s)")
    techniques.add_argument("--steps", type=int, default=400, metavar="N", help="of every fit (default %(default)s)")
    techniques.set_defaults(study=_techniques)
    for one in (density, sweep, techniques):
        one.add_argument("--report", type=Path, default=Path("study"), metavar="DIR", help="its folder (default study)")
        one.add_argument("--workers", type=int, default=num_processors(), metavar="N", help="processes")
        one.add_argument("--cache", type=Path, metavar="DIR", help="where results are kept for the next run")


def run(args: argparse.Namespace) -> None:
    """Runs the chosen study."""
    args.study(args)


def _density(args: argparse.Namespace) -> None:
    from gvideo.commands.eval import ClipProgressLine
    from gvideo.evaluate.cache import default_root
    from gvideo.evaluate.studies import density
    from gvideo.evaluate.studies.density_report import answers, write_density

    try:
        sides = tuple(int(s) for s in args.sizes.split(","))
        pictures = (*density.DensitySettings().pictures, *args.images)
        settings = density.DensitySettings(steps=args.steps, seeds=args.seeds, pictures=pictures, sides=sides)
        if args.quick:
            settings = density.DensitySettings(
                600, 2, (density.FIRST, "texture", *args.images), (32, 64), (20, 35, 40, 65, 70, 100),
                (0.005, 0.015, 0.03, 0.06),
            )  # fmt: skip
    except ValueError as error:
        raise OptionError(f"--sizes {args.sizes}: whole numbers with commas between them wanted") from error
    with ClipProgressLine() as line:
        runs, problems = density.run_density(settings, args.cache or default_root(), args.workers, line.show)
        page = write_density(runs, settings, problems, args.report) if any(r.record for r in runs) else None
    _tell_problems(problems, page)
    for number, answer in enumerate(answers(runs), 1):
        print(f"{number:2d}. {answer}")
    print(page)


def _sweep(args: argparse.Namespace) -> None:
    from gvideo.commands.eval import ClipProgressLine
    from gvideo.evaluate.cache import default_root
    from gvideo.evaluate.studies.sweep import read_spec, run_sweep
    from gvideo.evaluate.studies.sweep_report import summary, write_sweep

    with ClipProgressLine() as line:
        spec = read_spec(args.spec)
        runs, problems = run_sweep(spec, args.cache or default_root(), args.workers, line.show)
        page = write_sweep(spec, runs, problems, args.report) if runs else None
    _tell_problems(problems, page)
    print(summary(spec, runs))
    print(page)


def _techniques(args: argparse.Namespace) -> None:
    from gvideo.commands.eval import ClipProgressLine
    from gvideo.evaluate.cache import default_root
    from gvideo.evaluate.studies.techniques.report import summary, write_techniques
    from gvideo.evaluate.studies.techniques.study import TechniqueSettings, run_techniques

    clips = tuple(args.clips or TechniqueSettings().clips)
    settings = TechniqueSettings(tuple(args.names), clips, args.steps, args.seeds)
    try:
        with ClipProgressLine() as line:
            runs, problems = run_techniques(settings, args.cache or default_root(), args.workers, line.show)
            page = write_techniques(runs, settings, problems, args.report) if runs else None
    except KeyboardInterrupt:
        raise KeyboardInterrupt("; the same command goes on where it stopped") from None
    _tell_problems(problems, page)
    print(summary(runs))
    print(page)


def _tell_problems(problems: Sequence[str], page: Path | None) -> None:
    """Says what went wrong, a line each. Raises GVideoError if nothing came out, and so there is no page."""
    for problem in problems:
        console.say("note", f"gvideo study: {problem}")
    if page is None:
        raise GVideoError("nothing could be measured")
