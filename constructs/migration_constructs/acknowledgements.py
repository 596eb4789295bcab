"""Findings of cdk-nag and checkov that are meant, each with its reason, on the one resource they belong to."""

from collections.abc import Mapping

from aws_cdk import Acknowledgment, CfnResource, Validations
from constructs import IConstruct

KMS_FAMILIES = {
    "Action::kms:GenerateDataKey*": "CDK's key grants name KMS action families; the resource is the stage's one key.",
    "Action::kms:ReEncrypt*": "CDK's key grants name KMS action families; the resource is the stage's one key.",
}


def acknowledge(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Accept each finding (`rule` or `rule[detail]`) on `construct` and what is below it."""
    Validations.of(construct).acknowledge(*(Acknowledgment(id=id_, reason=reason) for id_, reason in reasons.items()))


def acknowledge_to_checkov(construct: CfnResource, rule: str, reason: str) -> None:
    """Accept a finding of checkov's on this one resource: it reads them in the template."""
    construct.add_metadata("checkov", {"skip": [{"id": rule, "comment": reason}]})


def acknowledge_wildcards(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Accept IAM wildcards, given as `Action::…` or `Resource::…`."""
    acknowledge(construct, {f"AwsSolutions-IAM5[{detail}]": reason for detail, reason in reasons.items()})
