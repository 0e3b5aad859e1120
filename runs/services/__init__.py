"""Every state change of a run: ``submission`` starts it, ``progress`` carries it on, ``cancellation`` ends it early."""
