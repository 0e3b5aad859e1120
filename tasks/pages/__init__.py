"""The server-rendered pages of tasks."""
