"""The code AWS Lambda runs. Imports neither aws_cdk nor constructs."""
