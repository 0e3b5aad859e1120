"""Finds the catalogue's cities, and near misses of their names, in a text (a list of folded words)."""

from difflib import get_close_matches
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from runs.nodes import words
from runs.nodes.catalogue import cities

_WELL_KNOWN = ("Paris", "Tokyo", "New York")
_WORDS_LOOKED_AT = 40


class Mention(NamedTuple):
    """A city named in a text; ``origin`` when it follows "from", and so is where the traveller sets out."""

    city: str
    origin: bool


def find_cities(text: list[str]) -> list[Mention]:
    """The cities named, by name or alias, in the order of the text: whole words, the longest name wins."""
    index = _index()
    found: list[Mention] = []
    at = 0
    while at < len(text):
        for name, city in index.get(text[at], ()):
            if tuple(text[at : at + len(name)]) == name:
                found.append(Mention(city, at > 0 and text[at - 1] == "from"))
                at += len(name) - 1
                break
        at += 1
    return found


def suggest_cities(text: list[str]) -> list[str]:
    """Up to five cities that the text may have meant: of a country that it names, else spelt nearly so."""
    spoken = f" {' '.join(text)} "
    of_country = [city.name for city in cities().values() if f" {_plain(city.country)} " in spoken]
    return (of_country or _nearly_spelt(text[:_WORDS_LOOKED_AT]))[:5]


def well_known_cities() -> list[str]:
    """A few cities to name as examples."""
    return list(_WELL_KNOWN)


def _nearly_spelt(text: list[str]) -> list[str]:
    names = _spellings()
    singles = [word for word in text if len(word) > 3]
    doubles = [" ".join(pair) for pair in pairwise(text)]
    hits = [hit for spelt in singles + doubles for hit in get_close_matches(spelt, names, n=1, cutoff=0.78)]
    return list(dict.fromkeys(names[hit] for hit in hits))


@cache
def _spellings() -> dict[str, str]:
    known = cities().values()
    return {_plain(spelling): city.name for city in known for spelling in (city.name, *city.aliases)}


def _plain(name: str) -> str:
    return " ".join(words.split(words.fold(name)))


@cache
def _index() -> dict[str, list[tuple[tuple[str, ...], str]]]:
    """The names by their first word, the longest first."""
    index: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for spelling, city in _spellings().items():
        name = tuple(spelling.split())
        index.setdefault(name[0], []).append((name, city))
    for names in index.values():
        names.sort(key=lambda pair: -len(pair[0]))
    return index
