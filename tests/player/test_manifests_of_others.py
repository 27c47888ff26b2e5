"""HLS and DASH as others write them: groups of sound, subtitles, periods, times, live windows. Nothing here is ours."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest

from gvideo.errors import MediaError, UnsupportedError
from player.source.dash import read_dash
from player.source.dash_times import seconds_of
from player.source.fetch import Fetcher
from player.source.follow import reload_track
from player.source.hls import read_hls
from player.source.record import newer
from player.source.stream import read_presentation

MEDIA = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:6
#EXT-X-MAP:URI="init.mp4"
#EXTINF:5.005,
1.m4s
#EXTINF:5.005,
2.m4s
#EXT-X-ENDLIST
"""
GROUPS = """#EXTM3U
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac",NAME="Deutsch",LANGUAGE="de",AUTOSELECT=YES,URI="a/de.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,URI="a/en.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="ac3",NAME="English",LANGUAGE="en",DEFAULT=YES,URI="a/ac3.m3u8"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="English",LANGUAGE="en",URI="s/en.m3u8"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="CC1",LANGUAGE="en",INSTREAM-ID="CC1"
#EXT-X-STREAM-INF:BANDWIDTH=2200000,AVERAGE-BANDWIDTH=2000000,CODECS="gsv1.00.10.08,mp4a.40.2",AUDIO="aac",SUBTITLES="subs"
v/hi.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS="gsv1.00.10.08,mp4a.40.2",AUDIO="aac",SUBTITLES="subs"
v/lo.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2500000,AVERAGE-BANDWIDTH=2300000,CODECS="gsv1.00.10.08,ac-3",AUDIO="ac3",SUBTITLES="subs"
v/hi.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=3000000,CODECS="avc1.4d401f,mp4a.40.2",AUDIO="aac"
v/avc.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=100000,URI="v/keys.m3u8"
"""


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


def test_groups_and_variants_that_share_playlists(tmp_path):
    """One playlist in two variants is one track with the sound of both; defaults come first."""
    names = ("v/hi", "v/lo", "a/de", "a/en", "a/ac3", "s/en")
    write(tmp_path, {"m.m3u8": GROUPS} | {f"{n}.m3u8": MEDIA for n in names})
    found = read_hls(str(tmp_path / "m.m3u8"), Fetcher(), codec="gsv1")
    video = [t for t in found.tracks if t.kind == "video"]
    assert [(t.levels[0].id, t.levels[0].average_bps, t.levels[0].peak_bps) for t in video] == [
        ("v/hi.m3u8", 2000000, 2200000), ("v/lo.m3u8", 0, 900000),
    ]  # fmt: skip
    assert [(t.language, t.group) for t in found.renditions("audio", video[0])] == [
        ("en", "audio:aac"), ("en", "audio:ac3"), ("de", "audio:aac"),
    ]  # fmt: skip
    assert [t.language for t in found.renditions("audio", video[1])] == ["en", "de"]
    assert [t.name for t in found.renditions("subtitles", video[1])] == ["English"]
    assert found.tracks[0].segments[1].media.url == str(tmp_path / "v" / "2.m4s")
    assert found.notes == ()


def test_sound_that_cannot_be_had_is_left_out(tmp_path):
    names = ("v/hi", "v/lo", "a/en", "s/en", "a/ac3")
    write(tmp_path, {"m.m3u8": GROUPS} | {f"{n}.m3u8": MEDIA for n in names})
    found = read_hls(str(tmp_path / "m.m3u8"), Fetcher(), codec="gsv1")
    (note,) = found.notes
    assert note.startswith("audio 'Deutsch' is left out: ")
    assert "de.m3u8" in note
    (tmp_path / "v" / "lo.m3u8").unlink()
    with pytest.raises(MediaError, match=r"lo\.m3u8"):
        read_hls(str(tmp_path / "m.m3u8"), Fetcher(), codec="gsv1")


def live(first: int, count: int, *, discontinuity: int = 0, broken: int = -1, end: bool = False) -> str:
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
    lines += [f"#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuity}", '#EXT-X-MAP:URI="i.mp4"']
    for n in range(first, first + count):
        lines += ["#EXT-X-DISCONTINUITY"] * (n == broken) + ["#EXTINF:2.0,", f"{n}.m4s"]
    return "\n".join(lines + ["#EXT-X-ENDLIST"] * end) + "\n"


