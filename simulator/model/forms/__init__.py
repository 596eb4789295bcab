"""The forms the service gives to what it says: identifiers, dates and durations, refusals."""
