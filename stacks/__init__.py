"""Thin stacks: each reads as a paragraph of constructs and grants."""
