"""Makes an account what its scenario says: servers, templates, groups and faults."""
