"""On PYTHONPATH: every Python process that the tests start knows their node type."""

from tests.process import nodes

nodes.register()
