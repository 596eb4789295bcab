"""The local AWS engine: ministack, pinned, with the behaviour this project relies on restored. Runs in its own environment."""
