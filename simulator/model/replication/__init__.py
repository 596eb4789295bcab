"""Data replication of a server: how it proceeds, and as the service shows it."""
