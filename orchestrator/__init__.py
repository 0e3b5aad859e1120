"""Orchestrator: the project and its platform. The four apps live beside this package."""

__version__ = "0.1.0"
