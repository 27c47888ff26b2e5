"""Headers of the sequence, the index and the segments: what they hold and the visit that writes or reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from gvideo.bitstream.fields import Fields, Reader, Writer
from gvideo.errors import InvalidError, UnsupportedError

#: Version of the syntax. A decoder refuses a stream of a later one.
VERSION = 1
PROFILE_MAIN = 0
MAX_SIDE = 16384
MAX_FRAMES_A_SEGMENT = 4096
#: Degree of motion splines of enough control points, and the most of these.
SPLINE_DEGREE = 3
MAX_CONTROL = 256
MAX_TRAJECTORIES = 64
MAX_LAYERS = 8
MAX_CELL_BITS = 6
MAX_MARGIN = 255
CHROMA_FORMATS = ("400", "420", "422", "444")
ROTATIONS = (0, 90, 180, 270)
MAX_BIT_DEPTH = 16
#: Code points of matrices that have equations (media/colour.py).
MATRICES = (1, 4, 5, 6, 7, 8, 9, 10)
#: A Gaussian costs dozens of bits: more of them than this per byte is not legal, which bounds time and memory
#: whatever a stream says.
MAX_GAUSSIANS_A_BYTE = 2
#: Gaussians of all layers of a segment together.
MAX_GAUSSIANS = 1 << 20
#: Gaussians of all layers times control points of their motion, which bounds the memory of residuals.
MAX_RESIDUALS = 1 << 24
#: The smallest segment unit: type, length, a header of 8 bytes, a layer header of 2, checksum.
MIN_SEGMENT_BYTES = 16
#: Of a grain block: strengths, coefficients of the kernel, and the largest of these (one byte each).
NUM_STRENGTHS, NUM_KERNEL, MAX_KERNEL = 8, 9, 63
GRAIN_BYTES = 1 + NUM_STRENGTHS + NUM_KERNEL
#: Strengths are in so many parts of the luma's range.
STRENGTH_STEPS = 4096
#: The first frame's time and gaps between segments lie within ±this many ticks.
MAX_TIME = 1 << 60


@dataclass(frozen=True, slots=True)
class Rules:
    """Step offsets of a sequence (model/steps.py says what they do)."""

    position: int = 10
    angle: int = 34
    centre: int = 0
    chroma: int = 29
    residual: int = 0
    trajectory: int = -2


@dataclass(frozen=True, slots=True)
class Grain:
    """Noise to draw over the luma (model/grain.py). seed: 0…255. strengths: standard deviations at NUM_STRENGTHS
    levels of luma, 0…255 in 1/4096 of its range. kernel: by rows the quarter [0…2]² of a symmetric filter of 5x5 that
    shapes white noise, ±MAX_KERNEL; only ratios count."""

    seed: int
    strengths: tuple[int, ...]
    kernel: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SequenceHeader:
    """Everything that holds for a whole stream. Sizes in px, times in ticks of 1/timescale s, colour as code points
    of ISO/IEC 23091-2, rotation in degrees clockwise for display, codebooks and priors as opaque blocks."""

    width: int
    height: int
    timescale: int
    frame_duration: int
    start: int = 0
    chroma_format: str = "420"
    bit_depth: int = 8
    primaries: int = 1
    transfer: int = 1
    matrix: int = 1
    full_range: bool = False
    sample_aspect: Fraction = Fraction(1)
    rotation: int = 0
    rules: Rules = Rules()
    codebooks: bytes = b""
    priors: bytes = b""
    grain: Grain | None = None


@dataclass(frozen=True, slots=True)
class LayerHeader:
    """One layer: how many Gaussians it adds and how many bytes they take."""

    num_gaussians: int
    num_bytes: int


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """Everything about a segment but its symbols. durations: ticks of each frame, or () if all are the sequence's.
    gap: ticks between the end of the segment before and this one's start. base: Y'CbCr in 1/1023, chroma + 512.
    distortions: of the layers above the first, or () if `distortion` is that of all. num_control: of what a Gaussian
    adds to its trajectory, whose own spans are cut in `refinement`."""

    num_frames: int
    distortion: int
    num_control: int
    num_trajectories: int
    cell_bits: int
    num_layers: int
    base: tuple[int, int, int]
    margins: tuple[int, int, int, int] = (0, 0, 0, 0)
    durations: tuple[int, ...] = ()
    gap: int = 0
    distortions: tuple[int, ...] = ()
    refinement: int = 1

    @property
    def num_path_control(self) -> int:
        """Control points of every trajectory."""
        return refined_count(self.num_control, self.refinement)

    @property
    def layer_distortions(self) -> tuple[int, ...]:
        """The distortion of every layer."""
        return (self.distortion, *(self.distortions or (self.distortion,) * (self.num_layers - 1)))

    def duration(self, sequence: SequenceHeader) -> int:
        """Ticks of all its frames."""
        return sum(self.durations) or self.num_frames * sequence.frame_duration


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """A segment's place: bytes of its units together, frames, and ticks."""

    num_bytes: int
    num_frames: int
    duration: int
    gap: int


