"""Still images: pictures as videos of one frame, against JPEG, JPEG 2000, x265 intra and AVIF.

    picture.png --codec--> file --decoder--> R'G'B' 8 bit --> RGB-PSNR, and Y-PSNR, SSIM, MS-SSIM of its BT.601 luma

All figures are of R'G'B' pictures, as in the literature on these images, so conversion to Y'CbCr and 4:2:0 is part of
each codec's loss. Bytes are whole files: JPEG optimised and progressive, JPEG 2000 codestream, Annex B of x265 without
its information, AVIF with its boxes (about 300 bytes), .gsv.
"""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import ffmpeg
import numpy as np
import PIL
from PIL import Image, features

from gvideo.decoder.video_decoder import VideoDecoder
from gvideo.encoder.jobs.encode import encode as encode_file
from gvideo.errors import GVideoError, MediaError
from gvideo.evaluate import bd, metrics, own
from gvideo.evaluate import ffmpeg as program
from gvideo.evaluate.cache import CacheEntry, key_of
from gvideo.types import Float64, UInt8

#: Changes with every change of what the other codecs do.
_CODECS_VERSION = 2
IMAGE_METRICS = ("rgb_psnr_db", "y_psnr_db", "ssim", "ms_ssim")


@dataclass(frozen=True, slots=True)
class ImageCodec:
    """An image codec: its qualities from worst to best, and how to write a picture and read it back."""

    name: str
    label: str
    qualities: tuple[float, ...]
    suffix: str
    encode: Callable[[Path, Path, float], None]
    decode: Callable[[Path], UInt8]


@dataclass(frozen=True, slots=True)
class ImagePoint:
    """A picture through a codec at a quality."""

    image: str
    codec: str
    quality: float
    num_bytes: int
    bits_per_pixel: float
    values: dict[str, float]
    encode_s: float


def _read(path: Path) -> UInt8:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _jpeg(source: Path, target: Path, quality: float) -> None:
    with Image.open(source) as image:
        image.convert("RGB").save(target, "JPEG", quality=int(quality), optimize=True, progressive=True)


def _jpeg2000(source: Path, target: Path, quality: float) -> None:
    """quality: compression ratio against 24 bits."""
    with Image.open(source) as image:
        image.convert("RGB").save(
            target,
            "JPEG2000",
            quality_mode="rates",
            quality_layers=[quality],
            irreversible=True,
            no_jp2=True,
            mct=1,  # without the colour transform, which is not the default, it loses 4 dB
        )


def _avif(source: Path, target: Path, quality: float) -> None:
    with Image.open(source) as image:
        image.convert("RGB").save(target, "AVIF", quality=int(quality), speed=4)


def _x265(source: Path, target: Path, quality: float) -> None:
    graph = ffmpeg.input(str(source)).filter("scale", out_color_matrix="bt601", out_range="tv", flags="accurate_rnd")
    options = {"c:v": "libx265", "preset": "veryslow", "tune": "psnr", "crf": f"{quality:g}", "pix_fmt": "yuv420p"}
    options["x265-params"] = "keyint=1:info=0:log-level=error"
    program.run(graph.output(str(target), **options))


def _read_x265(path: Path) -> UInt8:
    with tempfile.TemporaryDirectory(prefix="gvideo-eval-") as folder:
        picture = Path(folder) / "decoded.png"
        graph = ffmpeg.input(str(path)).filter("scale", in_color_matrix="bt601", flags="accurate_rnd+full_chroma_int")
        program.run(graph.output(str(picture), pix_fmt="rgb24", vframes=1))
        return _read(picture)


def _gvideo(preset: str) -> Callable[[Path, Path, float], None]:
    def encode(source: Path, target: Path, quality: float) -> None:
        encode_file(source, target, crf=quality, preset=preset, workers=1, device="cpu")

    return encode


def _read_gvideo(path: Path) -> UInt8:
    decoder = VideoDecoder(path, dimension_order="NHWC", grain=False)
    picture = decoder.get_frame_at(0).data
    decoder.close()
    return picture


