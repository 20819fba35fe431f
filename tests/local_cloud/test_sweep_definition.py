"""organization/sweep.asl.json in ministack's interpreter, with stand-ins for the services, and in cfn-lint's schema.

What this does not show: whether Step Functions itself accepts the definition; `Credentials`, which ministack ignores;
how long it waits between attempts.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.environment import ROOT, TOOLS
from tests.local_cloud.support.template import Template

DEFINITION = ROOT / "organization" / "sweep.asl.json"
INTERPRETER = Path(__file__).parent / "support" / "sweep_interpreter.py"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:gatewatch"
A, B, C = "123456789012", "111122223333", "444455556666"
SUMMARY = {"totals": {"accountRegions": 6}, "sweep": {"checked": 5, "notEnrolled": 1, "failed": 0}}


def definition(**given: str) -> str:
    """Returns the definition as CloudFormation fills it in."""
    organization = {"Regions": "eu-west-1,us-east-1", "OrganizationId": "o-a1b2c3d4e5"}
    stack = Template(ROOT / "template.yaml", **{**organization, **given})
    text = DEFINITION.read_text()
    values = stack.properties("SweepStateMachine")["DefinitionSubstitutions"]
    of_stack = {"Table": "history", "Function": FUNCTION}
    for name, value in (values | of_stack).items():
        assert f"${{{name}}}" in text, "each substitution is used"
        text = text.replace(f"${{{name}}}", value)
    assert "${" not in text, "each name has a substitution"
    return text


def run(*pages: dict[str, Any], parameters: dict[str, str] | None = None, **case: Any) -> Any:
    """Runs one execution."""
    numbered = [page | ({"NextToken": str(n)} if n < len(pages) else {}) for n, page in enumerate(pages, 1)]
    text = definition(**(parameters or {}))
    document = {"definition": text, "pages": numbered, "function": FUNCTION, "summary": SUMMARY, **case}
    command = [str(TOOLS / "cloud" / "bin" / "python"), str(INTERPRETER)]
    ended = subprocess.run(command, input=json.dumps(document), text=True, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def account(number: str, **more: Any) -> dict[str, Any]:
    """Returns an account as Organizations lists it."""
    return {"Id": number, "Name": f"team {number[-1]}", "State": "ACTIVE", "Status": "ACTIVE", **more}


def checks(ended: dict[str, Any]) -> list[str]:
    """Returns what was checked, in order of Regions."""
    return [f"{each['region']} {each['account']}" for each in ended["checks"]]


def test_every_account_is_checked_in_every_region() -> None:
    ended = run({"Accounts": [account(A), account(B)]}, {"Accounts": []}, {"Accounts": [account(C)]})

    assert ended["status"] == "SUCCEEDED"
    assert ended["output"] == SUMMARY
    assert ended["lists"] == [{}, {"NextToken": "1"}, {"NextToken": "2"}]
    assert sorted(checks(ended)) == [f"{region} {each}" for region in ("eu-west-1", "us-east-1") for each in (B, A, C)]
    assert [each[:9] for each in checks(ended)] == ["eu-west-1"] * 3 + ["us-east-1"] * 3, "one Region after the other"
    assert all(each["check"] == "region" and len(each) == 4 for each in ended["checks"])
    assert all(each["maxVpcs"] == 1000 for each in ended["checks"])
    assert ended["summaries"] == [{"coverage": "summary", "since": "2026-11-27T04:00:00.123Z"}]


@pytest.mark.parametrize("number", ["1", "40"])
def test_as_many_checks_run_at_once_as_the_parameter_says(number: str) -> None:
    ended = run({"Accounts": [account(A)]}, parameters={"MaxConcurrentChecks": number, "Regions": "eu-west-1"})
    assert ended["concurrency"] == [int(number)]
    assert checks(ended) == [f"eu-west-1 {A}"]


def test_a_region_is_checked_in_parts_one_after_the_other() -> None:
    def next_part(n: int) -> dict[str, Any]:
        opened = {"HIGH": n, "MEDIUM": 0, "LOW": 0}
        return {"afterVpcId": f"vpc-{n:08x}", "since": "2026-11-27T04:00:01Z", "open": opened}

    # The check of the second account fails once.
    answers = {f"{A}#eu-west-1": [{"findings": [], "next": next_part(n)} for n in (1, 2)]}
    errors = {f"{B}#eu-west-1": ["Ec2ReadFailed"]}
    parameters = {"Regions": "eu-west-1", "MaxVpcsPerCheck": "7"}
    ended = run({"Accounts": [account(A), account(B)]}, answers=answers, errors=errors, parameters=parameters)

    same = {"check": "region", "maxVpcs": 7, "region": "eu-west-1"}
    of_account = {each: [check for check in ended["checks"] if check["account"] == each] for each in (A, B)}
    assert of_account[A] == [
        {**same, "account": A},
        {**same, "account": A, "next": next_part(1)},
        {**same, "account": A, "next": next_part(2)},
    ]
    assert of_account[B] == [{**same, "account": B}] * 2
    assert ended["status"] == "SUCCEEDED"


def test_a_part_that_fails_is_repeated_alone_and_ends_the_check_if_it_never_works() -> None:
    opened = {"HIGH": 0, "MEDIUM": 0, "LOW": 2}
    following = {"afterVpcId": "vpc-00000001", "since": "2026-11-27T04:00:01Z", "open": opened}
    answers = {f"{A}#eu-west-1": [{"findings": [], "next": following}]}
    for failures, calls in ((1, 3), (4, 5)):
        errors = {f"{A}#eu-west-1": ["", *["Ec2ReadFailed"] * failures]}
        ended = run({"Accounts": [account(A)]}, answers=answers, errors=errors, parameters={"Regions": "eu-west-1"})
        assert [check.get("next") for check in ended["checks"]] == [None, *[following] * (calls - 1)]


def test_accounts_that_are_not_active_or_excluded_are_kept_but_not_checked() -> None:
    suspended, old = account(B, State="SUSPENDED"), {"Id": "012345678901", "Name": "old", "Status": "PENDING_CLOSURE"}
    ended = run({"Accounts": [account(A), suspended, old, account(C)]}, parameters={"ExcludeAccounts": C})

    assert sorted(checks(ended)) == [f"eu-west-1 {A}", f"us-east-1 {A}"]
    (write,) = ended["writes"]
    states = {
        each["PutRequest"]["Item"]["sk"]["S"]: each["PutRequest"]["Item"]["accountState"] for each in write["history"]
    }
    assert states == {
        A: {"S": "ACTIVE"},
        B: {"S": "SUSPENDED"},
        "012345678901": {"S": "PENDING_CLOSURE"},
        C: {"S": "EXCLUDED"},
    }


def test_the_table_gets_what_the_function_reads() -> None:
    unit = "o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/"
    ended = run({"Accounts": [account(A, Paths=[unit])]}, {"Accounts": [{"Id": B, "Status": "ACTIVE"}]})

    rows = [put["PutRequest"]["Item"] for write in ended["writes"] for put in write["history"]]
    # 2026-11-27T04:00:00 and 100 days.
    same = {"pk": {"S": "accounts"}, "seenAt": {"S": "2026-11-27T04:00:00.123Z"}, "expiresAt": {"N": "1804392000"}}
    active = {**same, "accountState": {"S": "ACTIVE"}}
    assert rows == [
        {**active, "sk": {"S": A}, "accountName": {"S": "team 2"}, "organizationalUnit": {"S": unit}},
        {**active, "sk": {"S": B}},
    ]


def test_rows_that_dynamodb_does_not_take_are_sent_again() -> None:
    left = {"history": [{"PutRequest": {"Item": {"pk": {"S": "accounts"}, "sk": {"S": B}}}}]}
    ended = run({"Accounts": [account(A), account(B)]}, {"Accounts": [account(C)]}, unprocessed=[left])
    assert [len(write["history"]) for write in ended["writes"]] == [2, 1, 1]
    assert ended["writes"][1] == left
    assert len(ended["checks"]) == 6


def test_a_check_that_fails_is_repeated_and_stops_no_other() -> None:
    errors = {
        f"{A}#eu-west-1": ["Ec2ReadFailed"] * 2,
        f"{B}#eu-west-1": ["Ec2ReadFailed"] * 4,
        f"{C}#eu-west-1": ["ConfigError"],
    }
    ended = run({"Accounts": [account(A), account(B), account(C)]}, errors=errors)

    tried = [checks(ended).count(f"eu-west-1 {each}") for each in (A, B, C)]
    assert tried == [3, 4, 1], "works the third time, never works, would not work later either"
    assert checks(ended).count(f"us-east-1 {B}") == 1, "more than half failed, and the next Region is checked"
    assert ended["status"] == "SUCCEEDED", "only the summary decides"


def test_an_answer_that_is_too_large_for_a_state_is_no_failure() -> None:
    ended = run({"Accounts": [account(A)]}, errors={f"{A}#eu-west-1": ["States.DataLimitExceeded"]})
    assert checks(ended) == [f"eu-west-1 {A}", f"us-east-1 {A}"]


@pytest.mark.parametrize(("failed", "status"), [(1, "SUCCEEDED"), (2, "FAILED")])
def test_the_execution_fails_if_more_than_a_tenth_failed(failed: int, status: str) -> None:
    summary = {"totals": {}, "sweep": {"checked": 8, "notEnrolled": 10 - 8 - failed, "failed": failed}}
    ended = run({"Accounts": [account(A)]}, summary=summary)
    assert ended["status"] == status
    if status == "FAILED":
        assert ended["output"]["Error"] == "TooManyFailed"
        assert json.loads(ended["output"]["Cause"]) == summary


@pytest.mark.parametrize(("lost", "status"), [({}, "SUCCEEDED"), ({"lostAllMembers": True}, "FAILED")])
def test_the_execution_fails_if_the_hub_can_enter_no_account_any_more(lost: dict[str, bool], status: str) -> None:
    summary = {"totals": {}, "sweep": {"checked": 2, "notEnrolled": 8, "failed": 0, **lost}}
    ended = run({"Accounts": [account(A)]}, summary=summary)
    assert ended["status"] == status
    if lost:
        assert ended["output"]["Error"] == "LostAllMembers"
        assert json.loads(ended["output"]["Cause"]) == summary


def test_another_role_may_list_the_accounts() -> None:
    role = f"arn:aws:iam::{B}:role/list-accounts"
    ended = run({"Accounts": [account(A)]}, {"Accounts": [account(C)]}, parameters={"ListAccountsRole": role})
    assert len(ended["lists"]) == 2
    assert len(ended["checks"]) == 4

    states = json.loads(definition(ListAccountsRole=role))["States"]
    assert states["ListAccountsAsRole"].pop("Credentials") == {"RoleArn": "{% $states.input.listAccountsRole %}"}
    assert states["ListAccountsAsRole"].pop("Comment")
    assert states["ListAccountsAsRole"] == states["ListAccounts"]


OWN = {"Regions": "", "OrganizationId": "", "SweepWith": "state-machine"}
"""A stack of one account with the state machine."""


def test_a_stack_of_one_account_checks_itself_and_lists_nothing() -> None:
    opened = {"HIGH": 0, "MEDIUM": 0, "LOW": 2}
    following = {"afterVpcId": "vpc-00000001", "since": "2026-11-27T04:00:01Z", "open": opened}
    answers = {f"{A}#eu-west-1": [{"findings": [], "next": following}]}
    errors = {f"{A}#eu-west-1": ["Ec2ReadFailed"]}
    summary = {"totals": {"accountRegions": 1}, "sweep": {"checked": 1, "notEnrolled": 0, "failed": 0}}
    ended = run(parameters=OWN, answers=answers, errors=errors, summary=summary)

    same = {"check": "region", "maxVpcs": 1000, "account": A, "region": "eu-west-1"}
    assert ended["checks"] == [same, same, {**same, "next": following}]
    assert (ended["lists"], ended["writes"]) == ([], [])
    assert (ended["status"], ended["output"]) == ("SUCCEEDED", summary)
    assert ended["summaries"] == [{"coverage": "summary", "since": "2026-11-27T04:00:00.123Z"}]


def test_the_execution_fails_if_the_only_check_failed() -> None:
    errors = {f"{A}#eu-west-1": ["Ec2ReadFailed"] * 4}
    summary = {"totals": {"accountRegions": 1}, "sweep": {"checked": 0, "notEnrolled": 0, "failed": 1}}
    ended = run(parameters=OWN, errors=errors, summary=summary)
    assert len(ended["checks"]) == 4
    assert (ended["status"], ended["output"]["Error"]) == ("FAILED", "TooManyFailed")


def test_the_input_of_a_region_with_10_000_accounts_fits_into_a_state() -> None:
    accounts = [f"{number:012}" for number in range(10_000)]
    assert len(json.dumps({"region": "ap-southeast-2", "accounts": accounts})) < 256 * 1024 * 0.7


def test_cfn_lint_knows_the_definition(tmp_path: Path) -> None:
    machine = {"DefinitionString": definition(), "RoleArn": f"arn:aws:iam::{A}:role/sweep"}
    resources = {"Sweep": {"Type": "AWS::StepFunctions::StateMachine", "Properties": machine}}
    template = tmp_path / "template.json"
    template.write_text(json.dumps({"Resources": resources}))
    linted = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), str(template)], text=True, capture_output=True, check=False
    )
    # The schema does not know that Arguments may be an expression, as AWS's examples have it.
    assert [line for line in linted.stdout.splitlines() if line.startswith(("E", "W"))] == [
        f"E3601 '{{% $states.input.page %}}' is not of type 'object' at 'States/{state}/Arguments'"
        for state in ("ListAccounts", "ListAccountsAsRole")
    ]
