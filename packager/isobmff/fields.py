"""Fields of boxes. As in gvideo/bitstream/fields.py one visit serves writing and reading: `x = f.uint("x", 4, x)` gives
the value back when writing, and the one in the file when reading."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from gvideo.errors import InvalidError, TruncatedError

Item = TypeVar("Item")


class BoxWriter:
    """Collects fields as bytes, highest byte first."""

    reading = False

    def __init__(self) -> None:
        self._bytes = bytearray()

    def uint(self, name: str, num_bytes: int, value: int) -> int:
        """An unsigned integer."""
        return self._integer(name, num_bytes, value, signed=False)

    def sint(self, name: str, num_bytes: int, value: int) -> int:
        """A signed integer in two's complement."""
        return self._integer(name, num_bytes, value, signed=True)

    def data(self, name: str, num_bytes: int, value: bytes) -> bytes:
        """Exactly num_bytes bytes."""
        if len(value) != num_bytes:
            raise InvalidError(f"{name}: {len(value)} bytes, {num_bytes} wanted")
        self._bytes += value
        return value

    def rest(self, value: bytes) -> bytes:
        """Everything to the end of the box."""
        self._bytes += value
        return value

    def string(self, name: str, value: str) -> str:
        """UTF-8 with a NUL behind it."""
        if "\0" in value:
            raise InvalidError(f"{name}: holds a NUL")
        self._bytes += value.encode() + b"\0"
        return value

    def items(self, name: str, count: int, given: list[Item], make: Callable[[], Item]) -> list[Item]:
        """The items to visit one by one: those given when writing, `count` new ones when reading."""
        return given

    def at_end(self) -> bool:
        """Whether an optional field is left out. When writing its presence is the box's own business."""
        return False

    def getvalue(self) -> bytes:
        """All fields so far."""
        return bytes(self._bytes)

    def _integer(self, name: str, num_bytes: int, value: int, *, signed: bool) -> int:
        try:
            self._bytes += value.to_bytes(num_bytes, "big", signed=signed)
        except OverflowError:
            raise InvalidError(f"{name}: {value} does not fit {8 * num_bytes} bits") from None
        return value


class BoxReader:
    """Reads fields of data[position:end]."""

    reading = True

    def __init__(self, source: bytes, position: int = 0, end: int | None = None) -> None:
        self.source, self.position = source, position
        self.end = len(source) if end is None else end

    def uint(self, name: str, num_bytes: int, value: int = 0) -> int:
        """An unsigned integer."""
        return int.from_bytes(self.data(name, num_bytes), "big")

    def sint(self, name: str, num_bytes: int, value: int = 0) -> int:
        """A signed integer in two's complement."""
        return int.from_bytes(self.data(name, num_bytes), "big", signed=True)

    def data(self, name: str, num_bytes: int, value: bytes = b"") -> bytes:
        """Exactly num_bytes bytes."""
        start = self.position
        if num_bytes > self.end - start:
            raise TruncatedError(f"{name}: {num_bytes - (self.end - start)} byte(s) missing")
        self.position += num_bytes
        return self.source[start : self.position]

    def rest(self, value: bytes = b"") -> bytes:
        """Everything to the end of the box."""
        return self.data("rest", self.end - self.position)

    def string(self, name: str, value: str = "") -> str:
        """UTF-8 with a NUL behind it; the end of the box ends it too (old files)."""
        stop = self.source.find(b"\0", self.position, self.end)
        text = self.data(name, (self.end if stop < 0 else stop) - self.position)
        self.position += stop >= 0
        return text.decode("utf-8", "replace")

    def items(self, name: str, count: int, given: list[Item], make: Callable[[], Item]) -> list[Item]:
        """The items to visit one by one: those given when writing, `count` new ones when reading."""
        if count > self.end - self.position:
            raise InvalidError(f"{name}: {count} entries cannot stand in {self.end - self.position} bytes")
        return [make() for _ in range(count)]

    def at_end(self) -> bool:
        """Whether an optional field is left out."""
        return self.position >= self.end


Fields = BoxWriter | BoxReader
