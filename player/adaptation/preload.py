"""The piece of a live stream that comes next, asked for before it is there (EXT-X-PRELOAD-HINT): the server answers
once it is published, so that its bytes come as soon as its name.

    hint ──► request (held by the server) ─ ─ ─► bytes ──► taken when the piece is wanted, or dropped
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future

from player.source.fetch import Fetcher
from player.source.record import Resource

#: Pieces that were asked for and not taken yet: the one that comes and the one behind it.
_MOST = 2


class Preload:
    """Requests run in threads of their own; what fails is fetched when it is wanted."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._asked: OrderedDict[Resource, Future[bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def request(self, place: Resource) -> None:
        """Asks for what will be wanted, unless that was done."""
        with self._lock:
            if place in self._asked:
                return
            answer: Future[bytes] = Future()
            self._asked[place] = answer
            while len(self._asked) > _MOST:
                self._asked.popitem(last=False)
        threading.Thread(target=self._read, args=(place, answer), daemon=True).start()

    def take(self, place: Resource) -> bytes | None:
        """The bytes of what was asked for, waited for if they are on their way; None if they are not to be had so."""
        with self._lock:
            answer = self._asked.pop(place, None)
        return None if answer is None or answer.exception() else answer.result()

    def _read(self, place: Resource, answer: Future[bytes]) -> None:
        try:
            answer.set_result(self._fetcher.read(place.url, place.offset, place.size))
        except BaseException as error:
            answer.set_exception(error)
