"""A second interpreter for state machines: moto's, completed where it was cut from its origin."""
