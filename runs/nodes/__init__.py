"""Node types: pure functions of a ``NodeContext``, without Django, network, clock or randomness."""
