"""`python -m localcloud.engine`: patch the engine and serve it until told to stop."""

import os

from localcloud.engine.settings import EngineSettings

settings = EngineSettings.from_environment(os.environ)
# The engine reads its own variables while it is imported, so they are set before anything imports it.
os.environ.update(settings.engine_variables())

from localcloud.engine import patches, server  # noqa: E402

if __name__ == "__main__":
    patches.apply_all(settings)
    server.serve(settings)
