"""One module per Lambda function, each exposing `handler`."""

import gc

# Loading makes more than a hundred thousand objects and no garbage. At Python's own threshold the collector looks
# through them again and again.
gc.set_threshold(200_000)
