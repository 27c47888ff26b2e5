"""Sources that come over a network or from a device: which names are such, and how FFmpeg's libraries open them.

    rtmp rtmps rtsp rtsps srt udp rtp tcp http https ://…
    v4l2:/dev/video0?framerate=30&video_size=640x360      x11grab::0.0      lavfi:testsrc2=size=640x360,realtime

A device is FFmpeg's name of its input, what that input calls the device, and the input's options. Opening and each read
end after some seconds in which nothing came, whatever the protocol's own idea of patience is.
"""

from __future__ import annotations

import re
import urllib.parse

import av
import av.container
import av.error

from gvideo.errors import MediaError

SCHEMES = ("rtmp", "rtmps", "rtsp", "rtsps", "srt", "udp", "rtp", "tcp", "http", "https")
#: Inputs of libavdevice that give pictures (FFmpeg's documentation, "Input Devices").
DEVICES = ("v4l2", "x11grab", "fbdev", "kmsgrab", "lavfi", "avfoundation", "dshow", "gdigrab")
#: What a source may open in turn: never files of this machine.
_PROTOCOLS = "rtmp,rtmps,rtmpt,rtmpts,rtmpe,rtsp,srt,udp,udplite,rtp,srtp,tcp,tls,http,https,httpproxy,crypto"
_OPTIONS = {
    "protocol_whitelist": _PROTOCOLS,
    "probesize": "200000",
    "rtsp_flags": "prefer_tcp",  # cameras behind routers do not get their datagrams through
    "overrun_nonfatal": "1",
}


def is_network_source(name: str) -> bool:
    """Whether a name is the URL of a stream or of a device, which is read as it comes."""
    return is_device(name) or ("://" in name and name.partition("://")[0].lower() in SCHEMES)


def is_device(name: str) -> bool:
    """Whether a name is that of a device, whose end is no lost connection."""
    scheme, colon, rest = name.partition(":")
    return bool(colon) and scheme in DEVICES and not rest.startswith("//")


def shown_name(name: str) -> str:
    """The name for messages: without what a URL says before the host, which may be a password."""
    return re.sub(r"(?<=://)[^/@]*@", "", name) if is_network_source(name) else name


def open_network(name: str, silence_s: float) -> av.container.InputContainer:
    """Connects to a source. silence_s: seconds after which opening, or a read, gives up. Raises MediaError."""
    try:
        if is_device(name):
            return _open_device(name, silence_s)
        return av.open(name, options=dict(_OPTIONS), timeout=silence_s, metadata_errors="ignore")
    except av.error.ProtocolNotFoundError as error:
        scheme = name.partition("://")[0]
        raise MediaError(
            f"{shown_name(name)}: the FFmpeg libraries of this PyAV have no {scheme}; let a program that has it read "
            f"the source: ffmpeg -i URL -c copy -f mpegts - | gvideo encode - --live …"
        ) from error
    except av.error.ExitError as error:
        raise MediaError(f"{shown_name(name)}: nothing came within {silence_s:g} s") from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MediaError(f"{shown_name(name)}: cannot be opened ({reason}); is it there, and sending?") from error


def _open_device(name: str, silence_s: float) -> av.container.InputContainer:
    kind, _, rest = name.partition(":")
    # a graph of filters holds its options itself
    path, _, query = (rest, "", "") if kind == "lavfi" else rest.partition("?")
    if not any(kind in names.split(",") for names in av.formats_available):
        raise MediaError(f"{name}: the FFmpeg libraries of this PyAV have no input {kind} on this system")
    options = dict(urllib.parse.parse_qsl(query))
    return av.open(path, format=kind, options=options, timeout=silence_s, metadata_errors="ignore")
