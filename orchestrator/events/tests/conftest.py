from orchestrator.streams.tests.fixtures import client, in_thread  # noqa: F401
