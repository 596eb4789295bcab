"""Launch and terminate jobs: accepted, at work, at their end, and as the service shows them."""
