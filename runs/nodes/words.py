"""Free text made comparable: case and accents folded, words apart."""

import re
import unicodedata

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