def image_codecs(preset: str = "medium", crfs: Sequence[float] = (24, 30, 36, 42)) -> list[ImageCodec]:
    """The codecs of a comparison, gvideo first, as far as this Pillow and this ffmpeg have them."""
    codecs = [
        ImageCodec(
            "gvideo", f"gvideo {preset}", tuple(sorted(crfs, reverse=True)), ".gsv", _gvideo(preset), _read_gvideo
        ),
        ImageCodec("jpeg", "JPEG", (5, 10, 20, 35, 55, 75), ".jpg", _jpeg, _read),
        ImageCodec("avif", "AVIF speed 4", (5, 15, 25, 40, 55), ".avif", _avif, _read),
        ImageCodec("jpeg2000", "JPEG 2000", (240, 120, 80, 48, 24, 14), ".j2k", _jpeg2000, _read),
        ImageCodec("x265", "x265 intra veryslow", (51, 46, 42, 38, 34, 30, 26), ".hevc", _x265, _read_x265),
    ]
    have = {
        "gvideo": True, "jpeg": bool(features.check("jpg")), "avif": bool(features.check("avif")),
        "jpeg2000": bool(features.check("jpg_2000")), "x265": "libx265" in program.encoders(),
    }  # fmt: skip
    return [c for c in codecs if have[c.name]]


def measure_image(source: UInt8, decoded: UInt8) -> dict[str, float]:
    """Figures of two pictures u8 [H,W,3]."""
    if source.shape != decoded.shape:
        raise GVideoError(f"a picture of {decoded.shape} was decoded, {source.shape} encoded")
    a, b = source.astype(np.float64), decoded.astype(np.float64)
    luma_a, luma_b = _luma(a), _luma(b)
    codes_a, codes_b = (np.round(luma).astype(np.uint8) for luma in (luma_a, luma_b))
    return {
        "rgb_psnr_db": metrics.psnr_db(float(np.square(a - b).mean())),
        "y_psnr_db": metrics.psnr_db(float(np.square(luma_a - luma_b).mean())),
        "ssim": metrics.ssim(codes_a, codes_b),
        "ms_ssim": metrics.ms_ssim(codes_a, codes_b),
    }


def _luma(rgb: Float64) -> Float64:
    return np.asarray(rgb @ np.array([0.299, 0.587, 0.114]), np.float64)


def image_point(image: Path, codec: ImageCodec, quality: float, root: Path) -> ImagePoint:
    """A measured point, from the cache where it is known. Raises GVideoError for a picture that cannot be coded."""
    try:
        data = image.read_bytes()
        source = _read(image)
    except OSError as error:
        raise MediaError(f"{image}: cannot be read as a picture ({error})") from error
    version = own.code_version() if codec.name == "gvideo" else f"{PIL.__version__} {program.version()}"
    entry = CacheEntry(
        root, key_of(data, codec.name, codec.label, quality, version, metrics.METRICS_VERSION, _CODECS_VERSION)
    )
    record = entry.load("image.json")
    if record is None:
        target = entry.path("stream" + codec.suffix)
        partial = target.with_name("partial-" + target.name)
        started = time.perf_counter()
        codec.encode(image, partial, quality)
        seconds = time.perf_counter() - started
        os.replace(partial, target)
        values = measure_image(source, codec.decode(target))
        record = {"num_bytes": target.stat().st_size, "values": values, "encode_s": seconds}
        entry.store("image.json", record)
    size = int(record["num_bytes"])
    pixels = source.shape[0] * source.shape[1]
    return ImagePoint(
        image.name, codec.label, quality, size, 8 * size / pixels, record["values"], float(record["encode_s"])
    )


def compare_images(points: Sequence[ImagePoint], test: str) -> list[tuple[str, str, str, bd.Delta]]:
    """(image, anchor, metric, BD-rate of `test` against it) of everything that was measured."""
    rows = []
    images, codecs = dict.fromkeys(p.image for p in points), dict.fromkeys(p.codec for p in points)
    for image in images:
        for anchor in codecs:
            for metric in IMAGE_METRICS if anchor != test else ():
                curves = []
                for codec in (anchor, test):
                    mine = [p for p in points if p.image == image and p.codec == codec]
                    curves.append([(float(p.num_bytes), _axis(metric, p.values[metric])) for p in mine])
                rows.append((image, anchor, metric, bd.bd_rate(curves[0], curves[1])))
    return rows


def _axis(metric: str, value: float) -> float:
    return -10 * math.log10(max(1 - value, 1e-10)) if "ssim" in metric else value
