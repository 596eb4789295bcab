"""Decisions: models in, models out. No boto3, no clock, no randomness of its own."""
