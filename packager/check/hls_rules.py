"""Rules of HLS. A fault names its rule: a section of RFC 8216 or a number of Apple's authoring specification."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from packager.check.media import InitFacts, SegmentFacts
from packager.check.part_rules import control_faults, part_faults
from packager.check.playlists import MasterPlaylist, MediaPlaylist, parse_master, parse_media
from packager.check.reading import Library, guarded
from packager.hls import MASTER

#: What every variant has, by the rule that wants it.
_REQUIRED = {
    "BANDWIDTH": "RFC 8216 4.3.4.2",
    "AVERAGE-BANDWIDTH": "Apple 9.14",
    "CODECS": "Apple 9.1",
    "RESOLUTION": "Apple 9.2",
    "FRAME-RATE": "Apple 9.15",
    "CLOSED-CAPTIONS": "RFC 8216 4.3.4.2",
}
#: What every rendition has.
_OF_RENDITION = {
    "GROUP-ID": "RFC 8216 4.3.4.1", "NAME": "RFC 8216 4.3.4.1", "LANGUAGE": "Apple 8.10", "URI": "RFC 8216 4.3.4.1",
}  # fmt: skip
#: AVERAGE-BANDWIDTH may differ so much from what is measured (Apple 1.26).
_AVERAGE_TOLERANCE = Fraction(1, 10)
#: EXTINF has six decimals.
_ROUNDING = Fraction(1, 1_000_000)
#: Audio may be so much longer or shorter than the video (s); a frame of AAC is 21 ms.
_AUDIO_DIFFERENCE = Fraction(1, 2)


@dataclass(frozen=True)
class MeasuredPlaylist:
    """A media playlist with the facts of its segments."""

    playlist: MediaPlaylist
    init: InitFacts
    segments: tuple[SegmentFacts, ...]
    lengths: tuple[Fraction, ...]

    @property
    def duration(self) -> Fraction:
        """Seconds of all samples, without what an edit list hides."""
        return sum(self.lengths, Fraction(0)) - Fraction(self.init.edit, max(1, self.init.timescale))

    @property
    def peak_bps(self) -> Fraction:
        """The largest segment's bits per second."""
        found = zip(self.segments, self.lengths, strict=True)
        return max((8 * s.num_bytes / length for s, length in found if length), default=Fraction(0))

    @property
    def average_bps(self) -> Fraction:
        """Bits per second of all segments."""
        seconds = sum(self.lengths, Fraction(0))
        return 8 * sum(s.num_bytes for s in self.segments) / seconds if seconds else Fraction(0)


def check_hls(library: Library) -> Iterator[str]:
    """Faults of the master playlist and everything that it names."""
    text = library.text(MASTER)
    if text is None:
        return
    master = parse_master(text)
    for fault in guarded(_master_faults(master)):
        yield f"{MASTER}: {fault}"
    measured: dict[str, MeasuredPlaylist] = {}
    names = [uri for _, uri in master.variants]
    names += [r["URI"] for r in master.renditions if r.get("TYPE") == "AUDIO" and "URI" in r]
    for name in names:
        if name in measured:
            continue
        faults: list[str] = []
        try:
            found = _measure(library, name, faults)
        except (ValueError, ArithmeticError) as error:
            found = None
            faults.append(f"has a value that cannot be read ({error})")
        yield from (f"{name}: {fault}" for fault in faults)
        if found is not None:
            measured[name] = found
    yield from _cross_faults(master, measured)
    for key in master.keys:
        yield from guarded(_key_faults(library, key), key.get("URI", ""))
    video = max((m.duration for m in measured.values() if m.init.kind == "video"), default=Fraction(0))
    for r in master.renditions:
        if r.get("TYPE") == "SUBTITLES":
            yield from guarded(_subtitle_faults(library, r.get("URI", ""), video), r.get("URI", ""))


