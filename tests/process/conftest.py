from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.process.server import Databases, Server, serving

Start = Callable[..., Server]


@pytest.fixture
def serve(databases: Databases, tmp_path: Path) -> Iterator[Start]:
    """Starts servers over one fresh database, with a pause before each node."""
    with serving(databases.make(), tmp_path, RUN_PACE_SECONDS=0.1) as start:
        yield start
