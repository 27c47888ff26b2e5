"""Values in playlists of HLS as RFC 8216 §4.2 defines them: attribute lists and decimals.

    NAME=VALUE,NAME="VALUE, with a comma",NAME=4.5

Nobody checks here which names there are, nor that a value is there.
"""

from __future__ import annotations

import re
from fractions import Fraction

_DECIMAL = re.compile(r"[0-9]{1,10}(\.[0-9]{1,20})?")
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)(?:,|$)')


def parse_attributes(text: str) -> dict[str, str]:
    """An attribute list; quotes are taken off."""
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(text)}


def parse_decimal(text: str) -> Fraction | None:
    """A decimal number as playlists write it, None for anything else: Fraction reads powers of ten that fill the
    memory."""
    return Fraction(text.strip()) if _DECIMAL.fullmatch(text.strip()) else None
