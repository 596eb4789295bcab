"""The API as botocore's own service model on disk describes it: routes, validation, response shapes, errors."""

from simulator.service_model.api import NOT_SIMULATED_PREFIX, ApiOperation
from simulator.service_model.loading import load_service_model

__all__ = ["NOT_SIMULATED_PREFIX", "ApiOperation", "load_service_model"]
