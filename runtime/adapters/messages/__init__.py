"""What is sent: events, wakes, callbacks, and answers to parked steps."""
