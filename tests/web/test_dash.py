"""DASH in the page: what the packager publishes, live periods, and manifests as others write them."""

from __future__ import annotations

import json
import math
import wave
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streams import Made, make_stream

import gvideo

package = pytest.importorskip("packager.package")
sink = pytest.importorskip("packager.sink")

CAPTIONS = "1\n00:00:00,200 --> 00:00:01,400\nSalt\n\n2\n00:00:02,000 --> 00:00:02,600\nLater\n"
NAMESPACE = 'xmlns="urn:mpeg:dash:schema:mpd:2011"'


def publish(folder: Path, made: list[Made], *, sound: bool = False, single: bool = False) -> None:
    """Streams of three seconds as the packager publishes them."""
    source = folder.parent / "source"
    source.mkdir()
    paths = [source / f"{number}.gsv" for number in range(len(made))]
    for path, stream in zip(paths, made, strict=True):
        path.write_bytes(stream.data)
    (source / "captions.srt").write_text(CAPTIONS)
    with wave.open(str(source / "tone.wav"), "wb") as file:
        file.setparams((1, 2, 48000, 0, "NONE", ""))
        tone = 6000 * np.sin(np.arange(3 * 48000) * (2 * math.pi * 440 / 48000))
        file.writeframes(tone.astype("<i2").tobytes())
    sounds = ((source / "tone.wav", "en"),) if sound else ()
    captions = ((source / "captions.srt", "en"),) if sound else ()
    package.package_streams(
        package.open_rungs(paths), sink.open_sink(str(folder)), package.Extras(None, sounds, captions, single, "Test")
    )


def stream(**options: Any) -> Made:
    return make_stream(
        **{"num_segments": 3, "num_frames": 25, "count": 120, "index": True, "width": 96, "height": 64, **options}
    )


def test_layers_sound_and_captions_of_a_published_manifest(media: Path, open_player: Callable[..., Any]) -> None:
    made = stream(num_layers=2, count=600)
    publish(media, [made], sound=True)
    page = open_player("/media/manifest.mpd")
    assert page.evaluate("return [player.numFrames, player.duration, player.live, player.hasSound]") == [
        75, 3, False, True
    ]  # fmt: skip
    names = page.evaluate("return player.qualities.map((q) => q.label)")
    assert names == ["64p, layer 1 of 2", "64p, layer 2 of 2"]
    page.assert_shows_layers(made.data)
    page.listen()
    page.evaluate("await player.seek(0); player.play();")
    page.wait("events.includes('ended')", 30)
    assert page.evaluate("return notices") == []
    assert page.evaluate("return [...heard].sort()") == ["", "Later", "Salt"]
    assert page.evaluate("return apart") < 0.05
    assert page.evaluate("return player.element.played.end(0)") > 2.8


def test_a_layer_is_added_by_its_own_bytes(media: Path, server: Any, open_player: Callable[..., Any]) -> None:
    publish(media, [stream(num_layers=2, count=600)])
    page = open_player("/media/manifest.mpd")
    page.evaluate("player.quality = 0; await player.seek(1.5);")
    page.wait("player.statistics.quality === 0 && player.buffered.at(-1)[1] === 3")
    before = len(server.requests)
    page.evaluate("player.quality = 1;")
    page.wait("player.statistics.quality === 1")
    again = [(path, wanted) for path, wanted in server.requests[before:] if "seg_2" in path]
    assert all(not wanted.startswith("bytes=0-") for _, wanted in again)
    assert again


def test_a_ladder_of_single_files_is_found_by_their_indices(media: Path, open_player: Callable[..., Any]) -> None:
    made = [stream(width=w, height=h, seed=w) for w, h in ((48, 32), (96, 64))]
    publish(media, made, single=True)
    assert "indexRange" in (media / "manifest.mpd").read_text()
    page = open_player("/media/manifest.mpd")
    assert page.evaluate("return player.qualities.map((q) => q.label)") == ["32p", "64p"]
    assert page.evaluate("return [player.numFrames, player.duration]") == [75, 3]
    for quality in (1, 0):
        page.evaluate(f"player.quality = {quality}; await player.seekFrame(31);")
        page.wait(f"player.statistics.quality === {quality}")
        page.assert_shows(gvideo.VideoDecoder(made[quality].data)[31])


