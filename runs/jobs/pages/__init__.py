"""The server-rendered pages of jobs."""
