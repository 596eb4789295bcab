"""What each step of the state machine does, one module for each kind of step."""
