"""How AWS is spoken to: clients, credentials, batches, and faults in our own words."""
