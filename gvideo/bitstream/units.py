"""Units: type, length, payload, CRC-32. A decoder skips types that it does not know (SYNTAX.md §3).

type u8 | length varint | payload | crc32 of type and payload, u32
"""

from __future__ import annotations

import zlib

from gvideo.bitstream.fields import Reader, Writer
from gvideo.errors import InvalidError, TruncatedError, UnsupportedError

SIGNATURE = b"\x89GSV"

SEQUENCE, INDEX, SEGMENT, LAYER, METADATA = 1, 2, 3, 4, 5
NAMES = {SEQUENCE: "sequence", INDEX: "index", SEGMENT: "segment", LAYER: "layer", METADATA: "metadata"}
#: Types from here on are required: a decoder that does not know one must give up.
FIRST_REQUIRED = 0x80
#: A unit longer than this is not legal.
MAX_LENGTH = 1 << 30
CRC_BYTES = 4
#: type, the longest length and the checksum.
MAX_OVERHEAD = 1 + 5 + CRC_BYTES


def format_unit(kind: int, payload: bytes) -> bytes:
    """A unit's bytes."""
    writer = Writer()
    writer.u8("unit.type", kind)
    writer.varint("unit.length", len(payload), MAX_LENGTH)
    return writer.getvalue() + payload + checksum(kind, payload).to_bytes(CRC_BYTES, "big")


def checksum(kind: int, payload: bytes) -> int:
    """CRC-32 (ISO 3309) of the type byte and the payload."""
    return zlib.crc32(payload, zlib.crc32(bytes([kind])))


def parse_unit_header(data: bytes) -> tuple[int, int, int]:
    """(type, length of the payload, length of this header) of the unit at the start of data."""
    reader = Reader(data)
    kind = reader.u8("unit.type")
    length = reader.varint("unit.length", limit=MAX_LENGTH)
    if kind >= FIRST_REQUIRED:
        raise UnsupportedError(f"unit.type: {kind:#x} is required by this stream and unknown to this decoder")
    return kind, length, reader.position


def check_payload(kind: int, payload: bytes, crc: bytes) -> None:
    """Raises unless the checksum of a unit is right."""
    if len(crc) < CRC_BYTES:
        raise TruncatedError(f"{name_of(kind)}.crc: {CRC_BYTES - len(crc)} byte(s) missing")
    if checksum(kind, payload) != int.from_bytes(crc, "big"):
        raise InvalidError(f"{name_of(kind)}.crc: the checksum differs, the {name_of(kind)} unit is damaged")


def name_of(kind: int) -> str:
    """The name of a unit's type."""
    return NAMES.get(kind, f"unit {kind:#x}")
