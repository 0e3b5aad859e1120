"""A page of the product, as the inventory lists it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.urls import reverse


@dataclass(frozen=True, slots=True)
class Page:
    """``name`` is that of its pictures. ``route`` is the name of a URL pattern, which takes ``of`` in that order, or a
    path. ``of``, the path and ``query`` name what tests/pages/demo.py found: ``of=("run_failed",)``, ``{run_failed}``.
    ``shows`` selects something that is only there once the page's own script has drawn it. A ``huge`` page, with 40,000
    elements, is looked at once.
    """

    name: str
    route: str
    of: tuple[str, ...] = ()
    query: str = ""
    signed_in: bool = True
    status: int = 200
    shows: str = ""
    huge: bool = False

    @property
    def wants(self) -> set[str]:
        """The names of what it is asked with."""
        return {*self.of, *re.findall(r"{(\w+)}", self.route + self.query)}

    def path(self, found: Mapping[str, str]) -> str:
        """Raises KeyError when something is not found."""
        asked = self.query.format_map(found)
        if self.route.startswith("/"):
            return self.route.format_map(found) + asked
        return reverse(self.route, args=[found[name] for name in self.of]) + asked
