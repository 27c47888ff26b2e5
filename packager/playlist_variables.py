"""Variables of playlists (RFC 8216, second edition, §4.3 and §4.4.2.3), put in their places before a parser sees them.

    #EXT-X-DEFINE:NAME="host",VALUE="cdn.example"
    #EXT-X-DEFINE:QUERYPARAM="token"               from the address of the playlist, behind redirects
    #EXT-X-DEFINE:IMPORT="show"                    from the multivariant playlist
    https://{$host}/{$show}/1.m4s?token={$token}

They stand in addresses and in quoted strings. A playlist that defines none keeps whatever looks like one.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping

from gvideo.errors import InvalidError

_DEFINE = "#EXT-X-DEFINE:"
_REFERENCE = re.compile(r"\{\$([A-Za-z0-9_-]+)\}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII)
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)="([^"]*)"', re.ASCII)
_QUOTED = re.compile(r'"[^"]*"')


def substitute(text: str, url: str, imported: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """A playlist with the values of its variables, and these by name.

    url: where it was found. imported: what its multivariant playlist defines. Raises InvalidError for a variable that
    is defined twice, without a value, or not before it is used.
    """
    if _DEFINE not in text:
        return text, {}
    values: dict[str, str] = {}

    def value(match: re.Match[str]) -> str:
        try:
            return values[match[1]]
        except KeyError:
            raise InvalidError(f"{url}: the variable {match[1][:40]} is used before EXT-X-DEFINE defines it") from None

    lines = []
    for line in text.splitlines():
        if line.startswith(_DEFINE):
            name, found = _defined(line.removeprefix(_DEFINE), url, imported)
            if name in values:
                raise InvalidError(f"{url}: EXT-X-DEFINE defines {name} twice")
            values[name] = found
        elif not line.startswith("#"):
            lines.append(_REFERENCE.sub(value, line))
        elif line.startswith("#EXT"):
            lines.append(_QUOTED.sub(lambda quoted: _REFERENCE.sub(value, quoted[0]), line))
        else:
            lines.append(line)
    return "\n".join(lines) + "\n", values


def _defined(attributes: str, url: str, imported: Mapping[str, str]) -> tuple[str, str]:
    found = dict(_ATTRIBUTE.findall(attributes))
    kinds = [kind for kind in ("NAME", "IMPORT", "QUERYPARAM") if kind in found]
    if len(kinds) != 1 or not _NAME.fullmatch(found[kinds[0]]):
        raise InvalidError(f"{url}: EXT-X-DEFINE:{attributes[:80]}: one NAME, IMPORT or QUERYPARAM wanted")
    name = found[kinds[0]]
    if kinds == ["NAME"]:
        value = found.get("VALUE")
    elif kinds == ["IMPORT"]:
        value = imported.get(name)
    else:
        value = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query)).get(name)
    if value is None or any(character in value for character in '"\r\n'):
        raise InvalidError(f"{url}: EXT-X-DEFINE: there is no value of {name}")
    return name, value
