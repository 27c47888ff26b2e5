"""What a user asks for and what it means for the fit: presets, and `--crf` as the allowed error per parameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gvideo.encoder.fitting.fit import FitSettings
from gvideo.encoder.tune import TUNES
from gvideo.errors import OptionError

_FAST = replace(
    FitSettings(),
    growth_gain=30.0,
    growth_frames=16,
    round_steps=24,
    last_round=4.0,
    growth_rate=2.2,
    train_steps=1000,
    train_rate=3.0,
    frames_per_step=3,
    price_ramp=0.2,
    residual_motion=False,
)

_VERYFAST = replace(
    _FAST, most_effort=1.0, growth_gain=60.0, round_steps=12, growth_rate=3.0, train_steps=400, train_rate=4.0
)
_SLOW = replace(FitSettings(), round_steps=90, train_steps=7500, train_rate=1.5, max_rounds=18, last_round=4.0)


@dataclass(frozen=True, slots=True)
class Preset:
    """What a preset fits with. fit: as it is up to the header's distortion first_fine; fine: what its fields are from
    last_fine on, and in proportion between (a larger distortion is a finer one)."""

    fit: FitSettings
    fine: Mapping[str, float] = field(default_factory=dict)
    first_fine: int = 0
    last_fine: int = 1

    def at(self, distortion: int) -> FitSettings:
        """The settings at a header's distortion, from 0 to 255."""
        share = min(max((distortion - self.first_fine) / (self.last_fine - self.first_fine), 0.0), 1.0)
        values = {name: (1 - share) * getattr(self.fit, name) + share * value for name, value in self.fine.items()}
        if "train_steps" in values:
            values["train_steps"] = round(values["train_steps"])
        return replace(self.fit, **values)


#: Short fits want few steps at high rates where pictures are coarse, more at low rates where they are fine: `veryfast`
#: on foreman at crf 18 ends at 39.6 dB, and at 39.7 with a finer D and 27 % more bytes, but at 40.2 with these and 4 %
#: more. Figures of `fast`: docs/techniques.md.
PRESETS: dict[str, Preset] = {
    "veryfast": Preset(_VERYFAST, {"train_steps": 600, "train_rate": 2.5}, 117, 145),  # crf 26 to 18
    "fast": Preset(_FAST, {"train_steps": 1500, "train_rate": 2.0, "growth_gain": 60.0}, 87, 122),  # crf 34 to 24
    "medium": Preset(FitSettings()),
    "slow": Preset(_SLOW),
}

#: What the first pass of two fits with.
FASTEST = "fast"

#: `--crf` to distortion (eighths of an octave of 1/D), set so that the mean Y-PSNR equals x264's at the same number;
#: short fits reach less at the same D and are given a lower one.
CRF_ANCHOR, CRF_DISTORTION, CRF_SLOPE = 36.0, 76.0, 3.5
PRESET_DISTORTION = {"veryfast": 6.0, "fast": 4.0}
MAX_CRF = 63.0
#: What applies where nothing is asked for.
DEFAULT_CRF = 34.0
#: As many layers as the syntax has.
MAX_LAYERS = 8


@dataclass(frozen=True, slots=True)
class EncodeSettings:
    """Everything that decides a stream's bytes, given its frames. segment_seconds: longest segment. layers: of every
    segment, each prefix of them a picture. grain: noise that the pictures lack is measured and described. tune: the
    measure that is served, see encoder/tune.py."""

    crf: float = DEFAULT_CRF
    preset: str = "medium"
    segment_seconds: float = 2.0
    seed: int = 0
    layers: int = 1
    grain: bool = False
    tune: str = "psnr"

    def __post_init__(self) -> None:
        if not 0 <= self.crf <= MAX_CRF:
            raise OptionError(f"--crf {self.crf:g}: from 0 to {MAX_CRF:g} wanted")
        if self.preset not in PRESETS:
            raise OptionError(f"--preset {self.preset}: {', '.join(PRESETS)} wanted")
        if self.tune not in TUNES:
            raise OptionError(f"--tune {self.tune}: {', '.join(TUNES)} wanted")
        if not 0.1 <= self.segment_seconds <= 60:
            raise OptionError(f"--segment {self.segment_seconds:g}: from 0.1 to 60 seconds wanted")
        if not 1 <= self.layers <= MAX_LAYERS:
            raise OptionError(f"--layers {self.layers}: from 1 to {MAX_LAYERS} wanted")

    def fit_at(self, distortion: int) -> FitSettings:
        """The preset's fit settings at a header's distortion."""
        return PRESETS[self.preset].at(distortion)

    @property
    def distortion(self) -> int:
        """The header's distortion for this crf."""
        anchor = CRF_DISTORTION + PRESET_DISTORTION.get(self.preset, 0.0)
        return min(max(round(anchor - CRF_SLOPE * (self.crf - CRF_ANCHOR)), 0), 255)
