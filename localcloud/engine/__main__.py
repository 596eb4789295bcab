"""`python -m localcloud.engine`: patch the engine and serve it until told to stop."""

import os
import tempfile

from localcloud.engine.settings import EngineSettings

settings = EngineSettings.from_environment(os.environ)
# The engine reads its own variables while it is imported, so they are set before anything imports it.
os.environ.update(settings.engine_variables())
# One folder for all that handlers and patches leave. Whoever gives one removes it.
own_folder = None if settings.temporary_folder else tempfile.mkdtemp(prefix="localcloud-")
tempfile.tempdir = os.environ["TMPDIR"] = own_folder or settings.temporary_folder

from localcloud.engine import patches, server  # noqa: E402

if __name__ == "__main__":
    patches.apply_all(settings)
    server.serve(settings, own_folder)
