"""Faults that we cannot mend, as the markup is not ours. Each is known by its page, its rule and its place."""

from fnmatch import fnmatchcase
from typing import Final, NamedTuple


class Fault(NamedTuple):
    """``rule`` is one of axe's or html-validate's; ``where`` the selector of the element."""

    rule: str
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.rule} at {self.where}: {self.text}"


class Known(NamedTuple):
    """Patterns as in a shell, for the page's name, the rule and the place; and why it stays."""

    page: str
    rule: str
    where: str
    reason: str

    def covers(self, page: str, fault: Fault) -> bool:
        pairs = ((page, self.page), (fault.rule, self.rule), (fault.where, self.where))
        return all(fnmatchcase(text, pattern) for text, pattern in pairs)


_ADMIN: Final = "Django's templates write it so"
_SWAGGER: Final = "Swagger UI draws it"
_REDOC: Final = "ReDoc draws it"

KNOWN: Final[tuple[Known, ...]] = (
    Known("api-key-new", "form-dup-name", "#id_scopes_*", "one box a scope: that is how a form sends a list"),
    Known("runs*", "form-dup-name", "#tick-*", "one box a row, all called run: that is how a form sends a list"),
    # Without JavaScript nothing else keeps a run's page up to date, and who reads it can stop it: the page says so.
    Known("run-*", "meta-refresh", "html > head > noscript > meta", "the page that follows without JavaScript"),
    # The admin. Matters of taste first: they are valid HTML.
    Known("admin*", "no-implicit-button-type", "*", f"{_ADMIN}: type=submit is what they mean, or a script listens"),
    Known("admin*", "prefer-button", "*", f"{_ADMIN}: <input type=submit>"),
    Known("admin-*-list", "prefer-native-element", "#changelist-form *", f"{_ADMIN}: <a role=button> to select all"),
    Known("admin*", "prefer-tbody", "*", f"{_ADMIN}: rows straight in a table"),
    Known("admin*", "no-redundant-for", "#id_usable_password *", f"{_ADMIN}: a label around its radio button"),
    Known("admin-*-list", "form-dup-name", "#result_list *", f"{_ADMIN}: one box a row, all called _selected_action"),
    Known("admin*", "wcag/h71", "*fieldset*", f"{_ADMIN}: a heading names the fieldset, by aria-labelledby"),
    Known("admin-*-list", "wcag/h63", "#result_list *", f"{_ADMIN}: <th> without scope, in rows of one subject"),
    Known("admin*", "wcag/h32", "#*_form", f"{_ADMIN}: the form of a row that nobody may change"),
    Known("admin-*-list", "wcag/h30", "#result_list *", f"{_ADMIN}: links to sort by have a title only"),
    Known("admin*", "wcag/h30", "#*_id_*", f"{_ADMIN}: links to related rows have an icon and a title"),
    Known("admin-*-row", "empty-table-header", "*", f"{_ADMIN}: columns of an inline table"),
    # The documentation of the API: what a script draws into our page.
    Known("api-docs", "nested-interactive", "#operations-*", _SWAGGER),
    Known("api-docs", "heading-order", "#operations-*", _SWAGGER),
    Known("api-docs", "color-contrast", "*", _SWAGGER),
    Known("api-docs", "region", "*", _SWAGGER),
    Known("api-reference", "color-contrast", "*", _REDOC),
    Known("api-reference", "heading-order", "*", _REDOC),
)


def unknown(page: str, faults: list[Fault]) -> list[str]:
    """The faults that nothing in the list covers, each as a line."""
    left = []
    for fault in faults:
        covering = [known for known in KNOWN if known.covers(page, fault)]
        met.update(covering)
        left += [] if covering else [str(fault)]
    return left


met: set[Known] = set()  # what the pages looked at so far have shown