def _master_faults(master: MasterPlaylist) -> Iterator[str]:
    yield from master.faults
    if not master.tags.get("EXT-X-VERSION", "0").isdigit() or int(master.tags.get("EXT-X-VERSION", "0")) < 7:
        yield "EXT-X-VERSION: at least 7 wanted for fragmented MP4 [RFC 8216 7]"
    if "EXT-X-INDEPENDENT-SEGMENTS" not in master.tags:
        yield "EXT-X-INDEPENDENT-SEGMENTS is missing [Apple 9.11]"
    if not master.variants:
        yield "names no variant [RFC 8216 4.3.4.2]"
    scores = {"SCORE" in attributes for attributes, _ in master.variants}
    if len(scores) > 1:
        yield "SCORE: on some variants only; on all or on none [Apple 9.19]"
    groups = {(r.get("TYPE"), r.get("GROUP-ID")) for r in master.renditions}
    for attributes, uri in master.variants:
        for name, rule in _REQUIRED.items():
            if name not in attributes:
                yield f"{uri}: {name} is missing [{rule}]"
        if attributes.get("CLOSED-CAPTIONS", "NONE") != "NONE":
            yield f"{uri}: CLOSED-CAPTIONS must be NONE [RFC 8216 4.3.4.2]"
        rate = attributes.get("FRAME-RATE", "0.000")
        if len(rate.partition(".")[2]) != 3:
            yield f"{uri}: FRAME-RATE {rate}: three decimals wanted [RFC 8216 4.3.4.2]"
        for kind in ("AUDIO", "SUBTITLES"):
            if kind in attributes and (kind, attributes[kind]) not in groups:
                yield f"{uri}: {kind} group {attributes[kind]} does not exist [RFC 8216 4.3.4.2]"
    for r in master.renditions:
        for name, rule in _OF_RENDITION.items():
            if not r.get(name):
                yield f"EXT-X-MEDIA: {name} is missing [{rule}]"
    for group in groups:
        members = [r for r in master.renditions if (r.get("TYPE"), r.get("GROUP-ID")) == group]
        if sum(r.get("DEFAULT") == "YES" for r in members) > 1:
            yield f"EXT-X-MEDIA: more than one default in group {group[1]} [RFC 8216 4.3.4.1.1]"
        if len({r.get("NAME") for r in members}) < len(members):
            yield f"EXT-X-MEDIA: a name is there twice in group {group[1]} [RFC 8216 4.3.4.1.1]"


def _measure(library: Library, name: str, faults: list[str]) -> MeasuredPlaylist | None:
    text = library.text(name)
    if text is None:
        return None
    playlist = parse_media(text)
    faults += playlist.faults
    faults += _playlist_faults(playlist)
    if not playlist.entries or playlist.entries[0].init is None:
        faults.append("EXT-X-MAP is missing [Apple 8.20]" if playlist.entries else "holds no segment")
        return None
    init = library.init(*playlist.entries[0].init)
    if init is None:
        return None
    segments, lengths = [], []
    expected: int | None = None if "EXT-X-MEDIA-SEQUENCE" in playlist.tags else 0
    for entry in playlist.entries:
        assert entry.init is not None
        init = library.init(*entry.init) or init
        facts = library.segment(entry.uri, entry.place, init)
        if facts is None:
            expected = None
            continue
        faults += part_faults(library, playlist, entry.parts, init, entry)
        segments.append(facts)
        lengths.append(facts.seconds(init))
        if abs(entry.seconds - facts.seconds(init)) > _ROUNDING:
            faults.append(
                f"{entry.uri}: EXTINF {float(entry.seconds):.6f} s, its samples last {float(facts.seconds(init)):.6f} s"
                " [Apple 8.1]"
            )
        if expected is not None and facts.start != expected and not entry.discontinuity:
            late = Fraction(abs(facts.start - expected), max(1, init.timescale))
            if expected or init.kind == "video" or late > _AUDIO_DIFFERENCE:
                faults.append(f"{entry.uri}: tfdt {facts.start}, {expected} wanted [Apple 7.3]")
        expected = facts.start + facts.duration
    opened = library.init(*playlist.open_init) if playlist.open_init else None
    if opened is not None:
        faults += part_faults(library, playlist, playlist.open_parts, opened)
    return MeasuredPlaylist(playlist, init, tuple(segments), tuple(lengths))


def _playlist_faults(playlist: MediaPlaylist) -> Iterator[str]:
    target = playlist.tags.get("EXT-X-TARGETDURATION", "")
    if not target.isdigit():
        yield "EXT-X-TARGETDURATION is missing [RFC 8216 4.3.3.1]"
    else:
        for e in playlist.entries:
            if int(e.seconds + Fraction(1, 2)) > int(target):
                beyond = f"EXTINF {float(e.seconds):.3f} s is beyond EXT-X-TARGETDURATION {target}"
                yield f"{e.uri}: {beyond} [RFC 8216 4.3.3.1]"
    yield from control_faults(playlist)
    kind = playlist.tags.get("EXT-X-PLAYLIST-TYPE")
    if kind == "VOD" and "EXT-X-ENDLIST" not in playlist.tags:
        yield "EXT-X-ENDLIST is missing [RFC 8216 4.3.3.4]"