def test_live_periods_grow_slide_and_end(media: Path, server: Any, open_player: Callable[..., Any]) -> None:
    live_module = pytest.importorskip("packager.live")
    gsv = pytest.importorskip("packager.gsv")
    made = [stream(seed=seed, num_segments=6, count=40) for seed in (1, 2)]
    files = []
    for number, one in enumerate(made):
        path = media.parent / f"{number}.gsv"
        path.write_bytes(one.data)
        files.append(gsv.GsvFile(path))
    live = live_module.LivePublisher(sink.open_sink(str(media)), datetime.now(UTC), Fraction(1), Fraction(3))

    def show() -> None:
        text = (media / "manifest.mpd").read_text()
        server.texts["/media/live.mpd"] = text.replace('minimumUpdatePeriod="PT2S"', 'minimumUpdatePeriod="PT0.5S"')

    pieces = [list(file.pieces()) for file in files]
    live.begin(files[0].track())
    for piece in pieces[0][:2]:
        live.add(piece)
    show()
    page = open_player("/media/live.mpd")
    assert page.evaluate("return [player.live, ...player.seekable]") == [True, 0, 2]
    for piece in pieces[0][2:]:
        live.add(piece)
    show()
    page.wait("player.duration === 6")
    live.begin(files[1].track())
    for piece in pieces[1][:3]:
        live.add(piece)
    show()
    page.wait("player.duration === 9")
    assert (media / "manifest.mpd").read_text().count("<Period ") == 2
    assert page.evaluate("return player.seekable[0]") >= 1
    for seconds, number, within in ((8.5, 1, 2.5), (5.5, 0, 5.5)):
        page.evaluate(f"await player.seek({seconds});")
        page.assert_shows(gvideo.VideoDecoder(made[number].data).get_frame_played_at(within).data)
    live.add(pieces[1][3])
    live.end()
    show()
    page.wait("!player.live && player.duration === 10")
    page.evaluate("await player.seek(9.5);")
    page.assert_shows(gvideo.VideoDecoder(made[1].data).get_frame_played_at(3.5).data)
    assert page.evaluate("return notices") == []


def foreign(inner: str, *, mpd: str = 'type="static" mediaPresentationDuration="PT3S"', period: str = "") -> str:
    """A manifest of one representation as somebody else might write it."""
    return f"""<?xml version="1.0"?>
<MPD {NAMESPACE} {mpd}><BaseURL>deep/</BaseURL>
 <Period {period}><BaseURL>../</BaseURL><AdaptationSet mimeType="video/mp4" codecs="gsv1.00.20.08">
  <Representation id="v" bandwidth="90000" width="96" height="64">{inner}</Representation>
 </AdaptationSet></Period></MPD>"""


TIMELINE = '<SegmentTimeline><S t="{t}" d="1000" r="-1"/></SegmentTimeline>'
TEMPLATES = {
    "number and duration": (
        '<SegmentTemplate media="seg_$Number$.m4s" initialization="init.mp4" duration="1" startNumber="0"/>'
    ),
    "number in a timeline without an end": (
        '<SegmentTemplate media="seg_$Number%01d$.m4s" initialization="init.mp4" timescale="1000" startNumber="0">'
        + TIMELINE.format(t=0) + "</SegmentTemplate>"
    ),
    "time": (
        '<SegmentTemplate media="seg_$Time$.m4s" initialization="init.mp4">'
        '<SegmentTimeline><S t="0" d="1"/><S d="1" r="1"/></SegmentTimeline></SegmentTemplate>'
    ),
    "a list with one duration": (
        '<SegmentList duration="1"><Initialization sourceURL="init.mp4"/>'
        + "".join(f'<SegmentURL media="seg_{k}.m4s"/>' for k in range(3)) + "</SegmentList>"
    ),
    "media time that does not begin at 0": (
        '<SegmentTemplate media="seg_$Number$.m4s" initialization="init.mp4" timescale="1000" startNumber="1" '
        'presentationTimeOffset="1000">' + TIMELINE.format(t=1000) + "</SegmentTemplate>"
    ),
}  # fmt: skip


