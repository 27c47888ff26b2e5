"""What becomes of Gaussians on their way to bits, apart from the project's quantiser."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch

from gvideo.evaluate.studies.techniques.base import Technique, Values, technique
from gvideo.evaluate.studies.techniques.coded import Coded
from gvideo.model.steps import MAX_SCALE_BITS
from gvideo.types import Float64, Int64


@technique
class SnappedShapes(Technique):
    """Shapes snapped to a codebook, lossily: index, then what is left of it in coarse steps, zero for most.

    bits: codebook + entropy of the indices + entropy of the residuals, in place of those of scale, ratio and angle
    """

    name, kind = "vq-snapping", "coding"
    about = "log-scales and angle as an index into a codebook of 24 and a residual in twice the usual steps"
    ENTRIES, STEPS, ENTRY_BITS = 24, 2.0, 24
    REPLACED = ("scale", "ratio", "angle")

    def code(self, coded: Coded, values: Values) -> Coded:
        f = coded.fields
        # as a matrix logarithm, so that near shapes have near vectors whatever their angle
        mean, half = f.log_scale.mean(1), (f.log_scale[:, 0] - f.log_scale[:, 1]) / 2
        vectors = torch.stack([mean, half * (2 * f.angle).cos(), half * (2 * f.angle).sin()], 1).numpy()
        entries, index = clusters(vectors, min(self.ENTRIES, len(vectors)))
        precision = coded.quantised.precision.numpy()
        step = self.STEPS * np.log(2) * np.exp2(-np.minimum(precision, MAX_SCALE_BITS))[:, None]
        levels = np.round((vectors - entries[index]) / step).astype(np.int64)
        snapped = torch.from_numpy((entries[index] + step * levels).astype(np.float32))
        m, p, q = snapped.unbind(1)
        root = (p * p + q * q).sqrt()
        fields = replace(f, log_scale=torch.stack([m + root, m - root], 1), angle=0.5 * torch.atan2(q, p) % torch.pi)
        more = len(entries) * self.ENTRY_BITS + entropy_bits(index)
        more += sum(entropy_bits(column) for column in levels.T)
        bits = {name: 0.0 if name in self.REPLACED else b for name, b in coded.bits.items()}
        return replace(coded, fields=fields, bits=bits, more=coded.more + more)


def clusters(vectors: np.ndarray, count: int) -> tuple[Float64, Int64]:
    """(entries [count,D], index i64 [N]) by k-means."""
    cv2.setRNGSeed(1)
    labels = np.zeros((len(vectors), 1), np.int32)
    criteria = (cv2.TERM_CRITERIA_MAX_ITER, 20, 0.0)
    found = cv2.kmeans(vectors.astype(np.float32), count, labels, criteria, 2, cv2.KMEANS_PP_CENTERS)
    return np.asarray(found[2], np.float64), np.asarray(found[1][:, 0], np.int64)


def entropy_bits(symbols: Int64) -> float:
    """Bits of symbols by their own entropy, and log2 N for each kind that must be told."""
    counts = np.unique(symbols, return_counts=True)[1]
    told = len(counts) * np.log2(max(len(symbols), 2)) if len(counts) > 1 else 0.0
    return float(-(counts * np.log2(counts / len(symbols))).sum() + told)
