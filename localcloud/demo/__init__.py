"""The demo: sample servers migrated on the local cloud, and what is judged of it."""
