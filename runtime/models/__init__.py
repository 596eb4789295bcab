"""Models shared by the infrastructure and the Lambda code."""
