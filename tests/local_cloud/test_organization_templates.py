"""What CloudFormation makes of template.yaml and of the templates in organization/. Nothing is deployed here.

`python -m pytest tests/local_cloud/test_organization_templates.py --update` writes single_account.json anew. That file
is what a stack without `Regions` has and may do. A hub must not change it.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from local.environment import ROOT
from tests.local_cloud.support.template import Template

HUB, ROLES, RULES = (ROOT / name for name in ("template.yaml", "organization/roles.yaml", "organization/rules.yaml"))
SINGLE_ACCOUNT = Path(__file__).with_name("single_account.json")

ALL_CHECKS = (
    "gateway-route,dns-bypass,endpoint-dns,endpoint-access,endpoint-state,"
    "endpoint-zones,endpoint-policy,endpoint-private-dns,required-endpoints,private-api"
)
ORGANIZATION = "o-a1b2c3d4e5"
HUB_ROLE = "arn:aws:iam::123456789012:role/gatewatch-FunctionRole"
HUB_BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/gatewatch"
ALARMS = "arn:aws:sns:eu-west-1:123456789012:alarms"
EVERYTHING = {"Checks": ALL_CHECKS, "ConfigItems": "on", "AlarmTopicArn": ALARMS}
SINGLE_STACKS: dict[str, dict[str, str]] = {
    "defaults": {},
    "everything": {**EVERYTHING, "OrganizationId": ORGANIZATION, "EmailAddress": "a@example.com", "Chat": "on"},
    "nothing": {"Ledger": "off", "SweepSchedule": "off", "Checks": "gateway-route"},
}


def hub(**parameters: str) -> Template:
    """Returns the template as a hub for two Regions."""
    return Template(HUB, **{"Regions": "eu-west-1,us-east-1", "OrganizationId": ORGANIZATION, **parameters})


def roles(**parameters: str) -> Template:
    """Returns the roles of a member."""
    given = {"HubRoleArn": HUB_ROLE, "HubBusArn": HUB_BUS, "OrganizationId": ORGANIZATION}
    return Template(ROLES, **{**given, "Regions": "eu-west-1,us-east-1", **parameters})


def test_a_stack_for_one_account_is_what_it_was(request: pytest.FixtureRequest) -> None:
    stacks = {name: summary(Template(HUB, **parameters)) for name, parameters in SINGLE_STACKS.items()}
    if request.config.getoption("--update"):
        SINGLE_ACCOUNT.write_text(json.dumps(stacks, indent=1) + "\n")
    assert stacks == json.loads(SINGLE_ACCOUNT.read_text())


def summary(stack: Template) -> dict[str, Any]:
    """Returns what a stack has and may do."""
    policies = ("Policies", "PolicyDocument", "AssumeRolePolicyDocument", "Policy")
    function = stack.properties("GatewatchFunction")
    return {
        "resources": {name: each["Type"] for name, each in stack.resources.items()},
        "outputs": sorted(stack.outputs),
        "variables": function["Environment"]["Variables"],
        "concurrency": function["Events"]["Changes"]["Properties"]["ScalingConfig"],
        "permissions": {
            name: {key: each["Properties"][key] for key in policies if key in each["Properties"]}
            for name, each in stack.resources.items()
            if any(key in each["Properties"] for key in policies)
        },
    }


@pytest.mark.parametrize("excluded", [{}, {"EventBus": "teams"}, {"SweepSchedule": "off"}, EVERYTHING])
def test_a_hub_has_all_that_it_names(excluded: dict[str, str]) -> None:
    of_hub, of_account = hub(**excluded), Template(HUB, **excluded, OrganizationId=ORGANIZATION)
    assert of_hub.assertions() == [True, True]
    # `Template` refuses a resource that does not exist with these parameters.
    assert of_account.resources.keys() - of_hub.resources.keys() <= {"SweepRule", "SweepPermission"}
    assert not any("Organization" in name or "Hub" in name for name in of_account.resources)


def test_a_hub_needs_an_organization_and_the_alert_history() -> None:
    assert Template(HUB, Regions="eu-west-1").assertions() == [False, True]
    assert Template(HUB, Regions="eu-west-1", OrganizationId=ORGANIZATION, Ledger="off").assertions() == [True, False]
    assert Template(HUB, Ledger="off").assertions() == []


def test_a_hub_tells_its_function_what_to_do() -> None:
    of_hub, of_account = (
        stack.properties("GatewatchFunction")["Environment"]["Variables"]
        for stack in (hub(StaleHours="12"), Template(HUB, OrganizationId=ORGANIZATION))
    )
    new = {name: value for name, value in of_hub.items() if of_account.get(name) != value}
    assert of_account.keys() <= of_hub.keys()
    assert new == {"MEMBER_ROLE": "gatewatch-read", "REGIONS": "eu-west-1,us-east-1", "STALE_HOURS": "12"}


def test_the_function_of_a_hub_may_enter_one_role_and_write_markers() -> None:
    table = {"Fn::GetAtt": ["LedgerTable", "Arn"]}
    before = Template(HUB, OrganizationId=ORGANIZATION).statements("FunctionRole")
    new = {name: each for name, each in hub().statements("FunctionRole").items() if name not in before}
    assert [(each["Action"], each["Resource"], each["Condition"]) for each in new.values()] == [
        (
            ["sts:AssumeRole", "sts:SetSourceIdentity"],
            "arn:aws:iam::*:role/gatewatch-read",
            {"StringEquals": {"aws:ResourceOrgID": ORGANIZATION}},
        ),
        ("dynamodb:UpdateItem", table, {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["markers"]}}),
        ("dynamodb:GetItem", table, {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["accounts"]}}),
    ]


@pytest.mark.parametrize(
    ("given", "bus"),
    [
        pytest.param("teams", "arn:aws:events:eu-west-1:123456789012:event-bus/teams", id="name"),
        pytest.param("arn:aws:events:us-east-1:111122223333:event-bus/teams", None, id="ARN"),
    ],
)
@pytest.mark.parametrize("mode", [{}, {"Regions": "eu-west-1", "OrganizationId": ORGANIZATION}])
def test_the_function_may_send_to_the_event_bus(given: str, bus: str | None, mode: dict[str, str]) -> None:
    stack = Template(HUB, **mode, EventBus=given)
    sends = stack.statements("FunctionRole")["SendEvents"]
    assert (sends["Action"], sends["Resource"]) == ("events:PutEvents", bus or given)
    assert stack.properties("GatewatchFunction")["Environment"]["Variables"]["EVENT_BUS"] == given


def test_the_bus_takes_events_of_the_organization_through_one_role() -> None:
    (statement,) = hub().properties("OrganizationBus")["Policy"]["Statement"]
    assert statement == {
        "Sid": "MembersForward",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "events:PutEvents",
        "Resource": "arn:aws:events:eu-west-1:123456789012:event-bus/gatewatch",
        "Condition": {
            "StringEquals": {"aws:PrincipalOrgID": ORGANIZATION},
            "ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/gatewatch-forward"},
        },
    }
    assert roles().properties("ForwardRole")["RoleName"] == "gatewatch-forward"


def test_the_rules_have_one_pattern() -> None:
    of_hub = hub(**EVERYTHING)
    of_member = Template(RULES, HubBusArn=HUB_BUS, Checks=ALL_CHECKS, ConfigItems="on")
    names = ["ChangesRule", "ExemptionsRule", "RestApisRule", "ConfigItemsRule"]
    assert list(of_member.resources) == names
    for name in names:
        own, on_bus = of_hub.properties(name), of_hub.properties(f"Organization{name}")
        assert own["EventPattern"] == on_bus["EventPattern"] == of_member.properties(name)["EventPattern"]
        assert (own["Targets"], on_bus["EventBusName"]) == (on_bus["Targets"], {"Ref": "OrganizationBus"})
        assert of_member.properties(name)["Targets"] == [
            {"Id": "gatewatch-hub", "Arn": HUB_BUS, "RoleArn": "arn:aws:iam::123456789012:role/gatewatch-forward"}
        ]


def test_the_default_bus_of_the_hub_does_not_forward_its_events() -> None:
    def state(bus: str) -> Any:
        return Template(RULES, HubBusArn=bus).properties("ChangesRule")["State"]

    assert state(HUB_BUS) == "DISABLED"
    assert state(HUB_BUS.replace("123456789012", "111122223333")) == "ENABLED"
    assert state(HUB_BUS.replace("eu-west-1", "us-east-1")) == "ENABLED"


def test_members_may_send_to_the_bus_and_use_nothing_else_of_the_hub() -> None:
    """Every resource that has a policy. What has none admits its own account only."""
    stack = hub(**EVERYTHING, EmailAddress="a@example.com", Chat="on", EventBus="teams")
    allowed = {name: each for name in stack.resources if (each := admitted(stack.properties(name)))}

    own_account = ({"AWS": "*"}, {"StringEquals": {"AWS:SourceOwner": "123456789012"}})
    topics = {name: [own_account] for name in ("FindingsTopicPolicy", "TextTopicPolicy", "ChatTopicPolicy")}
    buses = {"OrganizationBus": allowed.pop("OrganizationBus")}
    queues = {name: allowed.pop(name) for name in ("ChangesQueuePolicy", "DeliveryDeadLetterQueuePolicy")}
    assert allowed == topics
    assert [principal for [(principal, _)] in buses.values()] == ["*"]
    for [(principal, condition)] in queues.values():
        assert (principal, list(condition)) == ({"Service": "events.amazonaws.com"}, ["ArnEquals"])
        rules = condition["ArnEquals"]["aws:SourceArn"]
        assert all(stack.resources[rule["Fn::GetAtt"][0]]["Type"] == "AWS::Events::Rule" for rule in rules)
    kinds = {each["Type"] for each in stack.resources.values()}
    assert not {kind for kind in kinds if kind.endswith(("::Permission", "::EventBusPolicy", "::ResourcePolicy"))}


def admitted(properties: dict[str, Any]) -> list[tuple[Any, Any]]:
    """Returns whom the policy of a resource admits, and under which condition."""
    documents = [properties[name] for name in ("PolicyDocument", "Policy", "ResourcePolicy") if name in properties]
    statements = [each for document in documents for each in document["Statement"]]
    return [(each["Principal"], each.get("Condition")) for each in statements if each["Effect"] == "Allow"]


@pytest.mark.parametrize("checks", ["gateway-route", "required-endpoints", ALL_CHECKS])
def test_the_hub_may_read_in_a_member_what_it_may_read_at_home(checks: str) -> None:
    of_hub, of_member = hub(Checks=checks).statements("FunctionRole"), roles(Checks=checks).statements("ReadRole")
    assert of_member == {name: each for name, each in of_hub.items() if name.startswith("Read") and name in of_member}
    assert {name for name in of_hub if name.startswith("Read")} == of_member.keys() | {"ReadAccounts"}


def test_a_member_trusts_the_function_of_the_hub() -> None:
    role = roles().properties("ReadRole")
    assert role["RoleName"] == hub().properties("GatewatchFunction")["Environment"]["Variables"]["MEMBER_ROLE"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
    assert statement["Action"] == ["sts:AssumeRole", "sts:SetSourceIdentity"]
    assert statement["Condition"] == {
        "ArnEquals": {"aws:PrincipalArn": HUB_ROLE},
        "StringEquals": {"aws:PrincipalOrgID": ORGANIZATION},
    }


def test_a_member_forwards_to_the_hub_and_nowhere_else() -> None:
    role = roles().properties("ForwardRole")
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    (sends,) = roles().statements("ForwardRole").values()
    assert (sends["Action"], sends["Resource"]) == ("events:PutEvents", HUB_BUS)


@pytest.mark.parametrize("role", ["", "arn:aws:iam::111122223333:role/list-accounts"])
def test_the_state_machine_may_do_what_its_states_do(role: str) -> None:
    allowed = hub(ListAccountsRole=role).statements("SweepStateMachineRole").values()
    actions = [(each["Action"], each["Resource"]) for each in allowed]
    machine = "gatewatch-sweep-0a1b2c"
    states = "arn:aws:states:eu-west-1:123456789012"
    assert actions == [
        ("sts:AssumeRole", role) if role else ("organizations:ListAccounts", "*"),
        ("dynamodb:BatchWriteItem", {"Fn::GetAtt": ["LedgerTable", "Arn"]}),
        ("lambda:InvokeFunction", {"Fn::GetAtt": ["GatewatchFunction", "Arn"]}),
        ("states:StartExecution", f"{states}:stateMachine:{machine}"),
        (
            ["states:DescribeExecution", "states:StopExecution"],
            [f"{states}:execution:{machine}:*", f"{states}:execution:{machine}/*"],
        ),
    ]
    assert hub().properties("SweepStateMachine")["Name"] == machine


def test_the_sweep_writes_only_rows_of_accounts() -> None:
    keeps = hub().statements("SweepStateMachineRole")["KeepAccounts"]
    assert keeps["Condition"] == {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["accounts"]}}


@pytest.mark.parametrize(
    ("role", "service"), [("SweepStateMachineRole", "states.amazonaws.com"), ("StartSweepRole", "events.amazonaws.com")]
)
def test_a_service_uses_the_roles_of_the_sweep_for_this_account_only(role: str, service: str) -> None:
    (statement,) = hub().properties(role)["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": service}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def test_a_stack_of_one_account_can_have_the_state_machine() -> None:
    given = {"AlarmTopicArn": ALARMS}
    before, after = summary(Template(HUB, **given)), summary(Template(HUB, **given, SweepWith="state-machine"))
    sweep = {
        "SweepStateMachine": "AWS::Serverless::StateMachine",
        "SweepStateMachineRole": "AWS::IAM::Role",
        "OrganizationSweepRule": "AWS::Events::Rule",
        "StartSweepRole": "AWS::IAM::Role",
        "SweepFailedAlarm": "AWS::CloudWatch::Alarm",
    }
    expected = {name: kind for name, kind in before["resources"].items() if not name.startswith("Sweep")}
    assert before["resources"].keys() - expected.keys() == {"SweepRule", "SweepPermission"}
    assert after["resources"] == {**expected, **sweep}
    assert set(after["outputs"]) - set(before["outputs"]) == {"SweepStateMachineArn", "SweepCommand", "CoverageCommand"}
    assert after["variables"] == {**before["variables"], "MARKERS": "on", "STALE_HOURS": "48"}
    assert after["concurrency"] == before["concurrency"]


def test_the_state_machine_of_one_account_checks_this_account_and_region() -> None:
    stack = Template(HUB, SweepWith="state-machine", MaxVpcsPerCheck="7")
    substitutions = stack.properties("SweepStateMachine")["DefinitionSubstitutions"]
    expected = {"Regions": "eu-west-1", "OwnAccount": "123456789012", "MaxVpcsPerCheck": "7"}
    assert {name: substitutions[name] for name in expected} == expected
    assert hub().properties("SweepStateMachine")["DefinitionSubstitutions"]["OwnAccount"] == ""
    (target,) = stack.properties("OrganizationSweepRule")["Targets"]
    assert target["Arn"] == {"Ref": "SweepStateMachine"}


def test_the_state_machine_of_one_account_may_only_invoke_the_function_and_start_its_children() -> None:
    of_hub = hub().statements("SweepStateMachineRole")
    stack = Template(HUB, SweepWith="state-machine")
    assert stack.statements("SweepStateMachineRole") == {
        name: of_hub[name] for name in ("Check", "StartChildren", "FollowChildren")
    }
    function = stack.statements("FunctionRole")
    before = Template(HUB).statements("FunctionRole")
    assert function == {**before, "KeepMarkers": hub().statements("FunctionRole")["KeepMarkers"]}


def test_the_state_machine_needs_the_alert_history() -> None:
    assert Template(HUB, SweepWith="state-machine").assertions() == [True]
    without = Template(HUB, SweepWith="state-machine", Ledger="off")
    assert without.assertions() == [False]
    assert "SweepStateMachine" not in without.resources, "no reference to a table that does not exist"
    assert "OrganizationSweepRule" not in Template(HUB, SweepWith="state-machine", SweepSchedule="off").resources


def test_a_hub_has_the_state_machine_whatever_the_parameter_says() -> None:
    assert summary(hub(SweepWith="state-machine")) == summary(hub())


def test_the_dashboard_and_the_alarms_use_metrics_that_exist() -> None:
    of_function = {
        "AccountRegions",
        "FailedChecks",
        "NotEnrolled",
        "OldestCheckAge",
        "OpenFindingsHigh",
        "OpenFindingsLow",
        "OpenFindingsMedium",
        "Stale",
    }
    stack = hub(AlarmTopicArn=ALARMS)
    board = json.loads(stack.properties("HubDashboard")["DashboardBody"]["Fn::Sub"])
    metrics = [metric for widget in board["widgets"] for metric in widget["properties"]["metrics"]]
    assert {metric[1] for metric in metrics if metric[0] == "gatewatch"} == of_function
    alarm = stack.properties("StaleChecksAlarm")
    assert (alarm["Namespace"], alarm["MetricName"], alarm["TreatMissingData"]) == ("gatewatch", "Stale", "breaching")
    failed = stack.properties("SweepFailedAlarm")
    assert failed["Dimensions"] == [{"Name": "StateMachineArn", "Value": {"Ref": "SweepStateMachine"}}]
