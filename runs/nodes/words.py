"""Words: free text made comparable, and small pieces of text put together."""

import re
import unicodedata
from collections.abc import Sequence

_WORD = re.compile(r"[^\W_]+")
# Letters that Unicode does not take apart into a base letter and an accent.
_LETTERS = str.maketrans("øØłŁđĐ\u0131", "oOlLdDi")


def fold(text: str) -> str:
    """``text`` in lower case without accents; punctuation stays ("São Paulo, $9" gives "sao paulo, $9")."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(letter for letter in apart if not unicodedata.combining(letter)).casefold()


def split(folded: str) -> list[str]:
    """The words of a folded text, without punctuation: "rio-bound, 3-day" gives ``rio bound 3 day``."""
    return _WORD.findall(folded)


def counted(number: int, noun: str) -> str:
    """``1 day``, ``4 days``."""
    return f"{number} {noun}{'s' * (number != 1)}"


def listed(names: Sequence[str], joint: str) -> str:
    """``a``, ``a and b``, ``a, b and c``, with ``joint`` before the last."""
    *first, last = names
    return f"{', '.join(first)} {joint} {last}" if first else last