_FLAG_COLOUR, _FLAG_ASPECT, _FLAG_RULES, _FLAG_CODEBOOKS, _FLAG_PRIORS, _FLAG_FULL_RANGE = 1, 2, 4, 8, 16, 32
_FLAG_GRAIN = 64
_FLAG_DURATIONS, _FLAG_GAP, _FLAG_MARGINS, _FLAG_DISTORTIONS = 1, 2, 4, 8
_DEFAULT_COLOUR = (1, 1, 1)
_NO_GRAIN = Grain(0, (0,) * NUM_STRENGTHS, (0,) * NUM_KERNEL)


def visit_sequence(f: Fields, h: SequenceHeader | None = None) -> SequenceHeader:
    """Writes h, or reads a header."""
    h = h or SequenceHeader(1, 1, 1, 1)
    version = f.u8("sequence.version", VERSION)
    if version != VERSION:
        raise UnsupportedError(f"sequence.version: {version}, this decoder knows {VERSION}; update gvideo")
    profile = f.u8("sequence.profile", PROFILE_MAIN)
    if profile != PROFILE_MAIN:
        raise UnsupportedError(f"sequence.profile: {profile}, this decoder knows {PROFILE_MAIN}")
    width = _positive("sequence.width", f.varint("sequence.width", h.width, MAX_SIDE))
    height = _positive("sequence.height", f.varint("sequence.height", h.height, MAX_SIDE))
    timescale = _positive("sequence.timescale", f.varint("sequence.timescale", h.timescale, 1 << 32))
    duration = _positive("sequence.frame_duration", f.varint("sequence.frame_duration", h.frame_duration, 1 << 40))
    start = f.signed("sequence.start", h.start, MAX_TIME)
    sampling = CHROMA_FORMATS.index(h.chroma_format) | (h.bit_depth - 8) << 2 | ROTATIONS.index(h.rotation) << 6
    sampling = f.u8("sequence.sampling", sampling)
    bit_depth = 8 + (sampling >> 2 & 15)
    if bit_depth > MAX_BIT_DEPTH:
        raise InvalidError(f"sequence.sampling: {bit_depth} bits, at most {MAX_BIT_DEPTH}")
    colour = (h.primaries, h.transfer, h.matrix)
    flags = (
        _FLAG_COLOUR * (colour != _DEFAULT_COLOUR)
        | _FLAG_ASPECT * (h.sample_aspect != 1)
        | _FLAG_RULES * (h.rules != Rules())
        | _FLAG_CODEBOOKS * bool(h.codebooks)
        | _FLAG_PRIORS * bool(h.priors)
        | _FLAG_FULL_RANGE * h.full_range
        | _FLAG_GRAIN * (h.grain is not None)
    )
    flags = f.u8("sequence.flags", flags)
    if flags >> 7:
        raise InvalidError(f"sequence.flags: {flags:#x} has bits that this version does not define")
    if flags & _FLAG_COLOUR:
        names = ("primaries", "transfer", "matrix")
        colour = tuple(f.u8(f"sequence.{n}", v) for n, v in zip(names, colour, strict=True))  # type: ignore[assignment]
    else:
        colour = _DEFAULT_COLOUR
    if colour[2] not in MATRICES:
        raise UnsupportedError(f"sequence.matrix: {colour[2]}, this decoder knows {', '.join(map(str, MATRICES))}")
    aspect = Fraction(1)
    if flags & _FLAG_ASPECT:
        top = _positive("sequence.aspect", f.varint("sequence.aspect_x", h.sample_aspect.numerator, 1 << 20))
        low = _positive("sequence.aspect", f.varint("sequence.aspect_y", h.sample_aspect.denominator, 1 << 20))
        aspect = Fraction(top, low)
    rules = _visit_rules(f, h.rules) if flags & _FLAG_RULES else Rules()
    codebooks = f.block("sequence.codebooks", h.codebooks) if flags & _FLAG_CODEBOOKS else b""
    priors = f.block("sequence.priors", h.priors) if flags & _FLAG_PRIORS else b""
    grain = _visit_grain(f, h.grain or _NO_GRAIN) if flags & _FLAG_GRAIN else None
    return SequenceHeader(
        width, height, timescale, duration, start, CHROMA_FORMATS[sampling & 3], bit_depth, *colour,
        bool(flags & _FLAG_FULL_RANGE), aspect, ROTATIONS[sampling >> 6], rules, codebooks, priors, grain,
    )  # fmt: skip


