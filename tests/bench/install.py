"""What installs of gvideo take: seconds, packages and MB of an empty environment after `pip install gvideo[EXTRA]`.

    python tests/bench/install.py [--extras ,encode,server] [--out docs/results/install.tsv]

Builds a wheel of the working tree and installs it, once for each extra, into a new environment. Packages come from the
indexes that pip is set to, without pip's cache (--cache to use it), so that seconds are those of a first install over
this network. torch is what the index gives; `--torch torch==2.13.0+cpu` installs another one first, in the same time.
Then each environment has to say its version, to decode a stream twice, and to encode one or to name the extra it lacks.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import venv
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
STREAM = ROOT / "tests" / "golden" / "shapes.gsv"
COLUMNS = ("install", "packages", "MB", "install_s", "version_s", "first_decode_s", "next_decode_s", "encode")


def run(*words: str | Path, check: bool = True) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Seconds of a command, and what it said; what is set for the caller's Python does not reach it."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    begun = time.perf_counter()
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, check=False, env=environment)
    if check and done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}: {done.stderr.strip()[-2000:]}")
    return time.perf_counter() - begun, done


def measure(wheel: Path, extra: str, folder: Path, pip_options: list[str], torch: str) -> list[str]:
    """A row of the table."""
    home = folder / (extra or "light")
    venv.create(home, with_pip=True)
    python, gvideo = home / "bin" / "python", home / "bin" / "gvideo"
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *pip_options]
    packages = next((home / "lib").glob("python*/site-packages"))
    before, names = size_of(packages), len(list(packages.glob("*.dist-info")))
    seconds = run(*pip, torch)[0] if torch and extra in ("encode", "eval", "all", "cuda") else 0.0
    seconds += run(*pip, f"{wheel}[{extra}]" if extra else wheel)[0]
    megabytes = (size_of(packages) - before) / 1e6
    count = len(list(packages.glob("*.dist-info"))) - names
    start, _ = run(gvideo, "--version")
    first, _ = run(gvideo, "decode", STREAM, "-o", home / "out.mkv")
    following, _ = run(gvideo, "decode", STREAM, "-o", home / "out.mkv")
    _, encoded = run(gvideo, "encode", home / "out.mkv", "-o", home / "out.gsv", "--preset", "fast", check=False)
    answer = "works" if encoded.returncode == 0 else encoded.stderr.strip().splitlines()[-1].rpartition("; ")[2]
    return [
        f"gvideo[{extra}]" if extra else "gvideo", str(count), f"{megabytes:.0f}", f"{seconds:.0f}", f"{start:.2f}",
        f"{first:.2f}", f"{following:.2f}", answer,
    ]  # fmt: skip


def size_of(folder: Path) -> int:
    """Bytes of the files below a folder, compiled Python included."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def main() -> None:
    """Measures and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extras", default=",encode", help="with commas between them; nothing: the light install")
    parser.add_argument("--torch", default="", help="a requirement of torch to install first")
    parser.add_argument("--cache", action="store_true", help="let pip use its cache")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "install.tsv")
    arguments = parser.parse_args()
    options = [] if arguments.cache else ["--no-cache-dir"]
    with tempfile.TemporaryDirectory(prefix="gvideo-install-") as name:
        folder = Path(name)
        run(sys.executable, "-m", "build", "--wheel", "--outdir", folder / "wheel", ROOT)
        (wheel,) = (folder / "wheel").glob("*.whl")
        rows = [measure(wheel, extra, folder, options, arguments.torch) for extra in arguments.extras.split(",")]
        load = os.getloadavg()[0]
        version = wheel.name.split("-")[1]
        head = (
            f"# gvideo {version}, wheel of {wheel.stat().st_size / 1e6:.2f} MB; Python {sys.version.split()[0]}; "
            f"{'with' if arguments.cache else 'without'} pip's cache; {arguments.torch or 'torch of the index'}; "
            f"{datetime.now(UTC):%Y-%m-%d}; {os.cpu_count()} cores, load {load:.1f}"
        )
    lines = [head, "\t".join(COLUMNS), *("\t".join(row) for row in rows)]
    partial = arguments.out.with_name(f"{arguments.out.name}.partial")
    partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
    partial.replace(arguments.out)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
