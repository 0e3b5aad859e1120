"""What a free text says of time and taste. The functions take a folded text (``words.fold``) or its words."""

import re
from typing import NamedTuple

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
THEMES = {
    "culture": "culture cultural theatre theater theatres opera tradition traditions traditional temples",
    "food": "food foodie foodies eat eating restaurants cuisine culinary gastronomy gourmet tasting",
    "nature": "nature hike hikes hiking park parks outdoor outdoors garden gardens beach beaches wildlife",
    "nightlife": "nightlife bar bars club clubs clubbing pub pubs partying cocktails",
    "family": "family families kid kids child children toddler toddlers",
    "shopping": "shopping shop shops boutique boutiques mall malls",
    "history": "history historic historical ancient ruins castle castles palaces museum museums heritage",
    "art": "art arts artistic gallery galleries painting paintings museum museums murals",
}
LODGING_WORDS = {
    "budget": "cheap cheaply inexpensive hostel hostels backpacking backpacker backpackers shoestring frugal",
    "comfort": "luxury luxurious luxuriously upscale deluxe lavish splurge",
}

_NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "fourteen": 14, "fifteen": 15, "twenty": 20, "thirty": 30,
    "couple of": 2, "couple": 2, "few": 3, "several": 4,
}  # fmt: skip
_DAYS_IN = {"day": 1, "night": 1, "week": 7, "fortnight": 14, "month": 30, "weekend": 2}
_WEEKDAY = "(mon|tues|wednes|thurs|fri|satur|sun)day"
_RANGE = re.compile(rf"\b{_WEEKDAY}s?\s*(?:to|until|till|through|-|\u2013)\s*{_WEEKDAY}")
_START = re.compile(
    rf"\b(?:on|from|starting|starts|start|beginning|arriving|arrive|leaving)\s(?:on\s)?(?:a\s)?{_WEEKDAY}"
)
_LENGTH = re.compile(
    r"(?P<long>\blong[\s-]weekend)|(?P<trip>\bday[\s-]trip)|"
    r"(?P<whole>\bweek-?\s?long|\b(?:a|the)?\s?weekend\b)|"
    # "a quiet family week", but not "a trip next week"
    r"\ba\s(?:(?!(?:next|this|last|per|every|each|for|in|of)\b)[a-z]+\s){0,2}(?P<one>week|fortnight|month)\b|"
    # "3 days", "five-day", but not "a 2026 weekend"
    rf"(?<![\d.,$])(?:(?P<digits>(?!(?:19|20)\d\d)\d{{1,4}})|\b(?P<word>{'|'.join(_NUMBERS)}))[\s-]*"
    r"(?:full |whole )?(?P<unit>day|night|weekend|week|fortnight|month)s?\b"
)
_PLAIN_MONTH = "january|february|april|june|july|september|october|november|december"
_SHY_MONTH = "march|may|august|jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec"
_TIME_WORD = "in|during|this|next|of|early|mid|late|until|for"
# "May I", "an august city" and "Jan" are no months; after a time word, or before a year, they are.
_MONTH = re.compile(rf"\b(?:({_PLAIN_MONTH})|(?:{_TIME_WORD})[\s-]({_SHY_MONTH})|({_SHY_MONTH})\s\d{{4}})\b")
_NEGATIONS = frozenset({"no", "not", "without", "avoid", "skip", "hate", "dislike"})


def _by_word(groups: dict[str, str]) -> dict[str, tuple[str, ...]]:
    index: dict[str, tuple[str, ...]] = {}
    for name, text in groups.items():
        for word in text.split():
            index[word] = (*index.get(word, ()), name)
    return index


_THEMES_OF = _by_word(THEMES)
_LODGING_OF = _by_word(LODGING_WORDS)


class Span(NamedTuple):
    """How long a trip is to be and on which weekday (0 is Monday) it starts; None where nothing is said."""

    days: int | None
    weekday: int | None


def find_span(text: str) -> Span:
    """Reads "3 days", "a week", "4 nights" (5 days), "a long weekend" (from Friday), "Friday to Monday".

    A length after "for" wins, else the first one. Zero days say nothing.
    """
    if between := _RANGE.search(text):
        first, last = (_weekday(part) for part in between.groups())
        return Span((last - first) % 7 + 1, first)
    lengths = list(_LENGTH.finditer(text))
    start = _START.search(text)
    weekday = _weekday(start[1]) if start else None
    if not lengths:
        return Span(None, weekday)
    meant = (match for match in lengths if text.endswith(("for ", "for a "), 0, match.start()))
    length = next(meant, lengths[0])
    return Span(_days(length) or None, _usual_start(length) if weekday is None else weekday)


def find_month(text: str) -> int | None:
    """The first month named, 1 to 12. "Next month" and "summer" stay unread: what they mean depends."""
    match = _MONTH.search(text)
    if not match:
        return None
    name = match[match.lastindex or 0]
    return next(number for number, month in enumerate(MONTHS, start=1) if month.startswith(name[:3]))


def find_themes(words: list[str]) -> list[str]:
    """The themes named, in the order of the text. "No nightlife" names none."""
    found: dict[str, None] = {}
    for at, word in enumerate(words):
        if word in _THEMES_OF and (at == 0 or words[at - 1] not in _NEGATIONS):
            found.update(dict.fromkeys(_THEMES_OF[word]))
    return list(found)


def find_lodging(words: list[str]) -> str | None:
    """``budget`` for "a cheap trip", ``comfort`` for "a luxury week", else None."""
    return next((_LODGING_OF[word][0] for word in words if word in _LODGING_OF), None)


def _days(match: re.Match[str]) -> int:
    if match["long"] or match["trip"]:
        return 3 if match["long"] else 1
    if match["whole"]:
        return 7 if "week" in match["whole"] and "weekend" not in match["whole"] else 2
    if match["one"]:
        return _DAYS_IN[match["one"]]
    count = int(match["digits"]) if match["digits"] else _NUMBERS[match["word"]]
    return count * _DAYS_IN[match["unit"]] + (match["unit"] == "night" and count > 0)


def _usual_start(match: re.Match[str]) -> int | None:
    if match["long"]:
        return WEEKDAYS.index("friday")
    return WEEKDAYS.index("saturday") if "weekend" in match[0] else None


def _weekday(stem: str) -> int:
    return WEEKDAYS.index(f"{stem}day")
