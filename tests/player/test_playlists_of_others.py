"""Media playlists as others send them: variables, queries, redirects, line ends, and only what is new."""

from __future__ import annotations

from fractions import Fraction

import pytest
from packaged import playlists_of_parts

from gvideo.errors import InvalidError
from packager.server.low_latency import read_progress, without_old
from player.source.dash import read_dash
from player.source.fetch import Fetched, Fetcher
from player.source.hls import read_hls, reload_track
from player.source.hls_delta import whole_playlist
from player.source.record import Presentation, Track

HOST = "https://a.example/"


class Answers(Fetcher):
    """Gives texts by address, where `moved` says so under another one; notes what it was asked for."""

    def __init__(self, texts: dict[str, str], moved: dict[str, str] | None = None) -> None:
        super().__init__()
        self.texts, self.moved = texts, moved or {}
        self.asked: list[str] = []

    def whole(self, url: str) -> Fetched:
        self.asked.append(url)
        url = self.moved.get(url, url)
        data = self.texts[url].encode()
        return Fetched(data, len(data), url)


MASTER = """#EXTM3U
#EXT-X-DEFINE:NAME="show",VALUE="film"
#EXT-X-DEFINE:QUERYPARAM="user"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="{$show}",DEFAULT=YES,URI="{$show}/sound.m3u8?u={$user}"
#EXT-X-STREAM-INF:BANDWIDTH=9,CODECS="gsv1.00.10.08",AUDIO="a"
{$show}/v.m3u8?token=a%2Bb
"""
MEDIA = """#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-DEFINE:IMPORT="show"
#EXT-X-DEFINE:QUERYPARAM="token"
#EXT-X-DEFINE:NAME="n",VALUE="{$show}"
#EXT-X-MAP:URI="{$show}.mp4?t={$token}"
#EXTINF:2,{$title}
https://b.example/{$n}1.m4s
#EXTINF:2,
2.m4s?t={$token}
#EXT-X-ENDLIST
"""
SOUND = """#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-MAP:URI="{$show}.mp4"
#EXTINF:2,
{$show}.m4s
#EXT-X-ENDLIST
"""


def media(track: Track) -> list[str]:
    return [segment.media.url for segment in track.segments]


def test_variables():
    """Of three kinds, in addresses and quoted strings, not within one another, behind a redirect, and none at all."""
    texts = {
        f"{HOST}m.m3u8?user=%C3%A9": MASTER,
        f"{HOST}x/v.m3u8?token=a%2Bb": MEDIA,
        f"{HOST}film/sound.m3u8?u=é": SOUND,
    }
    fetcher = Answers(texts, {f"{HOST}film/v.m3u8?token=a%2Bb": f"{HOST}x/v.m3u8?token=a%2Bb"})
    found = read_hls(f"{HOST}m.m3u8?user=%C3%A9", fetcher)
    video, sound = found.tracks
    assert media(video) == ["https://b.example/{$show}1.m4s", f"{HOST}x/2.m4s?t=a+b"]
    assert video.segments[0].init.url == f"{HOST}x/film.mp4?t=a+b"
    assert sound.name == "film"
    assert media(sound) == [f"{HOST}film/{{$show}}.m4s"]  # it defines nothing
    assert media(reload_track(video, fetcher)[0]) == media(video)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('#EXT-X-DEFINE:NAME="a"', "there is no value of a"),
        ('#EXT-X-DEFINE:IMPORT="b"', "there is no value of b"),
        ('#EXT-X-DEFINE:QUERYPARAM="c"', "there is no value of c"),
        ('#EXT-X-DEFINE:NAME="a",VALUE="1",IMPORT="a"', "one NAME, IMPORT or QUERYPARAM wanted"),
        ('#EXT-X-DEFINE:NAME="ä",VALUE="1"', "one NAME, IMPORT or QUERYPARAM wanted"),
        ('#EXT-X-DEFINE:NAME="q",VALUE="1"\n#EXT-X-DEFINE:QUERYPARAM="q"', "defines q twice"),
        ('#EXT-X-MAP:URI="{$late}"\n#EXT-X-DEFINE:NAME="late",VALUE="1"', "late is used before"),
    ],
)
def test_variables_that_are_wrong(line, words):
    text = MEDIA.replace('#EXT-X-DEFINE:IMPORT="show"', line)
    with pytest.raises(InvalidError, match=words):
        read_hls(f"{HOST}v.m3u8?q=1&token=2", Answers({f"{HOST}v.m3u8?q=1&token=2": text}))


