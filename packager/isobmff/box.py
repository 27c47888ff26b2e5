"""The box: size, four-character code, content. Every kind of box is one class whose `visit` serves both directions.

    size u32 | kind 4 bytes | [size u64 where size is 1] | [version u8, flags u24] | fields | boxes inside

Unknown boxes keep their bytes, so that a file that is read and written again is the same file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from gvideo.errors import InvalidError, TruncatedError
from packager.isobmff.fields import BoxReader, BoxWriter, Fields

MAX_DEPTH = 16
_LARGE = 1 << 32


class Box:
    """A box. offset and size: its place in what it was read from, header included (0 where it was made)."""

    kind: str = ""
    offset: int = 0
    size: int = 0
    children: list[Box]

    def visit(self, f: Fields) -> None:
        """Writes or reads the fields; the children follow by themselves."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Box) and format_box(self) == format_box(other)

    __hash__ = None  # type: ignore[assignment]  # boxes are filled in place

    def __repr__(self) -> str:
        shown = {k: v for k, v in vars(self).items() if k not in ("offset", "size", "children", "kind")}
        fields = ", ".join(f"{k}={v!r}" for k, v in shown.items())
        return f"{self.kind}({fields})" + (repr(self.children) if self.holds_boxes else "")

    #: Whether boxes follow the fields.
    holds_boxes: ClassVar[bool] = False


@dataclass(eq=False, repr=False, kw_only=True)
class FullBox(Box):
    """A box with a version and flags."""

    version: int = 0
    flags: int = 0

    def visit_full(self, f: Fields, latest: int = 0) -> None:
        """Version and flags; versions above the latest known are refused."""
        self.version = f.uint(f"{self.kind}.version", 1, self.version)
        if self.version > latest:
            raise InvalidError(f"{self.kind}.version: {self.version}, at most {latest} is known")
        self.flags = f.uint(f"{self.kind}.flags", 3, self.flags)


class Container(Box):
    """A box of boxes and nothing else."""

    holds_boxes = True

    def __init__(self, kind: str = "", children: Iterable[Box] = ()) -> None:
        self.kind, self.children = kind, list(children)


class Unknown(Box):
    """A box that is kept as it is."""

    def __init__(self, kind: str = "", data: bytes = b"") -> None:
        self.kind, self.data = kind, data

    def visit(self, f: Fields) -> None:
        self.data = f.rest(self.data)


#: What makes an empty box of a kind; filled by `register`.
_MAKERS: dict[str, Callable[[], Box]] = {}
BoxType = TypeVar("BoxType", bound=Box)


def register(*kinds: str) -> Callable[[type[BoxType]], type[BoxType]]:
    """Names the kinds that a class reads. It writes the first unless its constructor says otherwise."""

    def remember(cls: type[BoxType]) -> type[BoxType]:
        cls.kind = kinds[0]
        for kind in kinds:
            _MAKERS[kind] = cls
        return cls

    return remember


for _kind in ("moov", "trak", "mdia", "minf", "dinf", "stbl", "mvex", "edts", "moof", "traf", "mfra", "udta"):
    _MAKERS[_kind] = Container


def format_box(box: Box) -> bytes:
    """A box's bytes."""
    writer = BoxWriter()
    box.visit(writer)
    body = writer.getvalue()
    if box.holds_boxes:
        body += format_boxes(box.children)
    kind = box.kind.encode("latin-1")
    if len(body) + 8 < _LARGE:
        return (len(body) + 8).to_bytes(4, "big") + kind + body
    return (1).to_bytes(4, "big") + kind + (len(body) + 16).to_bytes(8, "big") + body


def format_boxes(boxes: Sequence[Box]) -> bytes:
    """Boxes one behind the other."""
    return b"".join(format_box(box) for box in boxes)


def parse_boxes(data: bytes, start: int = 0, end: int | None = None, depth: int = 0) -> list[Box]:
    """The boxes of data[start:end]. Raises TruncatedError or InvalidError, which name the box and the field."""
    end = len(data) if end is None else end
    if depth > MAX_DEPTH:
        raise InvalidError(f"box at byte {start}: more than {MAX_DEPTH} boxes within each other")
    found = []
    while start < end:
        box, start = _parse_box(data, start, end, depth)
        found.append(box)
    return found


def box_header(data: bytes, start: int, end: int) -> tuple[str, int, int]:
    """(kind, bytes of the header, bytes of the whole box) of the box at a place; size 0 means to the end."""
    reader = BoxReader(data, start, end)
    size = reader.uint("box.size", 4)
    kind = reader.data("box.kind", 4).decode("latin-1")
    if size == 1:
        size = reader.uint(f"{shown_kind(kind)}.size", 8)
    elif size == 0:
        size = end - start
    if size < reader.position - start:
        raise InvalidError(f"{shown_kind(kind)}.size: {size} bytes at byte {start} is less than a box's header")
    return kind, reader.position - start, size


def shown_kind(kind: str) -> str:
    """A box's type for messages: what cannot be printed, such as the end of a line, as an escape."""
    return kind if kind.isprintable() else repr(kind)


def _parse_box(data: bytes, start: int, end: int, depth: int) -> tuple[Box, int]:
    kind, header, size = box_header(data, start, end)
    if size > end - start:
        raise TruncatedError(f"{shown_kind(kind)} at byte {start}: {size - (end - start)} byte(s) missing")
    maker = _MAKERS.get(kind, Unknown)
    box = maker()
    box.kind, box.offset, box.size = kind, start, size
    reader = BoxReader(data, start + header, start + size)
    try:
        box.visit(reader)
        if box.holds_boxes:
            box.children = parse_boxes(data, reader.position, reader.end, depth + 1)
        elif reader.position != reader.end:
            raise InvalidError(f"{kind}: {reader.end - reader.position} byte(s) too many")
    except (TruncatedError, InvalidError) as error:
        place = f"in {kind} at byte {start}"
        raise type(error)(str(error) if " at byte " in str(error) else f"{error} ({place})") from error
    return box, start + size


def walk(boxes: Iterable[Box]) -> Iterator[Box]:
    """All boxes, outer ones before those within."""
    for box in boxes:
        yield box
        if box.holds_boxes:
            yield from walk(box.children)


def find_all(boxes: Iterable[Box], cls: type[BoxType]) -> list[BoxType]:
    """All boxes of a class, at any depth, in the order of the file."""
    return [box for box in walk(boxes) if isinstance(box, cls)]


def find_one(boxes: Iterable[Box], cls: type[BoxType], where: str) -> BoxType:
    """The only box of a class. Raises InvalidError unless there is exactly one."""
    found = find_all(boxes, cls)
    if len(found) != 1:
        raise InvalidError(f"{where}: {len(found)} {cls.kind} boxes, one wanted")
    return found[0]
