"""What tests of pages share: a signed-in client, a check of markup, and a count of queries."""

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

VOID = {
    "area",
    "base",
    "br",
    "col",
    "embed",
    "hr",
    "img",
    "input",
    "link",
    "meta",
    "source",
    "track",
    "wbr",
}
BLOCKS = {"address", "article", "div", "dl", "form", "h1", "h2", "h3", "ol", "p", "pre", "section", "table", "ul"}
URLS = {"href", "src", "action", "formaction"}
POINTERS = {"for", "form", "aria-labelledby", "aria-describedby"}


def sign_in(person: Any, **options: Any) -> Client:
    """A browser in which ``person`` is signed in."""
    client = Client(**options)
    client.force_login(person.user)
    return client


def queries(call: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as captured:
        call()
    return len(captured)


def faults(html: str) -> list[str]:
    """What is wrong with a page: tags that do not balance, ids twice or missing, anything inline or from elsewhere."""
    page = _Page()
    page.feed(html)
    page.close()
    return page.all_faults()


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.pointers: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if "svg" not in self.open:  # a title in a drawing is another thing
            self.seen.append(tag)
        if tag in BLOCKS and "p" in self.open:
            self.found.append(f"<{tag}> inside <p>")
        if len({name for name, _ in attrs}) != len(attrs):
            self.found.append(f"<{tag}> has an attribute twice")
        if tag not in VOID:
            self.open.append(tag)
        self._look_at(tag, {name: value or "" for name, value in attrs})

    def _look_at(self, tag: str, given: dict[str, str]) -> None:
        self.ids += [given["id"]] if "id" in given else []
        self.pointers += [target for name in POINTERS & set(given) for target in given[name].split()]
        inline = [name for name in given if name == "style" or name.startswith("on")]
        if inline or tag == "style" or (tag == "script" and "src" not in given):
            self.found.append(f"inline: <{tag} {' '.join(inline)}>")
        for name in URLS & set(given):
            if given[name].startswith(("//", "javascript:", "data:")) or "://" in given[name]:
                self.found.append(f"elsewhere: {name}={given[name]}")
        if tag == "img" and "alt" not in given:
            self.found.append("<img> without alt")
        if tag == "button" and "type" not in given:
            self.found.append("<button> without type")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.found.append(f"</{tag}> closes nothing")

    def all_faults(self) -> list[str]:
        twice = {name for name in self.ids if self.ids.count(name) > 1}
        lost = {name for name in self.pointers if name not in self.ids}
        once = [tag for tag in ("html", "head", "title", "body", "main", "h1") if self.seen.count(tag) != 1]
        return [
            *self.found,
            *(f"<{tag}> is left open" for tag in self.open),
            *(f"id {name} is there twice" for name in twice),
            *(f"nothing has the id {name}" for name in lost),
            *(f"<{tag}> must be there once" for tag in once),
        ]
