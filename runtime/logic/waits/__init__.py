"""Parked steps: how they are parked, what their waits amount to, and how they end."""
