"""US dollars: written for people, and read out of free text. Amounts are integers in cents.

Only US dollars are understood. There is no exchange rate that would give the same answer tomorrow, so an
amount in another currency is left out, and ``names_foreign_money`` lets the caller say so.
"""

import re
from decimal import Decimal
from typing import Literal, NamedTuple

HIGHEST_BUDGET_CENTS = 1_000_000_000

_FACTORS = {"": 1, "k": 1_000, "hundred": 100, "thousand": 1_000, "grand": 1_000, "million": 1_000_000}
_UPWARDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_WORDS = {"a": 1} | {word: number for number, word in enumerate(_UPWARDS, start=1)}
_NUMBER = (
    r"(?:\d++(?:,\d{3})*+(?:\.\d++)?+(?:\s?(?:k|hundred|thousand|grand|million)\b)?+"
    rf"|\b(?:{'|'.join(_WORDS)})\s(?:hundred|thousand|grand|million)\b)"
)
_PARTS = re.compile(r"([\d.,]+|[a-z]+)\s?([a-z]*)")
_FOREIGN_UNIT = (
    r"(?:[€£¥₹₩₽₺]|(?:eur|euros?|gbp|pounds?|quid|sterling|yen|jpy|yuan|cny|rmb|rupees?|inr|francs?|chf|won|"
    r"krw|pesos?|reais|brl|cad|aud|nzd|(?:canadian|australian|singapore|hong kong|new zealand) dollars?)\b)"
)
_BEFORE = r"(?:(?:\bus|(?<![a-z]))\$|\busd|\bus dollars?)\s?"
_AFTER = r"\s?(?:\$|usd\b|(?:us |u\.s\. |american )?dollars?\b|bucks\b)"
_BUDGET = r"\bbudget(?:\s(?:is|of|at|about|around|under|up to|max|maximum))*\s?[:=]?\s?"
_NOT_MONEY = rf"(?!\s?-?\s?(?:{_FOREIGN_UNIT}|days?\b|nights?\b|weeks?\b|months?\b|people\b|persons?\b|%|\d))"
_AMOUNT = re.compile(
    rf"{_BEFORE}({_NUMBER})"  # $900
    rf"|(?<![\d.,$])({_NUMBER}){_AFTER}"  # 900 dollars
    rf"|{_BUDGET}({_NUMBER}){_NOT_MONEY}"  # budget of 900
)
_FOREIGN = re.compile(
    r"(?:[€£¥₹₩₽₺]|\b(?!us)[a-z]+\$|\b(?:eur|gbp|chf|jpy)\b)\s?\d"  # €900
    rf"|\d\s?k?\s?{_FOREIGN_UNIT}"  # 900 euros
)
_PER = re.compile(r"\s?(?:/|per|a|each|every)\s?(day|night)\b|\s(daily|nightly)\b")
_LIMIT = re.compile(
    r"(?:budget|under|below|within|less than|no more than|not over|at most|up to|max|maximum|limit|cap|spend)"
    r"(?:ing)?(?:\s(?:of|is|about|around|roughly|it to))?\s?[:=]?\s?$"
)


class Amount(NamedTuple):
    """Money found in a text: for the whole trip, or for each day of it."""

    cents: int
    per: Literal["trip", "day"]


def dollars(cents: int) -> str:
    """``250000`` as ``$2,500.00``."""
    sign = "-" if cents < 0 else ""
    return f"{sign}${abs(cents) // 100:,}.{abs(cents) % 100:02d}"


def find_budget(text: str) -> Amount | None:
    """The budget that a folded text (``words.fold``) names, at most 10 million dollars.

    An amount introduced as a limit ("under $900") wins over one merely named; the first of several wins. An
    amount per night is a wish about the room, not a budget, and is passed over.
    """
    found: Amount | None = None
    for match in _AMOUNT.finditer(text):
        per = _PER.match(text, match.end())
        if per and (per[1] or per[2]) in ("night", "nightly"):
            continue
        amount = Amount(_cents(match[match.lastindex or 0]), "day" if per else "trip")
        if _LIMIT.search(text[max(0, match.start() - 30) : match.start()]) or match[0].startswith("budget"):
            return amount
        found = found or amount
    return found


def names_foreign_money(text: str) -> bool:
    """Whether a folded text names an amount in a currency other than the US dollar."""
    return _FOREIGN.search(text) is not None


def _cents(number: str) -> int:
    count, scale = _PARTS.fullmatch(number).groups()  # type: ignore[union-attr]  # _NUMBER makes nothing else
    value = Decimal(_WORDS.get(count) or _plain(count)) * _FACTORS[scale]
    return min(int(value * 100), HIGHEST_BUDGET_CENTS)


def _plain(digits: str) -> str:
    """Reads "1,200" and, as nobody writes tenths of a cent, "1.200" as 1200."""
    whole, _, fraction = digits.replace(",", "").partition(".")
    return whole + fraction if len(fraction) == 3 else f"{whole}.{fraction or 0}"
