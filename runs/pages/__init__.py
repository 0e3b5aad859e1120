"""The server-rendered pages of runs."""
