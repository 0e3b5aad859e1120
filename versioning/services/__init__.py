"""Every state change of versions and tags: one function each, with an actor, an event and one transaction."""