def test_a_sliding_window(tmp_path):
    """Segments keep their places when the playlist is read again; what is new is told from what is known."""
    path = tmp_path / "live.m3u8"
    path.write_text(live(7, 4, discontinuity=3, broken=9))
    found = read_hls(str(path), Fetcher())
    (track,) = found.tracks
    assert found.is_live
    assert (found.update_seconds, found.delay_seconds) == (2, 6)
    assert [s.place[:2] for s in track.segments] == [(3, 7), (3, 8), (4, 9), (4, 10)]
    path.write_text(live(9, 4, discontinuity=3, broken=9))
    again, is_live = reload_track(track, Fetcher())
    assert is_live
    # the tag stands before the first segment that is left: the number counts it from now on
    path.write_text(live(10, 4, discontinuity=4, end=True))
    again, is_live = reload_track(track, Fetcher())
    assert not is_live
    assert [s.place[:2] for s in newer(track.segments, again.segments)] == [(4, 11), (4, 12), (4, 13)]


def test_gaps_are_not_asked_for(tmp_path):
    path = tmp_path / "gap.m3u8"
    path.write_text(MEDIA.replace("#EXTINF:5.005,\n2", "#EXT-X-GAP\n#EXTINF:5.005,\n2"))
    assert len(read_hls(str(path), Fetcher()).tracks[0].segments) == 1


HEAD = '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" '
SET = '<AdaptationSet mimeType="video/mp4" contentType="video">{}</AdaptationSet>'
TIME = (
    '<SegmentTemplate timescale="1000" initialization="$RepresentationID$/i.mp4" '
    'media="$RepresentationID$/t$Time$.m4s">'
    '<SegmentTimeline>{}</SegmentTimeline></SegmentTemplate><Representation id="{}" bandwidth="900000" codecs="gsv1"/>'
)


def read(tmp_path: Path, text: str, **options: object):  # type: ignore[no-untyped-def]
    path = tmp_path / "m.mpd"
    path.write_text(text)
    return read_dash(str(path), Fetcher(), **options)  # type: ignore[arg-type]


def names(track) -> list[str]:  # type: ignore[no-untyped-def]
    return [Path(s.media.url).name for s in track.segments]


def test_times_in_names_and_periods_with_ids_of_their_own(tmp_path):
    """$Time$, S@t, S@r to the period's end, and two periods whose representations have other names."""
    text = (
        HEAD + 'type="static" mediaPresentationDuration="PT0H0M18S">'
        '<Period id="main" duration="PT10S">'
        + SET.format(TIME.format('<S t="0" d="4000" r="1"/><S d="2000"/>', "a"))
        + '</Period><Period id="ad">'
        + SET.format(TIME.format('<S t="90000" d="3000" r="-1"/>', "b").replace(
            'timescale="1000"', 'timescale="1000" presentationTimeOffset="90000"'))
        + "</Period></MPD>"
    )  # fmt: skip
    (track,) = read(tmp_path, text).tracks
    assert names(track) == ["t0.m4s", "t4000.m4s", "t8000.m4s", "t90000.m4s", "t93000.m4s", "t96000.m4s"]
    assert [s.part for s in track.segments] == [0, 0, 0, 1, 1, 1]
    assert [s.origin for s in track.segments][2:4] == [0, 90]
    assert sum(s.seconds for s in track.segments) == 19
    assert Path(track.segments[3].init.url).parts[-2:] == ("b", "i.mp4")


def test_numbers_with_an_end_and_leading_zeros(tmp_path):
    text = (
        HEAD + 'mediaPresentationDuration="PT20S"><Period>'
        + SET.format(
            '<Representation id="v" bandwidth="1" codecs="gsv1"><SegmentTemplate duration="4" startNumber="5" '
            'endNumber="7" initialization="i" media="$Bandwidth$_$Number%04d$$$.m4s"/></Representation>')
        + "</Period></MPD>"
    )  # fmt: skip
    assert names(read(tmp_path, text).tracks[0]) == ["1_0005$.m4s", "1_0006$.m4s", "1_0007$.m4s"]


def test_a_live_manifest_by_the_clock(tmp_path):
    """Without a timeline the wall clock tells which segments are there, and the window which still are."""
    text = (
        HEAD + 'type="dynamic" availabilityStartTime="2026-01-01T00:00:00Z" minimumUpdatePeriod="PT3S" '
        'timeShiftBufferDepth="PT10S" suggestedPresentationDelay="PT6S"><Period start="PT10S" id="7">'
        + SET.format(
            '<Representation id="v" bandwidth="1" codecs="gsv1"><SegmentTemplate duration="2" '
            'initialization="i" media="$Number$.m4s"/></Representation>')
        + "</Period></MPD>"
    )  # fmt: skip
    for second, wanted in ((9, []), (13, [1]), (25, [3, 4, 5, 6, 7])):
        moment = datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC)
        found = read(tmp_path, text, now=lambda m=moment: m)
        assert names(found.tracks[0]) == [f"{n}.m4s" for n in wanted]
    assert found.is_live
    assert (found.update_seconds, found.delay_seconds) == (3, 6)
    assert {s.part for s in found.tracks[0].segments} == {7}