def test_line_ends_marks_and_queries():
    plain = MEDIA.replace('#EXT-X-DEFINE:IMPORT="show"', '#EXT-X-DEFINE:NAME="show",VALUE="film"')
    url = f"{HOST}deep/v.m3u8?token=/a/"
    expected = read_hls(url, Answers({url: plain})).tracks[0]
    assert media(expected)[1] == f"{HOST}deep/2.m4s?t=/a/"
    found = read_hls(url, Answers({url: "\ufeff" + plain.replace("\n", "\r\n")})).tracks[0]
    assert found == expected


def test_bases_one_within_the_other():
    text = """<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT4S">
<BaseURL>https://b.example/root/?session=1</BaseURL><Period><BaseURL>../period/</BaseURL>
<AdaptationSet mimeType="video/mp4"><BaseURL>set/</BaseURL><Representation id="r" bandwidth="1" codecs="gsv1">
<BaseURL>./level/</BaseURL><SegmentList duration="2"><Initialization sourceURL="i.mp4"/>
<SegmentURL media="1.m4s?x=1&amp;y=2"/><SegmentURL media="/2.m4s"/></SegmentList>
</Representation></AdaptationSet></Period></MPD>"""
    (track,) = read_dash(f"{HOST}m.mpd", Answers({f"{HOST}m.mpd": text})).tracks
    assert media(track) == ["https://b.example/period/set/level/1.m4s?x=1&y=2", "https://b.example/2.m4s"]
    assert track.segments[0].init.url == "https://b.example/period/set/level/i.mp4"


# --- only what is new


@pytest.fixture(scope="module")
def playlists(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return playlists_of_parts(tmp_path_factory.mktemp("live"))


def record(text: str) -> Presentation:
    return read_hls(f"{HOST}v0.m3u8", Answers({f"{HOST}v0.m3u8": text}), in_pieces=True)


def test_a_playlist_is_made_whole_from_an_older_one(playlists):
    """Whatever part of the stream passed in between, it says what the whole one says."""
    num_skipped = 0
    for place, text in enumerate(playlists):
        sent = without_old(text, read_progress(text).skip_until or Fraction(12))
        num_skipped += sent != text
        for age in (0, 1, 5, 11):
            copy = playlists[max(place - age, 0)]
            whole = whole_playlist(sent, copy)
            assert whole is not None
            assert record(whole) == record(text)
    assert num_skipped > 50
    assert whole_playlist(playlists[0], "") == playlists[0]


def test_copies_that_lack_what_was_left_out(playlists):
    text = playlists[50]
    sent = without_old(text, Fraction(12))
    assert "#EXT-X-SKIP" in sent
    assert whole_playlist(sent, playlists[0]) is None
    assert whole_playlist(sent, "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:x\n") is None
    assert whole_playlist(sent, playlists[90]) is None  # newer than what was sent
    assert whole_playlist(sent.replace("SKIPPED-SEGMENTS=", "SKIPPED-SEGMENTS=" + "9" * 5000), text) is None
    ranges = text.replace("#EXTINF", "#EXT-X-BYTERANGE:10\n#EXTINF")
    assert whole_playlist(sent, ranges) is None


def test_only_what_is_new_is_asked_for(playlists):
    """By one whose copy is young enough; what it cannot be made whole from is asked for once more, whole."""
    url = f"{HOST}v0.m3u8"
    texts = {url: playlists[52]}
    fetcher = Answers(texts)
    (track,) = read_hls(url, fetcher, in_pieces=True).tracks
    assert track.edge is not None
    asked = f"{url}?{track.edge.following}"
    texts[f"{asked}&_HLS_skip=YES"] = without_old(playlists[53], Fraction(12))
    track = reload_track(track, fetcher)[0]
    assert fetcher.asked[1:] == [f"{asked}&_HLS_skip=YES"]
    assert media(track) == media(record(playlists[53]).tracks[0])
    assert track.edge is not None
    asked = f"{url}?{track.edge.following}"
    texts |= {f"{asked}&_HLS_skip=YES": "#EXTM3U\n#EXT-X-SKIP:SKIPPED-SEGMENTS=99\n", asked: playlists[54]}
    track = reload_track(track, fetcher)[0]
    assert fetcher.asked[2:] == [f"{asked}&_HLS_skip=YES", asked]
    assert media(track) == media(record(playlists[54]).tracks[0])
