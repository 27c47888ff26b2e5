"""Fields of headers: one visit serves writing, reading and tracing, so that they cannot drift apart.

A visit calls `fields.u8("name", value)` and goes on with what it returns: the given value when writing, the one on
the wire when reading.
"""

from __future__ import annotations

from gvideo.errors import InvalidError, TruncatedError

#: A varint has at most this many bytes (7 bits each).
MAX_VARINT_BYTES = 9


class Writer:
    """Collects fields as bytes."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def u8(self, name: str, value: int = 0) -> int:
        """One byte."""
        return self.uint(name, 1, value)

    def uint(self, name: str, num_bytes: int, value: int = 0) -> int:
        """An unsigned integer of num_bytes bytes, highest first."""
        if not 0 <= value < 1 << (8 * num_bytes):
            raise InvalidError(f"{name}: {value} does not fit {num_bytes} byte(s)")
        self._bytes += value.to_bytes(num_bytes, "big")
        return value

    def varint(self, name: str, value: int = 0, limit: int = 1 << 62) -> int:
        """An unsigned integer in groups of 7 bits, lowest first, the high bit set on all but the last."""
        if not 0 <= value <= limit:
            raise InvalidError(f"{name}: {value} is outside 0..{limit}")
        rest = value
        while rest >= 0x80:
            self._bytes.append(rest & 0x7F | 0x80)
            rest >>= 7
        self._bytes.append(rest)
        return value

    def signed(self, name: str, value: int = 0, limit: int = 1 << 61) -> int:
        """A signed integer as the varint 2v or -2v-1."""
        if abs(value) > limit:
            raise InvalidError(f"{name}: {value} is outside ±{limit}")
        self.varint(name, 2 * value if value >= 0 else -2 * value - 1)
        return value

    def block(self, name: str, value: bytes = b"") -> bytes:
        """Bytes with their length before them."""
        self.varint(name + ".length", len(value))
        self._bytes += value
        return value

    def getvalue(self) -> bytes:
        """Everything written."""
        return bytes(self._bytes)


class Reader:
    """Reads fields from `data[start:end]`; every failure names the field. `trace` collects (offset, name, value)."""

    def __init__(self, data: bytes, start: int = 0, end: int | None = None) -> None:
        self.data = data
        self.position = start
        self.end = len(data) if end is None else end
        self.trace: list[tuple[int, str, int]] = []

    def u8(self, name: str, value: int = 0) -> int:
        """One byte."""
        return self.uint(name, 1)

    def uint(self, name: str, num_bytes: int, value: int = 0) -> int:
        """An unsigned integer of num_bytes bytes, highest first."""
        result = int.from_bytes(self.take(name, num_bytes), "big")
        self.trace.append((self.position - num_bytes, name, result))
        return result

    def varint(self, name: str, value: int = 0, limit: int = 1 << 62) -> int:
        """An unsigned integer of at most `limit`; InvalidError beyond."""
        start, result = self.position, 0
        for k in range(MAX_VARINT_BYTES):
            byte = self.take(name, 1)[0]
            result |= (byte & 0x7F) << (7 * k)
            if byte < 0x80:
                break
        else:
            raise InvalidError(f"{name}: a varint of more than {MAX_VARINT_BYTES} bytes")
        if result > limit:
            raise InvalidError(f"{name}: {result} is above {limit}")
        self.trace.append((start, name, result))
        return result

    def signed(self, name: str, value: int = 0, limit: int = 1 << 61) -> int:
        """A signed integer; InvalidError beyond ±limit."""
        raw = self.varint(name)
        result = raw >> 1 if raw & 1 == 0 else -((raw + 1) >> 1)
        if abs(result) > limit:
            raise InvalidError(f"{name}: {result} is outside ±{limit}")
        self.trace[-1] = (self.trace[-1][0], name, result)
        return result

    def block(self, name: str, value: bytes = b"") -> bytes:
        """Bytes with their length before them."""
        return self.take(name, self.varint(name + ".length"))

    def expect_end(self, name: str) -> None:
        """Raises InvalidError if anything is left."""
        if self.position != self.end:
            raise InvalidError(f"{name}: {self.end - self.position} byte(s) behind its last field")

    def take(self, name: str, count: int) -> bytes:
        """The next `count` bytes; TruncatedError if there are fewer."""
        if count > self.end - self.position:
            raise TruncatedError(f"{name}: {count} byte(s) wanted, {self.end - self.position} left")
        self.position += count
        return self.data[self.position - count : self.position]


Fields = Writer | Reader
