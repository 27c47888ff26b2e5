"""What is written over the picture: statistics, help, subtitles, messages; as text, apart from any window."""

from __future__ import annotations

from player.presentation.keys import HELP
from player.presentation.session import Session


def clock_text(seconds: float) -> str:
    """h:mm:ss, or m:ss below an hour."""
    whole = max(0, int(seconds))
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def help_lines() -> list[str]:
    """The keys."""
    return [f"{keys:<12}{what}" for keys, what in HELP]


def statistics_lines(session: Session) -> list[str]:
    """Numbers of playing."""
    reel, numbers, painter, picture = session.reel, session.numbers, session.painter, session.picture
    width, height = session.window
    lines = [
        f"time      {session.position:.3f} of {reel.end:.3f} s" + ("  live" if reel.is_live else ""),
        f"speed     {session.clock.speed:g}x, {numbers.rate:.1f} pictures/s, {painter.num_dropped} dropped",
    ]
    if picture is not None:
        high, wide = picture.pixels.shape[:2]
        lines += [
            f"drawn     {wide}x{high} for {width}x{height}, {1000 * painter.seconds_a_picture:.1f} ms each",
            f"level     {picture.level + 1} of {reel.num_levels}, {_bits(reel.bitrate(picture.number, picture.level))}",
        ]
    if reel.rate_bps:
        lines.append(f"buffer    {reel.ahead_seconds:.1f} s, network {_bits(reel.rate_bps)}")
    lines.append(
        f"stalls    {numbers.num_stalls}, {numbers.stall_seconds:.2f} s; start {numbers.startup_seconds:.2f} s"
    )
    if session.sound is not None and numbers.offsets:
        mean = 1000 * sum(numbers.offsets) / len(numbers.offsets)
        lines.append(f"A/V       picture {abs(mean):.1f} ms {'after' if mean >= 0 else 'before'} the sound")
    lines.append(f"zoom      {session.view.zoom:.2f}x")
    return lines


def status_line(session: Session) -> str:
    """What a viewer must know at once: waiting, the end."""
    if session.is_waiting and session.is_playing:
        return "waiting …"
    if session.has_ended:
        return "the end: space plays it again, q leaves"
    return "" if session.is_playing else f"paused at {clock_text(session.position)}"


def _bits(bps: float) -> str:
    return f"{bps / 1e6:.2f} Mbit/s" if bps >= 1e6 else f"{bps / 1e3:.0f} kbit/s"
