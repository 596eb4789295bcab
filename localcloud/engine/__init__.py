"""The local AWS engine: ministack, pinned, with the behaviour this project relies on restored.

It runs in an environment of its own, without this project's dependencies.
"""
