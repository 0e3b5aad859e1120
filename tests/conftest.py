"""What tests with servers of their own share."""

from collections.abc import Iterator

import pytest

from tests.process.server import Databases


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """One migrated template for all of this process's servers: another one would have the same name."""
    found = Databases(tmp_path_factory.mktemp("databases"))
    yield found
    found.drop()
