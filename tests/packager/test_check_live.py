"""The check of a stream that grows while it is read: files of one moment are not compared with those of another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest

from packager.check import check_presentation
from packager.check.places import Folder
from packager.gsv import GsvFile
from packager.live import LivePublisher
from packager.sink import LocalSink

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class SlowSink(LocalSink):
    """A folder that can keep what is to be done in it for later, one file at a time."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.is_slow = False
        self.waiting: list[tuple[str, Callable[[], None]]] = []

    def put(self, name, parts):
        if not self.is_slow:
            return super().put(name, parts)
        data = b"".join(parts)
        self.waiting.append((name, lambda: LocalSink.put(self, name, [data])))
        return None

    def delete(self, name):
        if not self.is_slow:
            return super().delete(name)
        self.waiting.append((name, lambda: LocalSink.delete(self, name)))
        return None


def growing(inputs: dict[str, Path], folder: Path) -> SlowSink:
    """Two rungs with two segments, and what a third changes still to come."""
    sink = SlowSink(folder)
    live = LivePublisher(sink, STARTED, Fraction(2))
    stream = GsvFile(inputs["small"])
    pieces = sorted(stream.pieces(), key=lambda p: p.start)
    live.begin(stream.track(), stream.track())
    for piece in pieces:
        sink.is_slow = piece is pieces[-1]
        live.add(piece, piece)
    return sink


def count_reads(inputs: dict[str, Path], folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often a check of such a stream reads when nothing changes."""
    sink = growing(inputs, folder)
    names = []
    read = Folder.read
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "read", lambda place, name, part=None: names.append(name) or read(place, name, part))
        assert check_presentation(str(sink.folder))[0] == []
    return len(names)


@pytest.mark.parametrize("pause", [0, 1, 9])
def test_a_segment_that_comes_meanwhile_is_no_fault(pause, inputs, tmp_path, monkeypatch):
    """It comes before the first read, the second …: all of it, or a manifest with every read, or one in nine reads,
    which are two readings of all manifests."""
    count = count_reads(inputs, tmp_path / "still", monkeypatch)
    read = Folder.read
    for first in range(count):
        sink = growing(inputs, tmp_path / str(first))
        reads, due = 0, first

        def read_late(place, name, part=None, sink=sink):
            nonlocal reads, due
            while sink.waiting and reads >= due:
                changed, change = sink.waiting.pop(0)
                change()
                due += pause * changed.endswith((".m3u8", ".mpd"))
            reads += 1
            return read(place, name, part)

        with monkeypatch.context() as patch:
            patch.setattr(Folder, "read", read_late)
            assert check_presentation(str(sink.folder))[0] == [], first
        assert reads >= count


def test_a_fault_of_a_stream_that_grows_is_told(inputs, tmp_path, monkeypatch):
    """Also where it has changed with every look."""
    sink = growing(inputs, tmp_path)
    (tmp_path / "manifest.mpd").write_text((tmp_path / "manifest.mpd").read_text().replace("minBufferTime", "buffer"))
    read = Folder.read
    reads = 0

    def read_other(place, name, part=None):
        nonlocal reads
        reads += 1
        return read(place, name, part) + (f"\n#{reads}\n".encode() if name.endswith(".m3u8") else b"")

    monkeypatch.setattr(Folder, "read", read_other)
    (fault,) = check_presentation(str(sink.folder))[0]
    assert fault == "manifest.mpd: @minBufferTime is missing or no duration [ISO/IEC 23009-1 5.3.1]"
