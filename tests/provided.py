"""What the Lambda runtime brings besides Python, for an interpreter that should see nothing else."""

from pathlib import Path

import boto3

PROVIDED = ("boto3", "botocore", "s3transfer", "dateutil", "six.py", "jmespath", "urllib3")


def link_provided(folder: Path) -> Path:
    """Fill a new folder with links to them."""
    folder.mkdir()
    for name in PROVIDED:
        (folder / name).symlink_to(Path(boto3.__file__).parents[1] / name)
    return folder
