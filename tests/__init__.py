"""The tests of Orchestrator."""
