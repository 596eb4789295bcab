"""MGN, EC2 and SSM in the account and Region of the source server, and network checks of what was launched."""
