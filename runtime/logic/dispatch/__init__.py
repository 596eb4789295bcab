"""The dispatcher: one look at an account and Region, and the MGN jobs it starts there."""