def test_a_live_timeline_is_read_again(tmp_path):
    """Numbers may count from the entry that is first now; times stay."""

    def manifest(entries: str) -> str:
        return (
            HEAD + 'type="dynamic" availabilityStartTime="2026-01-01T00:00:00Z" minimumUpdatePeriod="PT0S">'
            '<Period start="PT0S">' + SET.format(TIME.format(entries, "v")) + "</Period></MPD>"
        )

    (track,) = read(tmp_path, manifest('<S t="4000" d="2000" r="2"/>')).tracks
    (tmp_path / "m.mpd").write_text(manifest('<S t="6000" d="2000" r="3"/>'))
    again, is_live = reload_track(track, Fetcher())
    assert is_live
    assert [Path(s.media.url).name for s in newer(track.segments, again.segments)] == ["t10000.m4s", "t12000.m4s"]


def test_sound_subtitles_and_what_is_protected(tmp_path):
    """Roles, languages, labels, a file of WebVTT; text within MP4 and encrypted pictures are passed over."""
    video = '<Representation id="v" bandwidth="9" codecs="gsv1"><BaseURL>v.mp4</BaseURL></Representation>'
    text = (
        HEAD + 'mediaPresentationDuration="PT8S"><Period>'
        + SET.format(video)
        + SET.format("<ContentProtection/>" + video.replace('id="v"', 'id="p"'))
        + '<AdaptationSet mimeType="audio/mp4" lang="de"><Representation id="d" bandwidth="1" codecs="mp4a.40.2">'
        "<BaseURL>d.mp4</BaseURL></Representation></AdaptationSet>"
        '<AdaptationSet mimeType="audio/mp4" lang="en"><Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>'
        '<Label>Original</Label><Representation id="e" bandwidth="1"><BaseURL>e.mp4</BaseURL></Representation>'
        '</AdaptationSet><AdaptationSet contentType="text" mimeType="text/vtt" lang="fr"><Representation id="s" '
        'bandwidth="1"><BaseURL>s.vtt</BaseURL></Representation></AdaptationSet>'
        '<AdaptationSet contentType="text" mimeType="application/mp4" codecs="wvtt"><Representation id="w" '
        'bandwidth="1"/></AdaptationSet></Period></MPD>'
    )  # fmt: skip
    found = read(tmp_path, text)
    assert [t.levels[0].id for t in found.tracks] == ["v", "d", "e", "s"]
    assert [(t.language, t.name) for t in found.renditions("audio")] == [("en", "Original"), ("de", "")]
    (subtitles,) = found.renditions("subtitles")
    assert (Path(subtitles.segments[0].media.url).name, subtitles.segments[0].seconds) == ("s.vtt", 8)


def test_periods_that_lack_sound_or_a_picture(tmp_path):
    """Sound may be missing in a period; a picture may not."""
    sound = '<Representation id="a" bandwidth="1"><BaseURL>{}</BaseURL></Representation>'
    sound = f'<AdaptationSet mimeType="audio/mp4">{sound}</AdaptationSet>'
    video = SET.format('<Representation id="v" bandwidth="9" codecs="gsv1"><BaseURL>v.mp4</BaseURL></Representation>')

    def manifest(second: str) -> str:
        periods = (
            f'<Period duration="PT4S">{video}{sound.format("1.mp4")}</Period><Period duration="PT4S">{second}</Period>'
        )
        return HEAD + f'mediaPresentationDuration="PT8S">{periods}</MPD>'

    found = read(tmp_path, manifest(video))
    assert [len(t.segments) for t in found.tracks] == [2, 1]
    with pytest.raises(UnsupportedError, match="different tracks"):
        read(tmp_path, manifest(sound.format("2.mp4")))


def test_durations():
    assert seconds_of("P1DT2H3M4.5S") == Fraction(2 * (86400 + 7200 + 180 + 4) + 1, 2)
    assert seconds_of("PT0.001S") == Fraction(1, 1000)


def test_kinds_are_asked_for(tmp_path):
    """Decoding reads no playlist of sound."""
    write(tmp_path, {"m.m3u8": GROUPS} | {f"{n}.m3u8": MEDIA for n in ("v/hi", "v/lo")})
    found, _ = read_presentation(str(tmp_path / "m.m3u8"), Fetcher())
    assert {t.kind for t in found.tracks} == {"video"}
    assert found.notes == ()