def test_manifests_of_others(media: Path, write_folder: Any, server: Any, open_player: Callable[..., Any]) -> None:
    made = stream(num_segments=4)
    write_folder(media, made)
    server.texts |= {f"/media/{k}.mpd": foreign(inner) for k, inner in enumerate(TEMPLATES.values())}
    page = open_player(f"/media/{len(TEMPLATES) - 1}.mpd")  # that of the presentationTimeOffset
    assert page.evaluate("return [player.numFrames, player.duration]") == [75, 3]
    for seconds in (2.5, 0.25):
        page.evaluate(f"await player.seek({seconds});")
        page.assert_shows(gvideo.VideoDecoder(made.data).get_frame_played_at(seconds + 1).data)
    assert page.evaluate("return notices") == []
    found = page.evaluate(f"""
        const {{ openSource }} = await import("/player/source/open.js");
        const {{ Http }} = await import("/player/source/http.js");
        return Promise.all(Array.from({{ length: {len(TEMPLATES)} }}, async (_, k) => {{
          const source = await openSource(`/media/${{k}}.mpd`, new Http());
          const sizes = await Promise.all(source.segments.map((s) => source.load(s, 0).then(({{ size }}) => size)));
          return [source.qualities, source.segments.map(({{ start, duration }}) => [start, duration]), sizes];
        }}));
    """)
    lengths = [(media / f"seg_{k}.m4s").stat().st_size for k in range(4)]
    quality = {"label": "64p", "bandwidth": 90000, "width": 96, "height": 64}
    times = [[0, 1], [1, 1], [2, 1]]
    assert found == [[[quality], times, lengths[:3]]] * (len(TEMPLATES) - 1) + [[[quality], times, lengths[1:]]]


def test_segments_of_a_live_manifest_come_with_the_clock(
    media: Path, write_folder: Any, server: Any, open_player: Callable[..., Any]
) -> None:
    write_folder(media, stream(num_segments=8, count=40))
    inner = '<SegmentTemplate media="seg_$Number$.m4s" initialization="init.mp4" duration="1" startNumber="0"/>'
    mpd = 'type="dynamic" availabilityStartTime="2026-01-02T03:04:05Z" timeShiftBufferDepth="PT4S"'
    server.texts["/media/live.mpd"] = foreign(inner, mpd=mpd, period='start="PT0S"')
    page = open_player("/media/none.mpd", wait=False)
    page.wait("failed")
    began = round(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp() * 1000)
    page.evaluate(f"Date.now = () => {began} + 3200; open_player('/media/live.mpd', {{ resolution: 'source' }});")
    page.wait("events.includes('ready')")
    assert page.evaluate("return [player.live, ...player.seekable]") == [True, 0, 3]
    page.evaluate(f"Date.now = () => {began} + 6300;")
    page.wait("player.duration === 6")
    assert page.evaluate("return player.seekable[0]") == 2
    assert sum(path == "/media/live.mpd" for path, _ in server.requests) == 1  # it promises no updates
    assert page.evaluate("return notices") == []