def _cross_faults(master: MasterPlaylist, measured: dict[str, MeasuredPlaylist]) -> Iterator[str]:
    """Rules between a variant's attributes, its own segments, its audio, and the other variants."""
    reference: tuple[str, list[Fraction]] | None = None
    for attributes, uri in master.variants:
        if uri not in measured:
            continue
        own = measured[uri]
        audio = [
            measured[r["URI"]] for r in master.renditions
            if r.get("TYPE") == "AUDIO" and r.get("GROUP-ID") == attributes.get("AUDIO") and r.get("URI") in measured
        ]  # fmt: skip
        yield from (f"{MASTER}: {uri}: {fault}" for fault in guarded(_variant_faults(attributes, own, audio)))
        cuts = list(own.lengths)
        if reference is None:
            reference = (uri, cuts)
        elif len(cuts) == len(own.playlist.entries) and cuts != reference[1]:
            yield f"{uri}: its segments are not cut like those of {reference[0]} [RFC 8216 6.2.4]"
        for sound in audio:
            if abs(sound.duration - own.duration) > _AUDIO_DIFFERENCE:
                lasts = f"audio lasts {float(sound.duration):.3f} s, video {float(own.duration):.3f} s"
                yield f"{uri}: {lasts} [Apple 8.3]"


def _variant_faults(
    attributes: dict[str, str], own: MeasuredPlaylist, audio: Sequence[MeasuredPlaylist]
) -> Iterator[str]:
    peak = own.peak_bps + max((a.peak_bps for a in audio), default=Fraction(0))
    average = own.average_bps + max((a.average_bps for a in audio), default=Fraction(0))
    if int(attributes.get("BANDWIDTH", peak)) < int(peak):
        yield f"BANDWIDTH {attributes['BANDWIDTH']} is below the measured peak of {int(peak)} bits/s [Apple 9.13]"
    told = int(attributes.get("AVERAGE-BANDWIDTH", average))
    if abs(told - average) > average * _AVERAGE_TOLERANCE + 1:
        yield f"AVERAGE-BANDWIDTH {told} is more than 10 % off the measured {int(average)} bits/s [Apple 1.26]"
    wanted = list(dict.fromkeys([own.init.codecs, *(a.init.codecs for a in audio)]))
    if attributes.get("CODECS", "").split(",") != wanted:
        yield f"CODECS {attributes.get('CODECS')}: the init segments say {','.join(wanted)} [RFC 8216 4.3.4.2]"
    if attributes.get("RESOLUTION") != "{}x{}".format(*own.init.shown):
        shown = "{}x{}".format(*own.init.shown)
        yield f"RESOLUTION {attributes.get('RESOLUTION')}: the init segment says {shown} [RFC 8216 4.3.4.2]"


def _key_faults(library: Library, key: dict[str, str]) -> Iterator[str]:
    name = key.get("URI", "")
    text = library.text(name)
    if text is None:
        return
    playlist = parse_media(text)
    yield from (f"{name}: {fault}" for fault in playlist.faults)
    if "EXT-X-I-FRAMES-ONLY" not in playlist.tags:
        yield f"{name}: EXT-X-I-FRAMES-ONLY is missing [Apple 6.8]"
    peak = Fraction(0)
    for entry in playlist.entries:
        init = library.init(*entry.init) if entry.init else None
        if init is None or entry.place is None:
            yield f"{name}: {entry.uri}: EXT-X-MAP and EXT-X-BYTERANGE wanted [RFC 8216 4.3.3.6]"
            continue
        facts = library.fragment(entry.uri, entry.place, init)
        if facts is None:
            continue
        if facts.num_samples != 1 or facts.tracks != (1,):
            holds = f"the range holds {facts.num_samples} samples, one key frame wanted"
            yield f"{name}: {entry.uri}: {holds} [RFC 8216 4.3.3.6]"
        peak = max(peak, 8 * facts.num_bytes / entry.seconds if entry.seconds else Fraction(0))
    if int(key.get("BANDWIDTH", "0")) < int(peak):
        below = f"BANDWIDTH {key.get('BANDWIDTH')} is below the measured peak of {int(peak)} bits/s"
        yield f"{MASTER}: {name}: {below} [Apple 6.9]"


def _subtitle_faults(library: Library, name: str, video: Fraction) -> Iterator[str]:
    text = library.text(name)
    if text is None:
        return
    playlist = parse_media(text)
    yield from (f"{name}: {fault}" for fault in (*playlist.faults, *_playlist_faults(playlist)))
    total = sum((e.seconds for e in playlist.entries), Fraction(0))
    if abs(total - video) > _ROUNDING * (1 + len(playlist.entries)):
        yield f"{name}: lasts {float(total):.3f} s, video {float(video):.3f} s [Apple 5.5]"
    for entry in playlist.entries:
        cues = library.text(entry.uri)
        if cues is not None and not cues.startswith("WEBVTT"):
            yield f"{entry.uri}: is no WebVTT [Apple 5.2]"
        elif cues is not None and "X-TIMESTAMP-MAP" not in cues:
            yield f"{entry.uri}: X-TIMESTAMP-MAP is missing [Apple 5.3]"
