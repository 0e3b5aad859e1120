"""What every admin page shares. The apps' own are in their modules ``admin``."""

from orchestrator.api.admin import history

__all__ = ["history"]
