"""The registry of agents. The app is installed, so that its place in the import order is kept; it has no rows yet."""
