"""What a scenario may set: knobs, quotas, durations and faults."""
