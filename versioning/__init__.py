"""Content-addressed documents. Knows nothing of runs."""
