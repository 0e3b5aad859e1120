"""Fixtures of tasks' tests."""

from typing import Any

import pytest

from agents.models import RuntimeAgent
from agents.services.definitions import create_agent
from agents.services.instances import create_instance


@pytest.fixture
def runtime_agent(alice: Any) -> RuntimeAgent:
    """An agent of alice's org that has just registered itself."""
    definition = create_agent(actor=alice.actor, name="Painter")
    return create_instance(actor=alice.actor, agent_id=definition.pk, session_id="s1", name="Painter one")
