"""Numbers that addresses and forms are sent with."""


def parse_number(text: str, digits: int = 9) -> int | None:
    """The whole number, 0 or more, that ``text`` writes in so many ASCII digits at the most, or None."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None
