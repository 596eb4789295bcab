"""What one account holds, what happens next in it, and what it asks of the outside."""
