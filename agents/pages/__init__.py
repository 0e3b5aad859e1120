"""The server-rendered pages of agents."""
