"""Every state change of a run: ``submission`` starts it, ``progress`` is the worker's, ``cancellation`` ends it early."""