def _visit_rules(f: Fields, r: Rules) -> Rules:
    return Rules(
        f.signed("rules.position", r.position, 128),
        f.signed("rules.angle", r.angle, 128),
        f.signed("rules.centre", r.centre, 128),
        _positive("rules.chroma", f.varint("rules.chroma", r.chroma, 256)),
        f.signed("rules.residual", r.residual, 8),
        f.signed("rules.trajectory", r.trajectory, 8),
    )


def _visit_grain(f: Fields, g: Grain) -> Grain:
    return Grain(
        f.u8("grain.seed", g.seed),
        tuple(f.u8("grain.strength", s) for s in g.strengths),
        tuple(f.signed("grain.kernel", k, MAX_KERNEL) for k in g.kernel),
    )


def refined_count(num_control: int, refinement: int) -> int:
    """Control points of a spline of num_control (at least 4, or refinement 1) whose spans are cut in `refinement`."""
    return num_control if refinement == 1 else (num_control - SPLINE_DEGREE) * refinement + SPLINE_DEGREE


def visit_segment(f: Fields, h: SegmentHeader | None = None) -> SegmentHeader:
    """Writes h, or reads a header. Layer headers and bytes follow it (entropy/segment.py)."""
    h = h or SegmentHeader(1, 0, 1, 1, 0, 1, (0, 0, 0))
    num_frames = _positive("segment.num_frames", f.varint("segment.num_frames", h.num_frames, MAX_FRAMES_A_SEGMENT))
    distortion = f.u8("segment.distortion", h.distortion)
    num_control = f.u8("segment.num_control", h.num_control - 1) + 1
    refinement = f.u8("segment.refinement", h.refinement - 1) + 1
    enough = refinement == 1 or num_control > SPLINE_DEGREE
    if not (enough and refined_count(num_control, refinement) <= MAX_CONTROL):
        raise InvalidError(f"segment.refinement: {refinement}, with {num_control} control points")
    num_trajectories = _positive(
        "segment.num_trajectories", f.varint("segment.num_trajectories", h.num_trajectories, MAX_TRAJECTORIES)
    )
    flags = _FLAG_DURATIONS * bool(h.durations) | _FLAG_GAP * (h.gap != 0) | _FLAG_MARGINS * (h.margins != (0, 0, 0, 0))
    flags |= _FLAG_DISTORTIONS * bool(h.distortions)
    # cell_bits in 3 bits, layers - 1 in 3 bits, and the first two flags; the others are in the base's spare bits
    shape = f.u8("segment.shape", h.cell_bits << 5 | (h.num_layers - 1) << 2 | flags & 3)
    packed = h.base[0] << 20 | h.base[1] << 10 | h.base[2]
    packed = f.uint("segment.base", 4, packed | (flags >> 2) << 30)
    cell_bits = shape >> 5
    if cell_bits > MAX_CELL_BITS:
        raise InvalidError(f"segment.shape: cells of 2^{cell_bits} px, at most 2^{MAX_CELL_BITS}")
    num_layers = (shape >> 2 & 7) + 1
    margins = h.margins
    if packed >> 30 & 1:
        margins = tuple(f.u8(f"segment.margin_{n}", m) for n, m in zip("ltrb", margins, strict=True))  # type: ignore[assignment]
    else:
        margins = (0, 0, 0, 0)
    distortions: tuple[int, ...] = ()
    if packed >> 31:
        if num_layers == 1:
            raise InvalidError("segment.base: distortions of layers above the first, but there is one layer")
        above = h.distortions or (0,) * (num_layers - 1)
        distortions = tuple(f.u8("segment.layer_distortion", d) for d in above)
    durations: tuple[int, ...] = ()
    if shape & _FLAG_DURATIONS:
        given = h.durations or (0,) * num_frames
        durations = tuple(_positive("segment.duration", f.varint("segment.duration", d, 1 << 40)) for d in given)
    gap = f.signed("segment.gap", h.gap, MAX_TIME) if shape & _FLAG_GAP else 0
    base = (packed >> 20 & 1023, packed >> 10 & 1023, packed & 1023)
    return SegmentHeader(
        num_frames, distortion, num_control, num_trajectories, cell_bits, num_layers, base, margins, durations, gap,
        distortions, refinement,
    )  # fmt: skip