#: What a manifest says, and what is said of it.
WRONG = {
    "<MPD": "it is no XML",
    "<html/>": "it begins with html, MPD wanted",
    "<!DOCTYPE MPD><MPD/>": "a DOCTYPE is not allowed in a manifest",
    f"<MPD {NAMESPACE}/>": "nothing in it is gsv1 video",
    foreign("", mpd='mediaPresentationDuration="3 s"'): 'MPD@mediaPresentationDuration "3 s" is no duration',
    foreign('<SegmentTemplate media="a.m4s"/>'): "SegmentTemplate: neither SegmentTimeline nor a duration is given",
    foreign('<SegmentTemplate duration="1"/>'): "SegmentTemplate@media is missing",
    foreign('<SegmentTemplate media="a" duration="x"/>'): 'SegmentTemplate@duration "x" is no number',
    foreign('<SegmentTemplate media="a" duration="1" timescale="0"/>'): "SegmentTemplate@timescale is 0",
    foreign('<SegmentTemplate media="a" duration="1" timescale="9000000"/>'):
        "a representation has more than 200000 segments",
    foreign('<SegmentTemplate media="a"><SegmentTimeline><S d="0"/></SegmentTimeline></SegmentTemplate>'): "S@d is 0",
    foreign('<SegmentTemplate media="a"><SegmentTimeline/></SegmentTemplate>'): "it lists no segment",
    foreign("<SegmentBase/>"): "SegmentBase@indexRange is missing",
    foreign('<SegmentBase indexRange="9-2"/>'): "the byte range 9-2 is none",
    foreign('<SegmentList duration="1"><SegmentURL media="http://[/"/></SegmentList>'): "http://[/ is no address",
    foreign("<ContentProtection/>"): "what it offers is encrypted, which this player does not read",
    foreign("", mpd='type="dynamic" availabilityStartTime="soon"'): 'MPD@availabilityStartTime "soon" is no date',
}  # fmt: skip


def test_what_is_wrong_with_a_manifest_is_one_line(server: Any, open_player: Callable[..., Any]) -> None:
    server.texts |= {f"/media/{number}/x.mpd": text for number, text in enumerate(WRONG)}
    page = open_player("/media/none.mpd", wait=False)
    said = page.evaluate(f"""
        const {{ openSource }} = await import("/player/source/open.js");
        const {{ Http }} = await import("/player/source/http.js");
        const open = (_, k) => openSource(`/media/${{k}}/x.mpd`, new Http()).then(() => "", (error) => error.message);
        return Promise.all(Array.from({{ length: {len(WRONG)} }}, open));
    """)
    assert "\n" not in "".join(said)
    assert [text.split(" (")[0] for text in said] == [f"x.mpd: {text}" for text in WRONG.values()]


def parsed(page: Any, text: str, expression: str, now: str = "0") -> Any:
    return page.evaluate(f"""
        const {{ parseManifest }} = await import("/player/source/mpd.js");
        const manifest = parseManifest({json.dumps(text)}, "http://host/a/x.mpd", {now});
        const segments = () => manifest.periods[0].representations[0].segments().segments;
        return {expression};
    """)


def test_times_and_names(open_player: Callable[..., Any]) -> None:
    page = open_player("/nowhere", wait=False)
    template = (
        '<SegmentTemplate timescale="10" presentationTimeOffset="50" startNumber="7" media="$$$RepresentationID$/'
        '$Bandwidth%06d$-$Number%03d$-$Time$"><SegmentTimeline><S t="50" d="20" r="1"/><S t="95" d="15" r="-1"/>'
        "</SegmentTimeline></SegmentTemplate>"
    )
    found = parsed(page, foreign(template, mpd="", period='duration="P0Y0DT0M7.5S"'), "segments()")
    assert [(s["time"], s["seconds"], s["origin"]) for s in found] == [
        (5, 2, 5), (7, 2, 5), (9.5, 1.5, 5), (11, 1.5, 5)
    ]  # fmt: skip
    assert [s["url"] for s in found] == [
        f"http://host/a/$v/090000-{name}" for name in ("007-50", "008-70", "009-95", "010-110")
    ]
    # the last of equal segments ends with its period
    equal = '<SegmentTemplate media="$Number$" duration="2"/>'
    lengths = parsed(page, foreign(equal, mpd='mediaPresentationDuration="PT5S"'), "segments().map((s) => s.seconds)")
    assert lengths == [2, 2, 1]
    # a moment without a zone is in UTC
    live = 'type="dynamic" availabilityStartTime="1970-01-01T00:00:10" timeShiftBufferDepth="PT6S"'
    numbers = "segments().map((s) => s.url.split('/').at(-1))"
    assert parsed(page, foreign(equal, mpd=live), numbers, "10999 + 9000") == ["2", "3", "4"]
    open_end = TIMELINE.format(t=0).join(('<SegmentTemplate timescale="1000" media="$Time$">', "</SegmentTemplate>"))
    assert parsed(page, foreign(open_end, mpd=live), numbers, "12500") == ["0", "1000"]
