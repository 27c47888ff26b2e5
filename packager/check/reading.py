"""Files by name, read once; what cannot be read or breaks a rule by itself is noted as a fault, once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from packager.check.media import InitFacts, SegmentFacts, read_init, read_segment
from packager.check.moments import Moment, read_text
from packager.check.places import MissingError, Place
from packager.presentation import ByteRange


def guarded(faults: Iterable[str], name: str = "") -> Iterator[str]:
    """Faults up to a value that cannot be read, which is one too. name: of the file, where faults begin with it."""
    try:
        yield from faults
    except (ValueError, ArithmeticError) as error:
        yield f"{name}: ".removeprefix(": ") + f"has a value that cannot be read ({error})"


class Library:
    """Facts of published files. moment: what is not read again. faults: of files by themselves. num_segments: media
    segments that were read."""

    def __init__(self, place: Place, moment: Moment) -> None:
        self.place, self._moment = place, moment
        self.faults: list[str] = []
        self.num_segments = 0
        self._texts: dict[str, str | None] = {}
        self._inits: dict[tuple[str, ByteRange | None], InitFacts | None] = {}
        self._segments: dict[tuple[str, ByteRange | None], SegmentFacts | None] = {}

    def _read(self, name: str, part: ByteRange | None) -> bytes | None:
        try:
            return self.place.read(name, part)
        except MissingError as error:
            self.faults.append(str(error))
            return None

    def bytes(self, name: str, part: ByteRange | None) -> bytes | None:
        """A part of a file, or all of it, None if it is missing."""
        return self._read(name, part)

    def text(self, name: str) -> str | None:
        """A text file, None if it is missing."""
        if name not in self._texts:
            found = self._moment[name] if name in self._moment else read_text(self.place, name)
            if isinstance(found, MissingError):
                self.faults.append(str(found))
            self._texts[name] = None if isinstance(found, MissingError) else found
        return self._texts[name]

    def init(self, name: str, part: ByteRange | None) -> InitFacts | None:
        """Facts of an init segment, None if it is missing."""
        key = (name, part)
        if key not in self._inits:
            data = self._read(name, part)
            facts = None if data is None else read_init(data)
            self.faults += [f"{name}: {fault}" for fault in facts.faults] if facts else []
            self._inits[key] = facts
        return self._inits[key]

    def segment(self, name: str, part: ByteRange | None, init: InitFacts) -> SegmentFacts | None:
        """Facts of a media segment or a prefix of one, None if it is missing."""
        key = (name, part)
        if key not in self._segments:
            data = self._read(name, part)
            facts = None if data is None else read_segment(data, init)
            self.faults += [f"{name}: {fault}" for fault in facts.faults] if facts else []
            self._segments[key] = facts
            self.num_segments += facts is not None
        return self._segments[key]

    def fragment(self, name: str, part: ByteRange, init: InitFacts) -> SegmentFacts | None:
        """Facts of a fragment by itself, without the rules for indices of a segment."""
        alone = InitFacts(init.timescale, init.kind, init.codecs, init.entry, init.shown, 1, 0, init.sequence)
        return self.segment(name, part, alone)
