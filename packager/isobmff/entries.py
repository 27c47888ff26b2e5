"""Sample entries and what they hold: gsv1, avc1, mp4a, Opus, tx3g and their configuration boxes.

gsv1 and gsvC are described in docs/carriage.md. avcC: ISO/IEC 14496-15; esds: 14496-1; dOps: the Opus mapping to ISO
base media files; tx3g: 3GPP TS 26.245.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gvideo.errors import InvalidError
from packager.isobmff.box import Box, FullBox, register
from packager.isobmff.fields import BoxReader, BoxWriter, Fields


class SampleEntry(Box):
    """A sample entry: how the samples of a track are coded."""

    data_reference: int = 1
    holds_boxes = True

    def visit_entry(self, f: Fields) -> None:
        """The fields that all entries begin with."""
        f.data(f"{self.kind}.reserved", 6, bytes(6))
        self.data_reference = f.uint(f"{self.kind}.data_reference_index", 2, self.data_reference)


@register("gsv1", "gsve", "avc1", "avc3")
@dataclass(eq=False, repr=False)
class VisualSampleEntry(SampleEntry):
    """Coded size in px; the configuration, colr, pasp and btrt follow as boxes."""

    kind: str = "gsv1"
    width: int = 0
    height: int = 0
    compressor: str = ""
    children: list[Box] = field(default_factory=list)

    def visit(self, f: Fields) -> None:
        self.visit_entry(f)
        f.data(f"{self.kind}.pre_defined", 16, bytes(16))
        self.width = f.uint(f"{self.kind}.width", 2, self.width)
        self.height = f.uint(f"{self.kind}.height", 2, self.height)
        f.data(f"{self.kind}.resolution", 8, bytes.fromhex("0048000000480000"))  # 72 dpi both ways
        f.data(f"{self.kind}.reserved", 4, bytes(4))
        f.uint(f"{self.kind}.frame_count", 2, 1)
        name = self.compressor.encode()[:31]
        name = f.data(f"{self.kind}.compressorname", 32, bytes([len(name)]) + name.ljust(31, b"\0"))
        self.compressor = name[1 : 1 + name[0]].decode("utf-8", "replace")
        f.uint(f"{self.kind}.depth", 2, 0x18)
        f.uint(f"{self.kind}.pre_defined", 2, 0xFFFF)


@register("mp4a", "Opus", ".mp3")
@dataclass(eq=False, repr=False)
class AudioSampleEntry(SampleEntry):
    """Channels and samples per second; the configuration follows as a box."""

    kind: str = "mp4a"
    channels: int = 2
    sample_rate: int = 48000
    children: list[Box] = field(default_factory=list)

    def visit(self, f: Fields) -> None:
        self.visit_entry(f)
        f.data(f"{self.kind}.reserved", 8, bytes(8))
        self.channels = f.uint(f"{self.kind}.channelcount", 2, self.channels)
        f.uint(f"{self.kind}.samplesize", 2, 16)
        f.data(f"{self.kind}.reserved", 4, bytes(4))
        # 16.16; rates beyond 65535 are not said here but in the configuration
        rate = f.uint(f"{self.kind}.samplerate", 4, (self.sample_rate if self.sample_rate < 1 << 16 else 0) << 16)
        self.sample_rate = rate >> 16 or self.sample_rate


@register("tx3g")
@dataclass(eq=False, repr=False)
class TimedTextEntry(SampleEntry):
    """Timed text of 3GPP: white, centred at the bottom, one font."""

    children: list[Box] = field(default_factory=list)
    style: bytes = bytes.fromhex("00000000 01ff 00000000 0000000000000000 000000000001 0012 ffffffff".replace(" ", ""))

    def visit(self, f: Fields) -> None:
        self.visit_entry(f)
        self.style = f.data("tx3g.style", 30, self.style)


@register("ftab")
@dataclass(eq=False, repr=False)
class FontTable(Box):
    """Names of fonts of a tx3g entry."""

    data: bytes = b"\0\x01\0\x01\x0aSans-Serif"

    def visit(self, f: Fields) -> None:
        self.data = f.rest(self.data)


@register("gsvC")
@dataclass(eq=False, repr=False)
class GaussianConfiguration(FullBox):
    """The whole sequence unit of a gsv1 stream: type, length, payload, checksum."""

    sequence_unit: bytes = b""

    def visit(self, f: Fields) -> None:
        self.visit_full(f)
        self.sequence_unit = f.rest(self.sequence_unit)


@register("avcC")
@dataclass(eq=False, repr=False)
class AvcConfiguration(Box):
    """Profile, level and parameter sets of H.264; NAL units have length fields of `length_bytes` bytes."""

    profile: int = 66
    compatibility: int = 0
    level: int = 10
    length_bytes: int = 4
    sps: list[bytes] = field(default_factory=list)
    pps: list[bytes] = field(default_factory=list)
    extension: bytes = b""

    def visit(self, f: Fields) -> None:
        version = f.uint("avcC.configurationVersion", 1, 1)
        if version != 1:
            raise InvalidError(f"avcC.configurationVersion: {version}, 1 wanted")
        self.profile = f.uint("avcC.AVCProfileIndication", 1, self.profile)
        self.compatibility = f.uint("avcC.profile_compatibility", 1, self.compatibility)
        self.level = f.uint("avcC.AVCLevelIndication", 1, self.level)
        self.length_bytes = (f.uint("avcC.lengthSizeMinusOne", 1, 0xFC | self.length_bytes - 1) & 3) + 1
        self.sps = _visit_sets(f, "avcC.sps", self.sps, 0xE0)
        self.pps = _visit_sets(f, "avcC.pps", self.pps, 0)
        self.extension = f.rest(self.extension)


def _visit_sets(f: Fields, name: str, sets: list[bytes], marks: int) -> list[bytes]:
    count = f.uint(name, 1, marks | len(sets)) & 31
    out = []
    for unit in f.items(name, count, sets, bytes):
        size = f.uint(name, 2, len(unit))
        out.append(f.data(name, size, unit))
    return out


@register("colr")
@dataclass(eq=False, repr=False)
class Colour(Box):
    """nclx: code points of ISO/IEC 23091-2. Other types (ICC profiles) are kept as bytes."""

    colour_type: str = "nclx"
    primaries: int = 1
    transfer: int = 1
    matrix: int = 1
    full_range: bool = False
    profile: bytes = b""

    def visit(self, f: Fields) -> None:
        self.colour_type = f.data("colr.colour_type", 4, self.colour_type.encode("latin-1")).decode("latin-1")
        if self.colour_type != "nclx":
            self.profile = f.rest(self.profile)
            return
        self.primaries = f.uint("colr.colour_primaries", 2, self.primaries)
        self.transfer = f.uint("colr.transfer_characteristics", 2, self.transfer)
        self.matrix = f.uint("colr.matrix_coefficients", 2, self.matrix)
        self.full_range = bool(f.uint("colr.full_range_flag", 1, self.full_range << 7) >> 7)


@register("pasp")
@dataclass(eq=False, repr=False)
class PixelAspect(Box):
    """Shape of a pixel, width : height."""

    horizontal: int = 1
    vertical: int = 1

    def visit(self, f: Fields) -> None:
        self.horizontal = f.uint("pasp.hSpacing", 4, self.horizontal)
        self.vertical = f.uint("pasp.vSpacing", 4, self.vertical)


@register("btrt")
@dataclass(eq=False, repr=False)
class BitRate(Box):
    """Bits per second: the largest segment's, and the mean."""

    buffer_bytes: int = 0
    peak: int = 0
    average: int = 0

    def visit(self, f: Fields) -> None:
        self.buffer_bytes = f.uint("btrt.bufferSizeDB", 4, self.buffer_bytes)
        self.peak = f.uint("btrt.maxBitrate", 4, self.peak)
        self.average = f.uint("btrt.avgBitrate", 4, self.average)


