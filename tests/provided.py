"""What the Lambda runtime brings besides Python, for interpreters that should see nothing else."""

from pathlib import Path

import boto3

PROVIDED = ("boto3", "botocore", "s3transfer", "dateutil", "six.py")
DEPENDENCIES = ("jmespath", "urllib3")
"""It brings these too, but the asset has its own."""


def link_provided(folder: Path, *, with_dependencies: bool = False) -> Path:
    """Fill a new folder with links to them; `with_dependencies` for an interpreter without the asset."""
    folder.mkdir()
    for name in PROVIDED + (DEPENDENCIES if with_dependencies else ()):
        (folder / name).symlink_to(Path(boto3.__file__).parents[1] / name)
    return folder
