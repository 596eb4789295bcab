"""The only modules that speak to AWS (boto3) or the network."""