@register("dOps")
@dataclass(eq=False, repr=False)
class OpusConfiguration(Box):
    """Opus: channels, samples of 48 kHz to skip, the input's rate, gain in 1/256 dB; mapping: bytes of its table."""

    channels: int = 2
    pre_skip: int = 0
    input_rate: int = 48000
    gain: int = 0
    family: int = 0
    mapping: bytes = b""

    def visit(self, f: Fields) -> None:
        version = f.uint("dOps.Version", 1, 0)
        if version != 0:
            raise InvalidError(f"dOps.Version: {version}, 0 wanted")
        self.channels = f.uint("dOps.OutputChannelCount", 1, self.channels)
        self.pre_skip = f.uint("dOps.PreSkip", 2, self.pre_skip)
        self.input_rate = f.uint("dOps.InputSampleRate", 4, self.input_rate)
        self.gain = f.sint("dOps.OutputGain", 2, self.gain)
        self.family = f.uint("dOps.ChannelMappingFamily", 1, self.family)
        self.mapping = f.rest(self.mapping)


@register("esds")
@dataclass(eq=False, repr=False)
class ElementaryDescriptor(FullBox):
    """MPEG-4 audio: object type (0x40 AAC, 0x6B MP3), bit rates, and the decoder's AudioSpecificConfig."""

    object_type: int = 0x40
    peak: int = 0
    average: int = 0
    specific: bytes = b""

    def visit(self, f: Fields) -> None:
        self.visit_full(f)
        if isinstance(f, BoxReader):
            self._parse(f.rest())
        else:
            f.rest(self._format())

    def _format(self) -> bytes:
        w = BoxWriter()
        w.uint("esds.objectTypeIndication", 1, self.object_type)
        w.uint("esds.streamType", 1, 0x15)  # audio
        w.uint("esds.bufferSizeDB", 3, 0)
        w.uint("esds.maxBitrate", 4, self.peak)
        w.uint("esds.avgBitrate", 4, self.average)
        config = w.getvalue() + (_descriptor(5, self.specific) if self.specific else b"")
        return _descriptor(3, b"\0\0\0" + _descriptor(4, config) + _descriptor(6, b"\x02"))

    def _parse(self, data: bytes) -> None:
        kind, body, _ = _next_descriptor(data)
        if kind != 3 or len(body) < 3:
            raise InvalidError("esds: no ES descriptor")
        flags = body[2]
        skip = 3 + 2 * bool(flags & 0x80) + (1 + body[3] if flags & 0x40 else 0) + 2 * bool(flags & 0x20)
        kind, config, _ = _next_descriptor(body[skip:])
        if kind != 4:
            raise InvalidError("esds: no decoder configuration")
        r = BoxReader(config)
        self.object_type = r.uint("esds.objectTypeIndication", 1)
        r.uint("esds.streamType", 1)
        r.uint("esds.bufferSizeDB", 3)
        self.peak = r.uint("esds.maxBitrate", 4)
        self.average = r.uint("esds.avgBitrate", 4)
        self.specific = _next_descriptor(config[r.position :])[1] if r.position < len(config) else b""


def _descriptor(tag: int, body: bytes) -> bytes:
    """Tag, length in four groups of seven bits as all writers do, body."""
    size = len(body)
    groups = [size >> 21 & 127 | 128, size >> 14 & 127 | 128, size >> 7 & 127 | 128, size & 127]
    return bytes([tag, *groups]) + body


def _next_descriptor(data: bytes) -> tuple[int, bytes, bytes]:
    """(tag, body, what follows) of the descriptor at the start of data."""
    r = BoxReader(data)
    tag = r.uint("esds.tag", 1)
    size = 0
    for _ in range(4):
        byte = r.uint("esds.length", 1)
        size = size << 7 | byte & 127
        if byte < 128:
            break
    return tag, r.data("esds.descriptor", size), data[r.position :]
