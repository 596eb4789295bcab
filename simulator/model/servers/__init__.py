"""Source servers: their lifecycle, the settings they start with, and as the service shows them."""
