"""What holds for every endpoint: the tests walk the resolver, so a new route is in them from its first day."""
