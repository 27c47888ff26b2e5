"""A published folder with nothing of the packager in it: gsv1 in fragmented MP4 and HLS playlists, by docs of carriage.

init.mp4   ftyp moov[ mvhd, a trak for each layer (track_ID 1 + k; gsv1, above it gsve; gsvC), mvex ]
seg_n.m4s  a moof and an mdat for each layer, so that prefixes are layers; a sample is the layer's unit as it stands
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

from streams import Made

from gvideo.bitstream import units


def box(kind: str, *content: bytes) -> bytes:
    data = b"".join(content)
    return struct.pack(">I4s", 8 + len(data), kind.encode()) + data


def full(kind: str, version: int, flags: int, *content: bytes) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *content)


def init_segment(sequence_unit: bytes, timescale: int, num_layers: int) -> bytes:
    tracks, extends = [], []
    for layer in range(num_layers):
        entry = box("gsve" if layer else "gsv1", bytes(78), full("gsvC", 0, 0, sequence_unit))
        stsd = full("stsd", 0, 0, struct.pack(">I", 1), entry)
        mdhd = full("mdhd", 0, 0, struct.pack(">IIII", 0, 0, timescale, 0))
        tkhd = full("tkhd", 0, 7, struct.pack(">III", 0, 0, 1 + layer), bytes(68))
        tracks.append(box("trak", tkhd, box("mdia", mdhd, box("minf", box("stbl", stsd)))))
        extends.append(full("trex", 0, 0, struct.pack(">IIIII", 1 + layer, 1, 0, 0, 0)))
    mvhd = full("mvhd", 0, 0, bytes(96))
    return box("ftyp", b"iso6", bytes(4)) + box("moov", mvhd, *tracks, box("mvex", *extends))


def fragment(track: int, time: int, duration: int, unit: bytes) -> bytes:
    def moof(offset: int) -> bytes:
        tfhd = full("tfhd", 0, 0x20000, struct.pack(">I", track))
        tfdt = full("tfdt", 1, 0, struct.pack(">Q", time))
        trun = full("trun", 1, 0x301, struct.pack(">IiII", 1, offset, duration, len(unit)))
        return box("moof", full("mfhd", 0, 0, bytes(4)), box("traf", tfhd, tfdt, trun))

    return moof(len(moof(0)) + 8) + box("mdat", unit)


def write_folder(folder: Path, made: Made) -> None:
    """master.m3u8 with a variant v1, v2, … for each number of layers, all of the same files."""
    parts, offset = [], len(units.SIGNATURE)
    while offset < len(made.data):
        kind, length, skip = units.parse_unit_header(made.data[offset : offset + units.MAX_OVERHEAD])
        end = offset + skip + length + units.CRC_BYTES
        parts.append((kind, made.data[offset:end]))
        offset = end
    layers = len(made.symbols[0].layer_ends)
    coded = [unit for kind, unit in parts if kind in (units.SEGMENT, units.LAYER)]
    timescale, frame = made.sequence.timescale, made.sequence.frame_duration
    (folder / "init.mp4").write_bytes(init_segment(parts[0][1], timescale, layers))
    ends, durations, time = [], [], 0
    for number, header in enumerate(made.segment_headers):
        durations.append(header.num_frames * frame)
        chunks = [fragment(1 + layer, time, durations[-1], coded[number * layers + layer]) for layer in range(layers)]
        (folder / f"seg_{number}.m4s").write_bytes(b"".join(chunks))
        ends.append([sum(map(len, chunks[: layer + 1])) for layer in range(layers)])
        time += durations[-1]
    master = ["#EXTM3U", "#EXT-X-VERSION:7"]
    for layer in range(layers):
        lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", '#EXT-X-MAP:URI="init.mp4"']
        for number, (sizes, ticks) in enumerate(zip(ends, durations, strict=True)):
            lines += [f"#EXTINF:{ticks / timescale:.5f},", f"#EXT-X-BYTERANGE:{sizes[layer]}@0", f"seg_{number}.m4s"]
        (folder / f"v{1 + layer}.m3u8").write_text("\n".join([*lines, "#EXT-X-ENDLIST", ""]))
        rate = 8 * timescale * sum(sizes[layer] for sizes in ends) // time
        size = f"{made.sequence.width}x{made.sequence.height}"
        attributes = f'BANDWIDTH={2 * rate},AVERAGE-BANDWIDTH={rate},SCORE={1 + layer},CODECS="gsv1.00.20.08"'
        master += [f"#EXT-X-STREAM-INF:{attributes},RESOLUTION={size}", f"v{1 + layer}.m3u8"]
    (folder / "master.m3u8").write_text("\n".join([*master, ""]))


def windows(playlist: Path) -> Callable[..., str]:
    """Live playlists of segments start … end-1 of a finished one."""
    lines = playlist.read_text().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("#EXTINF"))
    head = [line for line in lines[:first] if "PLAYLIST-TYPE" not in line]
    body = [line for line in lines[first:] if line and line != "#EXT-X-ENDLIST"]
    per_segment = len(body) // sum(line.startswith("#EXTINF") for line in body)

    def window(start: int, end: int, last: bool = False) -> str:
        segments = body[start * per_segment : end * per_segment]
        tail = ["#EXT-X-ENDLIST"] if last else []
        return "\n".join([*head, f"#EXT-X-MEDIA-SEQUENCE:{start}", *segments, *tail, ""])

    return window
