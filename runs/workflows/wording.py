"""How a fault is put into words: where it is, what was written there, and what may have been meant."""

import difflib
import json
from collections.abc import Collection, Iterable
from itertools import islice
from typing import Final

from versioning.documents import pointers

_LONGEST_POINTER: Final = 2000
_SHOWN: Final = 60


def pointer(path: Iterable[str | int]) -> str:
    """The JSON Pointer of ``path``; of its nearest ancestor when names are absurdly long."""
    segments = [str(part) for part in path]
    while len(found := pointers.join(*segments)) > _LONGEST_POINTER:
        segments.pop()
    return found


def shown(text: str) -> str:
    """``text`` in quotes, cut to what a sentence can carry."""
    return json.dumps(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…", ensure_ascii=False)


def listed(words: Iterable[str]) -> str:
    """``a, b and c``."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


class Speller:
    """Proposes the closest of the names that there are.

    Only for the first few words that it is asked about, and among a few hundred names of about their length: to compare
    is slow, and who writes a thousand wrong names has not mistyped them.
    """

    _WORDS: Final = 10
    _CANDIDATES: Final = 200
    _LONGEST: Final = 40

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._asked = 0

    def __call__(self, word: str) -> str:
        """A question to end a sentence with, or nothing."""
        if len(word) > self._LONGEST or self._asked >= self._WORDS:
            return ""
        self._asked += 1
        near = (name for name in self._names if abs(len(name) - len(word)) <= 3)
        found = difflib.get_close_matches(word, islice(near, self._CANDIDATES), n=1, cutoff=0.7)
        return f' Did you mean "{found[0]}"?' if found else ""
