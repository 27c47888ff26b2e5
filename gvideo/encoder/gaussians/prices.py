"""What symbols really cost, measured by the counting visit of the entropy coder while training goes on.

Training charges a share of these prices (FitSettings.price_share): the straight-through gradient acts on an amplitude
long before it reaches zero, so the full price would drive out Gaussians that pay.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gvideo.entropy.attributes import ATTRIBUTES
from gvideo.entropy.segment import count_bits
from gvideo.entropy.sequence import SequenceState
from gvideo.model import symbols as sym
from gvideo.model.symbols import SegmentSymbols

#: Paid by every Gaussian, whatever its amplitudes.
_FIXED = ("cell", "precision", "scale", "ratio", "angle", "life", "centre", "trajectory", "position")
#: A price is believed if so many symbols stand behind it.
_ENOUGH = 50


@dataclass(frozen=True, slots=True)
class SymbolPrices:
    """Bits: of a Gaussian apart from amplitudes and residual motion; of a chroma amplitude that is not zero; of a
    residual coefficient that is not zero. The values are those of a typical segment, for as long as none is measured.
    """

    existence: float = 39.0
    chroma: float = 6.0
    residual: float = 11.0


def measure(symbols: SegmentSymbols, state: SequenceState, width: int, height: int, num_frames: int) -> SymbolPrices:
    """Prices in a segment's symbols, counted from the start states."""
    bits = dict(zip(ATTRIBUTES, count_bits(symbols, state, width, height, num_frames), strict=True))
    typical, count = SymbolPrices(), len(symbols.table)
    num_chroma = int(np.count_nonzero(symbols.table[:, sym.BLUE : sym.RED + 1]))
    num_residual = int(np.count_nonzero(symbols.residual))
    return SymbolPrices(
        sum(float(bits[name]) for name in _FIXED) / count if count >= _ENOUGH else typical.existence,
        float(bits["chroma"]) / num_chroma if num_chroma >= _ENOUGH else typical.chroma,
        float(bits["residual"]) / num_residual if num_residual >= _ENOUGH else typical.residual,
    )
