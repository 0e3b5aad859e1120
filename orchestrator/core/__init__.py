"""Pure pieces without models: errors, canonical JSON, ids, clock, request context."""
