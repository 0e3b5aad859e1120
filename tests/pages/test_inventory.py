"""No page is forgotten: the inventory against the URL configuration and the admin's models."""

from collections import Counter

from tests.contract.routes import every_route
from tests.pages.inventory import NO_PAGES, PAGES

ROUTES = {route.name for route in every_route() if route.is_page and "get" in route.actions}
LISTED = {page.route for page in PAGES}


def test_every_page_is_in_the_list() -> None:
    missing = ROUTES - LISTED - set(NO_PAGES)
    assert not missing, "Add a line for it to tests/pages/inventory.py, or say in NO_PAGES what it is instead."


def test_what_is_no_page_is_still_a_route_and_has_its_reason() -> None:
    assert set(NO_PAGES) <= ROUTES - LISTED
    assert all(NO_PAGES.values())


def test_every_name_is_there_once() -> None:
    assert [name for name, times in Counter(page.name for page in PAGES).items() if times > 1] == []
