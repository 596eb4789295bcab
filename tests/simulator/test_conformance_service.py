"""The account: tags, connectors, vCenter clients, managed accounts."""

from typing import Any


def test_everything_with_an_arn_can_be_tagged(simulate: Any) -> None:
    """§account [model]: servers, jobs, groups, templates, connectors, tasks."""
    world = simulate(vcenter_clients=1)
    arns = [
        world.server(world.ids[0])["arn"],
        world.mgn.start_test(sourceServerIDs=world.ids[:1])["job"]["arn"],
        world.mgn.create_wave(name="w")["arn"],
        world.mgn.create_application(name="a")["arn"],
        world.mgn.create_launch_configuration_template()["arn"],
        world.mgn.create_connector(name="c", ssmInstanceID="mi-" + "1" * 17)["arn"],
        world.mgn.describe_vcenter_clients()["items"][0]["arn"],
        world.mgn.start_export(s3Bucket="b", s3Key="k.csv")["exportTask"]["arn"],
    ]
    for arn in arns:
        world.mgn.tag_resource(resourceArn=arn, tags={"k": "v"})
        assert world.mgn.list_tags_for_resource(resourceArn=arn)["tags"] == {"k": "v"}


def test_unknown_arn_is_not_found(simulate: Any, refused: Any) -> None:
    """§account [model]: ResourceNotFoundException."""
    arn = f"arn:aws:mgn:us-east-1:000000000000:job/mgnjob-{'0' * 17}"
    refused(simulate().mgn.list_tags_for_resource, {"resourceArn": arn}, "ResourceNotFoundException", arn)


def test_resource_has_fifty_tags_at_most(simulate: Any, refused: Any) -> None:
    """§account [model]: 50 tags."""
    world = simulate()
    arn = world.server(world.ids[0])["arn"]
    world.mgn.tag_resource(resourceArn=arn, tags={f"a{n}": "" for n in range(50)})
    asked = {"resourceArn": arn, "tags": {"b": ""}}
    refused(world.mgn.tag_resource, asked, "ValidationException", "Too many tags")


def test_connectors_live_and_die(simulate: Any) -> None:
    """§account [model]: connector operations."""
    world = simulate()
    made = world.mgn.create_connector(name="one", ssmInstanceID="mi-" + "1" * 17)
    world.mgn.update_connector(connectorID=made["connectorID"], name="two")
    listed = world.mgn.list_connectors(filters={"connectorIDs": [made["connectorID"]]})["items"]
    assert [connector["name"] for connector in listed] == ["two"]
    world.mgn.delete_connector(connectorID=made["connectorID"])
    assert world.mgn.list_connectors()["items"] == []


def test_vcenter_client_can_be_deleted(simulate: Any) -> None:
    """§agentless [model]: vCenter clients are described and deleted, never created by API."""
    world = simulate(vcenter_clients=1)
    client = world.mgn.describe_vcenter_clients()["items"][0]["vcenterClientID"]
    world.mgn.delete_vcenter_client(vcenterClientID=client)
    assert world.mgn.describe_vcenter_clients()["items"] == []


def test_managed_accounts_are_listed(simulate: Any) -> None:
    """§account [model]: items of accountId, spelled so only here."""
    world = simulate(managed_accounts=["222222222222"])
    assert world.mgn.list_managed_accounts()["items"] == [{"accountId": "222222222222"}]
