"""Streams and frames as notebooks show them: a small picture beside what is known, in HTML."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np

#: Longest side of a thumbnail, px.
SIDE = 240


def thumbnail_shape(width: int, height: int) -> tuple[int, int]:
    """(height, width) of a thumbnail, px."""
    scale = min(1.0, SIDE / max(width, height))
    return max(1, round(height * scale)), max(1, round(width * scale))


def card(picture: Any, rows: Iterable[tuple[str, object]]) -> str:
    """A table of (name, value) beside a picture: R'G'B' u8 or f32 in 0..1, [3,H,W] or [H,W,3], array or tensor."""
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in rows)
    style = "display:flex;gap:1em;align-items:center"
    return f'<div style="{style}"><img src="{_data_url(picture)}"><table>{cells}</table></div>'


def _data_url(picture: Any) -> str:
    from PIL import Image

    pixels = np.asarray(picture)
    if pixels.shape[-1] != 3:
        pixels = pixels.transpose(1, 2, 0)
    if pixels.dtype != np.uint8:
        pixels = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((SIDE, SIDE))
    data = io.BytesIO()
    image.save(data, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