def visit_layer(f: Fields, h: LayerHeader | None = None) -> LayerHeader:
    """Writes h, or reads a layer's header."""
    h = h or LayerHeader(0, 0)
    num_gaussians = f.varint("layer.num_gaussians", h.num_gaussians, MAX_GAUSSIANS)
    num_bytes = f.varint("layer.num_bytes", h.num_bytes, 1 << 28)
    if num_gaussians > MAX_GAUSSIANS_A_BYTE * (num_bytes + 4):
        raise InvalidError(f"layer.num_gaussians: {num_gaussians} cannot stand in {num_bytes} bytes")
    return LayerHeader(num_gaussians, num_bytes)


@dataclass(frozen=True, slots=True)
class Index:
    """Where every segment is."""

    entries: tuple[IndexEntry, ...] = field(default_factory=tuple)


def visit_index(f: Fields, h: Index | None = None) -> Index:
    """Writes h, or reads an index."""
    entries = h.entries if h else ()
    count = f.varint("index.num_segments", len(entries), 1 << 24)
    if isinstance(f, Reader) and count > f.end - f.position:
        raise InvalidError(f"index.num_segments: {count} entries cannot stand in {f.end - f.position} bytes")
    given = entries or (IndexEntry(MIN_SEGMENT_BYTES, 1, 1, 0),) * count
    return Index(
        tuple(
            IndexEntry(
                _at_least(MIN_SEGMENT_BYTES, "index.num_bytes", f.varint("index.num_bytes", e.num_bytes, 1 << 40)),
                _positive("index.num_frames", f.varint("index.num_frames", e.num_frames, MAX_FRAMES_A_SEGMENT)),
                _positive("index.duration", f.varint("index.duration", e.duration, 1 << 52)),
                f.signed("index.gap", e.gap, MAX_TIME),
            )
            for e in given
        )
    )


def format_sequence(h: SequenceHeader) -> bytes:
    """A sequence header's bytes."""
    writer = Writer()
    visit_sequence(writer, h)
    return writer.getvalue()


def format_index(h: Index) -> bytes:
    """An index's bytes."""
    writer = Writer()
    visit_index(writer, h)
    return writer.getvalue()


def _positive(name: str, value: int) -> int:
    return _at_least(1, name, value)


def _at_least(limit: int, name: str, value: int) -> int:
    if value < limit:
        raise InvalidError(f"{name}: {value}, at least {limit} wanted")
    return value
