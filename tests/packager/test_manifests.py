"""Playlists and MPDs against literal files, and as the parsers of others read them."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import m3u8
import pytest
from lxml import etree
from mpegdash.parser import MPEGDASHParser

from packager import dash, hls
from packager.isobmff.entries import AudioSampleEntry, VisualSampleEntry
from packager.presentation import (
    ByteRange,
    Live,
    PublishedPresentation,
    PublishedSegment,
    Representation,
    Subtitles,
    SubtitleSegment,
    Thumbnails,
)
from packager.publish import scored
from packager.tracks import MediaTrack
from packager.virtual import virtual

EXPECTED = Path(__file__).parent / "expected"


def video_track(codecs: str, layers: int = 1) -> MediaTrack:
    entries = tuple(VisualSampleEntry() for _ in range(layers))
    rate = Fraction(30000, 1001)
    return MediaTrack("video", 30000, entries, codecs, lambda: iter(()), width=640, height=360, frame_rate=rate)


def segments(
    folder: str, sizes: list[int], places: list[ByteRange | None], key: ByteRange
) -> tuple[PublishedSegment, ...]:
    durations = [60060, 60060, 45045]
    starts = [0, 60060, 120120]
    return tuple(
        PublishedSegment(f"{folder}/seg_{n}.m4s", start, duration, size, place, key)
        for n, start, duration, size, place in zip((1, 2, 3), starts, durations, sizes, places, strict=True)
    )


def layered(layer: int, sizes: list[int]) -> Representation:
    places: list[ByteRange | None] = [ByteRange(0, n) for n in sizes]
    own = segments("v0-aa", sizes, places, ByteRange(116, 900))
    return Representation(f"v0_{layer}", video_track("gsv1.00.21.08", 2), "v0-aa/init.mp4", own, layer=layer)


def make_presentation() -> PublishedPresentation:
    avc = video_track("avc1.64001e")
    fallback = Representation(
        "f0", avc, "f0-bb/init.mp4", segments("f0-bb", [50000, 60000, 20000], [None] * 3, ByteRange(24, 9000)),
        template="f0-bb/seg_$Number$.m4s",
    )  # fmt: skip
    single = (ByteRange(900, 7000), ByteRange(7900, 8000), ByteRange(15900, 5000))
    base = segments("", [7000, 8000, 5000], [*single], single[0])
    own = tuple(replace(s, uri="v1-cc.mp4", key=ByteRange(p.offset, 300)) for s, p in zip(base, single, strict=True))
    half = replace(video_track("gsv1.00.20.08"), width=320, height=180)
    whole = Representation("v1", half, "v1-cc.mp4", own, ByteRange(0, 800), ByteRange(800, 100))
    sound = MediaTrack(
        "audio", 48000, (AudioSampleEntry(),), "mp4a.40.2", lambda: iter(()), language="en", name='English "original"',
        channels=2, sample_rate=48000,
    )  # fmt: skip
    durations = [96256, 96256, 71680]
    audio = Representation(
        "a0", sound, "a0-dd/init.mp4",
        tuple(PublishedSegment(f"a0-dd/seg_{n + 1}.m4s", sum(durations[:n]), durations[n], 32000) for n in range(3)),
        template="a0-dd/seg_$Number$.m4s",
    )  # fmt: skip
    two, rest = Fraction(1001, 500), Fraction(3003, 2000)
    subtitles = Subtitles(
        "s0", "de", "Deutsch", "s0/all.vtt",
        tuple(SubtitleSegment(f"s0/seg_{n}.vtt", d) for n, d in ((1, two), (2, two), (3, rest))), 300,
    )  # fmt: skip
    rungs = scored([fallback], [layered(1, [9000, 8000, 7000]), layered(2, [20000, 19000, 15000]), whole])
    thumbnails = Thumbnails("thumbnails.jpg", "thumbnails.vtt", 160, 90, 6, 1, Fraction(1), 9000)
    return PublishedPresentation(rungs, (audio,), (subtitles,), thumbnails, title="A <film> & more")


PRESENTATION = make_presentation()


def live_presentation(*, window: Fraction | None, ended: bool = False) -> PublishedPresentation:
    """Two inputs, the first of two segments and the second of one; with a window the first segment has gone."""
    started = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    rung = next(r for r in PRESENTATION.video if r.id == "f0")
    first = tuple(replace(s, at=started + timedelta(seconds=s.start / 30000)) for s in rung.segments[:2])
    begun = Fraction(120120, 30000)
    last = replace(rung.segments[2], start=0, uri="f0-cc/seg_3.m4s", at=started + timedelta(seconds=float(begun)))
    gone = window is not None
    parts = (
        replace(rung, segments=first[gone:], first_number=1 + gone),
        replace(rung, segments=(last,), first_number=3, init="f0-cc/init.mp4", template="f0-cc/seg_$Number$.m4s"),
    )
    each = tuple(PublishedPresentation((part,)) for part in parts)
    live = Live(started, each, (Fraction(0), begun), 2, window, 1 + gone, 0, ended)
    return PublishedPresentation(parts[-1:], live=live)


def expected(name: str, text: str) -> None:
    path = EXPECTED / name
    if os.environ.get("GVIDEO_REWRITE_EXPECTED"):
        path.write_text(text)
    assert path.read_text() == text


def test_vod_playlists_are_literally_these():
    found = hls.playlists(PRESENTATION)
    assert list(found)[-1] == "master.m3u8"
    assert sorted(found) == sorted(p.name for p in EXPECTED.glob("*.m3u8") if not p.name.startswith("live"))
    for name, text in found.items():
        expected(name, text)


def test_vod_mpd_is_literally_this():
    expected("manifest.mpd", dash.manifest(PRESENTATION))


@pytest.mark.parametrize(("name", "window"), [("event", None), ("window", Fraction(4))])
def test_live_manifests_are_literally_these(name, window):
    p = live_presentation(window=window)
    expected(f"live_{name}.m3u8", hls.playlists(p)["f0.m3u8"])
    expected(f"live_{name}.mpd", dash.manifest(p))


def test_an_ended_event_has_an_end():
    p = live_presentation(window=None, ended=True)
    assert hls.playlists(p)["f0.m3u8"].endswith("#EXT-X-ENDLIST\n")
    assert 'type="static"' in dash.manifest(p)
    assert 'mediaPresentationDuration="PT5.5055S"' in dash.manifest(p)


def test_m3u8_package_reads_the_master():
    master = m3u8.loads(hls.master_playlist(PRESENTATION))
    assert master.is_variant
    assert master.is_independent_segments
    assert [p.uri for p in master.playlists] == ["v0_2.m3u8", "v0_1.m3u8", "v1.m3u8", "f0.m3u8"]
    best = master.playlists[0].stream_info
    assert best.resolution == (640, 360)
    assert best.frame_rate == 29.97
    assert best.codecs == "gsv1.00.21.08,mp4a.40.2"
    assert best.closed_captions == "NONE"
    assert best.bandwidth >= best.average_bandwidth > 0
    assert [(m.type, m.group_id, m.language) for m in master.media] == [
        ("AUDIO", "audio", "en"), ("SUBTITLES", "subtitles", "de"),
    ]  # fmt: skip
    assert len(master.iframe_playlists) == 3


def test_m3u8_package_reads_the_rungs():
    rung = m3u8.loads(hls.playlists(PRESENTATION)["v0_1.m3u8"])
    assert rung.is_endlist
    assert rung.version == 7
    assert [s.byterange for s in rung.segments] == ["9000@0", "8000@0", "7000@0"]
    assert [s.duration for s in rung.segments] == [2.002, 2.002, 1.5015]
    assert rung.segment_map[0].uri == "v0-aa/init.mp4"
    window = live_presentation(window=Fraction(4))
    live = m3u8.loads(hls.playlists(window)["f0.m3u8"])
    assert not live.is_endlist
    assert live.media_sequence == 2
    assert live.segments[0].program_date_time == datetime(2026, 1, 2, 3, 4, 7, 2000, tzinfo=UTC)
    assert [s.discontinuity for s in live.segments] == [False, True]
    assert [s.init_section.uri for s in live.segments] == ["f0-bb/init.mp4", "f0-cc/init.mp4"]


def test_bandwidth_is_the_measured_peak_with_audio():
    rung = next(r for r in PRESENTATION.video if r.id == "v0_2")
    peak = max(Fraction(8 * s.num_bytes * 30000, s.duration) for s in rung.segments)
    audio = max(Fraction(8 * s.num_bytes * 48000, s.duration) for s in PRESENTATION.audio[0].segments)
    told = m3u8.loads(hls.master_playlist(PRESENTATION)).playlists[0].stream_info.bandwidth
    assert peak + audio <= told <= peak + audio + 2


def test_mpegdash_package_reads_the_mpd():
    mpd = MPEGDASHParser.parse(dash.manifest(PRESENTATION))
    groups = mpd.periods[0].adaptation_sets
    found = {r.id: r for g in groups for r in g.representations}
    assert set(found) == {"v0_1", "v0_2", "v1", "f0", "a0", "s0", "thumbnails"}
    urls = found["v0_1"].segment_lists[0].segment_urls
    assert (urls[0].media, urls[0].media_range) == ("v0-aa/seg_1.m4s", "0-8999")
    assert found["v1"].segment_bases[0].index_range == "800-899"
    times = found["f0"].segment_templates[0].segment_timelines[0].Ss
    assert [(s.t, s.d, s.r) for s in times] == [(0, 60060, 1), (None, 45045, None)]
    assert found["v0_2"].frame_rate == "30000/1001"


def test_rungs_with_names_of_their_own_need_no_ranges():
    p = virtual(PRESENTATION)
    text = hls.media_playlist(next(r for r in p.video if r.id == "v0_1_rungs"))
    assert "BYTERANGE" not in text
    assert "\nr1/v0-aa/seg_2.m4s\n" in text
    assert 'media="r2/v0-aa/seg_$Number$.m4s"' in dash.manifest(p)


XLINK = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="http://www.w3.org/1999/xlink">
<xs:attribute name="href" type="xs:anyURI"/><xs:attribute name="actuate" type="xs:string"/>
<xs:attribute name="type" type="xs:string"/><xs:attribute name="show" type="xs:string"/></xs:schema>"""


@pytest.mark.parametrize(
    "p",
    [
        PRESENTATION,
        virtual(PRESENTATION),
        live_presentation(window=None),
        live_presentation(window=Fraction(4)),
        live_presentation(window=Fraction(4), ended=True),
    ],
)
def test_mpd_is_valid_against_the_schema(p, tmp_path):
    schema = os.environ.get("GVIDEO_DASH_SCHEMA")
    if not schema:
        pytest.skip("set GVIDEO_DASH_SCHEMA to a copy of DASH-MPD.xsd (MPEGGroup/DASHSchema) to run this")
    text = Path(schema).read_text()
    (tmp_path / "xlink.xsd").write_text(XLINK)
    root = etree.fromstring(text.encode())
    for element in root.iter("{*}import"):
        element.set("schemaLocation", str(tmp_path / "xlink.xsd"))
    etree.XMLSchema(root).assertValid(etree.fromstring(dash.manifest(p).encode()))
