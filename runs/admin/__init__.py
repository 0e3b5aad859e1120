"""Runs for operators: all to read, nothing to edit; actions go through the services, in the operator's name."""

from runs.admin import jobs, limits, patches, runs

__all__ = ["jobs", "limits", "patches", "runs"]
