"""When the journeys are made."""

import os
from typing import Final

import pytest

from tests import chromium

BROWSED: Final = [pytest.mark.process, pytest.mark.browser, chromium.needed]
# The journey on which a server is killed is made on both: what it left is the database's to keep.
ONCE: Final = pytest.mark.skipif(
    bool(os.environ.get("DATABASE_URL")),
    reason="pages are the same on every database: the pass on SQLite makes this journey",
)
