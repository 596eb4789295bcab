"""The state table: what it keeps of each entity, and how documents lie in it."""
