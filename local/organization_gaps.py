"""What ministack lacks for an organization, in addition to the gaps that `ministack_server` closes for one account.

Each function below closes a gap of ministack 1.5.33. It first looks for its gap, and fails if ministack has closed it:
then remove it. They are applied only to a local cloud with an organization. `state_machine_gaps` has those of Step
Functions, and `event_bus_gaps` those of EventBridge.
"""

import dataclasses
import inspect
import json
import re
import zlib
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qs

from local.ministack_gap import GapClosed
from local.organization_file import AUTHORIZE, Account, OrganizationReader

PAGE_SIZE = 20
"""The most accounts that ListAccounts returns at once."""


def apply_all(organization: OrganizationReader) -> None:
    """Closes all gaps."""
    name_roles_in_conditions()
    know_organizations_in_conditions(organization)
    compare_arns_part_by_part()
    know_partition_keys_in_conditions()
    find_roles_by_their_whole_arn()
    ask_for_source_identity()
    refuse_accounts_that_admit_nobody(organization)
    list_accounts_in_pages(organization)
    authorize_calls_of_ec2()


# --- Conditions -------------------------------------------------------------------------------------------------------


def name_roles_in_conditions() -> None:
    """Gap: for an assumed role `aws:PrincipalArn` is the session's ARN. In AWS it is the role's ARN, path included."""
    from ministack.core import iam_evaluator

    resolve = iam_evaluator._resolve_condition_key
    if resolve("aws:PrincipalArn", context_of("arn:aws:sts::111122223333:assumed-role/a/b")) != (
        "arn:aws:sts::111122223333:assumed-role/a/b"
    ):
        raise GapClosed("aws:PrincipalArn is not the ARN of the session")

    def resolve_role(key: str, context: Any) -> Any:
        if key.lower() == "aws:principalarn":
            return role_of(context.principal_arn)
        return resolve(key, context)

    iam_evaluator._resolve_condition_key = resolve_role


def know_organizations_in_conditions(organization: OrganizationReader) -> None:
    """Gap: each account is an organization of its own, and `aws:ResourceOrgID` is unknown."""
    from ministack.core import iam_evaluator

    resolve = iam_evaluator._resolve_condition_key
    resource = context_of(resource="arn:aws:iam::111122223333:role/a")
    if resolve("aws:ResourceOrgID", resource) is not None:
        raise GapClosed("aws:ResourceOrgID is known")

    def resolve_organization(key: str, context: Any) -> Any:
        match key.lower():
            case "aws:principalorgid":
                account = context.principal_account
            case "aws:resourceorgid":
                account = resolve("aws:ResourceAccount", context)
            case _:
                return resolve(key, context)
        current = organization.current
        return current.id if current.account(account) else None

    iam_evaluator._resolve_condition_key = resolve_organization


def compare_arns_part_by_part() -> None:
    """Gap: in `ArnLike` a wildcard also matches colons, so `*:role/a` admits the role `a` below the path `/b:role/`.

    AWS compares each of the six parts of an ARN on its own.
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html)
    """
    from ministack.core import iam_evaluator

    if not iam_evaluator._op_arn_like("arn:aws:iam::111122223333:role/b:role/a", "arn:aws:iam::*:role/a"):
        raise GapClosed("ArnLike compares the parts of an ARN")

    def is_like(arn: str, pattern: str) -> bool:
        parts, of_pattern = arn.split(":", 5), pattern.split(":", 5)
        return len(parts) == len(of_pattern) and all(map(iam_evaluator.fnmatch_iam_cs, parts, of_pattern))

    def is_not_like(arn: str, pattern: str) -> bool:
        return not is_like(arn, pattern)

    operators = iam_evaluator._CONDITION_OPS
    operators |= {"arnlike": is_like, "arnequals": is_like, "arnnotlike": is_not_like, "arnnotequals": is_not_like}


def know_partition_keys_in_conditions() -> None:
    """Gap: `dynamodb:LeadingKeys` is unknown, so `ForAllValues` of it allows every row."""
    from ministack.core import iam_actions

    context_of_request = iam_actions.dynamodb_service_context
    if LEADING_KEYS in {key.lower() for key in context_of_request(b'{"TableName": "a", "Key": {"pk": {"S": "b"}}}')}:
        raise GapClosed("dynamodb:LeadingKeys is known")

    def context_with_keys(body: bytes) -> dict[str, Any]:
        context: dict[str, Any] = context_of_request(body)
        return context | leading_keys(json.loads(body or b"{}"))

    iam_actions.dynamodb_service_context = context_with_keys


LEADING_KEYS = "dynamodb:leadingkeys"


def leading_keys(request: dict[str, Any]) -> dict[str, list[str]]:
    """Returns the condition key with the partition keys that a request names; nothing if it names none, as in a scan.

    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html) All rows of a
    transaction count together. AWS checks each on its own.
    """
    keys = {key for table, rows in _rows_of(request) for row in rows if (key := _partition_key(table, row)) is not None}
    return {LEADING_KEYS: sorted(keys)} if keys else {}


def _rows_of(request: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Returns the rows that a request names, by table. A row has its key, and in a write its other attributes."""
    members = [*request.get("TransactItems", []), {"": request}]
    found = [
        (each["TableName"], [each[name] for name in ("Key", "Item") if name in each] + _queried(each))
        for member in members
        for each in member.values()
        if "TableName" in each
    ]
    for table, asked in request.get("RequestItems", {}).items():
        writes = [row for each in asked for row in each.values()] if isinstance(asked, list) else []
        keys = asked["Keys"] if isinstance(asked, dict) else [row.get("Key") or row["Item"] for row in writes]
        found.append((table, keys))
    return found


def _queried(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the partition key of a query. Only a comparison with `=` can name it."""
    names = request.get("ExpressionAttributeNames", {})
    compared = re.findall(r"([#\w]+)\s*=\s*(:\w+)", request.get("KeyConditionExpression", ""))
    return [{names.get(name, name): request["ExpressionAttributeValues"][value]} for name, value in compared]


def _partition_key(table: str, row: dict[str, Any]) -> str | None:
    from ministack.services import dynamodb

    known = dynamodb._tables.get(table.rpartition("/")[2])
    key = row.get(known["pk_name"]) if known else None
    return str(next(iter(key.values()))) if key else None


def role_of(principal: str) -> str:
    """Returns the ARN of the role of a session; other principals as they are."""
    from ministack.services import iam

    session = re.fullmatch(
        r"arn:(?P<partition>[\w-]+):sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/]+)/.*", principal
    )
    if not session:
        return principal
    role = iam._roles.get_scoped(session["account"], None, session["role"])
    return role["Arn"] if role else f"arn:{session['partition']}:iam::{session['account']}:role/{session['role']}"


def context_of(principal: str = "arn:aws:iam::123456789012:root", action: str = "", resource: str = "*") -> Any:
    from ministack.core.iam_evaluator import EvalContext

    account = principal.split(":")[4]
    return EvalContext(principal, "AssumedRole", account, action, resource, "")


def service_may_assume(role: dict[str, Any], service: str, account: str, source: str) -> bool:
    """Returns whether a role lets a service assume it on behalf of a resource."""
    from ministack.core import iam_evaluator

    document = json.loads(role["AssumeRolePolicyDocument"])
    statements = document["Statement"]
    named = [
        each
        for each in ([statements] if isinstance(statements, dict) else statements)
        if iam_evaluator._service_principal_matches(each.get("Principal"), service)
    ]
    context = context_of(f"arn:aws:iam::{account}:root", "sts:AssumeRole", role["Arn"])
    context.service_context = {"aws:sourceaccount": account, "aws:sourcearn": source}
    parsed = iam_evaluator.parse_policy_document({"Statement": [each | {"Resource": "*"} for each in named]})
    return bool(iam_evaluator.evaluate(context, [parsed]).decision == "Allow")


# --- STS --------------------------------------------------------------------------------------------------------------

_assume_role: ContextVar[dict[str, str] | None] = ContextVar("assume_role", default=None)
"""The parameters of the AssumeRole call that is being handled."""


def _wrap_sts(handle: Callable[[dict[str, str], dict[str, str]], Any]) -> None:
    """Calls `handle` with the parameters and headers of each AssumeRole call. What it returns replaces the answer."""
    from ministack.services import sts

    original = sts.handle_request

    async def handle_request(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()} if method == "POST" else {}
        if form.get("Action") != "AssumeRole":
            return await original(method, path, headers, body, query)
        if (answer := handle(form, headers)) is not None:
            return answer
        token = _assume_role.set(form)
        try:
            return await original(method, path, headers, body, query)
        finally:
            _assume_role.reset(token)

    sts.handle_request = handle_request


def _sts_error(code: str, message: str) -> Any:
    from ministack.services.iam import _error

    return _error(403, code, message, ns="sts")


def _denied(action: str, role: str) -> Any:
    return _sts_error("AccessDenied", f"User is not authorized to perform: {action} on resource: {role}")


def find_roles_by_their_whole_arn() -> None:
    """Gap: AssumeRole looks only at a role's name, so `role/a` also finds `role/path/a`. AWS compares the whole ARN."""
    from ministack.services import iam, sts

    if 'role_name = role_arn.split("/")[-1]' not in inspect.getsource(sts.handle_request):
        raise GapClosed("AssumeRole does not look for the last part of the ARN")

    def refuse(form: dict[str, str], _: dict[str, str]) -> Any:
        arn = form["RoleArn"]
        role = iam._roles.get_scoped(arn.split(":")[4], None, arn.rpartition("/")[2])
        if role and role["Arn"] != arn:
            return _denied("sts:AssumeRole", arn)
        return None

    _wrap_sts(refuse)


def ask_for_source_identity() -> None:
    """Gap: nobody is asked whether a caller may set a source identity.

    In AWS the trust policy and the caller's own policies must allow sts:SetSourceIdentity.
    """
    from ministack.core import iam_evaluator
    from ministack.core.router import extract_access_key_id, extract_region
    from ministack.services import sts

    if "SourceIdentity" in inspect.getsource(sts):
        raise GapClosed("AssumeRole knows SourceIdentity")
    evaluate = iam_evaluator.evaluate_trust_policy

    def evaluate_with_identity(document: Any, caller: str, context: Any = None) -> bool:
        form = _assume_role.get() or {}
        if context is None or "SourceIdentity" not in form:
            return bool(evaluate(document, caller, context))
        keys = context.service_context | {"sts:sourceidentity": form["SourceIdentity"]}
        return all(
            evaluate(document, caller, dataclasses.replace(context, action=action, service_context=keys))
            for action in (context.action, "sts:SetSourceIdentity")
        )

    iam_evaluator.evaluate_trust_policy = evaluate_with_identity

    def refuse(form: dict[str, str], headers: dict[str, str]) -> Any:
        if "SourceIdentity" not in form:
            return None
        key, action, arn = extract_access_key_id(headers, {}), "sts:SetSourceIdentity", form["RoleArn"]
        if iam_evaluator.enforce(key, action, "sts", extract_region(headers, {}), resource_arn=arn) is None:
            return None
        return _denied(action, arn)

    _wrap_sts(refuse)


def refuse_accounts_that_admit_nobody(organization: OrganizationReader) -> None:
    """Gap: there are no suspended accounts, and no Regions that an account has not enabled.

    STS refuses in both cases. (The second error is that of an endpoint in a Region that the role's account has not
    enabled: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html#API_AssumeRole_Errors)
    """
    from ministack.services import sts

    if "RegionDisabledException" in inspect.getsource(sts):
        raise GapClosed("STS knows Regions that are not enabled")

    def refuse(form: dict[str, str], _: dict[str, str]) -> Any:
        from ministack.core.responses import get_region

        arn, region = form["RoleArn"], get_region()
        account = organization.current.account(arn.split(":")[4])
        if account and account.state != "ACTIVE":
            return _denied("sts:AssumeRole", arn)
        if account and region in account.disabled_regions:
            message = f"STS is not activated in this region for account:{account.id}."
            return _sts_error("RegionDisabledException", message)
        return None

    _wrap_sts(refuse)


# --- Organizations ----------------------------------------------------------------------------------------------------


def list_accounts_in_pages(organization: OrganizationReader) -> None:
    """Gap: ListAccounts knows only accounts with random ids, without `State` and `Paths`, and has no pages.

    Like in AWS, only the management account and delegated administrators may call it.
    """
    from ministack.core.responses import error_response_json, get_account_id
    from ministack.services import organizations

    if "NextToken" in inspect.getsource(organizations):
        raise GapClosed("Organizations answers in pages")

    def list_accounts(request: dict[str, Any]) -> Any:
        current = organization.current
        if get_account_id() not in (current.management_account, *current.delegated_administrators):
            message = "You don't have permissions to access this resource."
            return error_response_json("AccessDeniedException", message, 400)
        start = int(request.get("NextToken") or 0)
        end = start + min(int(request.get("MaxResults") or PAGE_SIZE), PAGE_SIZE)
        page = [_as_listed(each, current.id, current.management_account) for each in current.accounts[start:end]]
        more = {"NextToken": str(end)} if end < len(current.accounts) else {}
        return organizations._json(200, {"Accounts": page} | more)

    organizations._DISPATCH["ListAccounts"] = list_accounts


def _as_listed(account: Account, organization: str, management: str) -> dict[str, Any]:
    return {
        "Id": account.id,
        "Arn": f"arn:aws:organizations::{management}:account/{organization}/{account.id}",
        "Email": f"{account.id}@example.com",
        "Name": account.name,
        # The older field has fewer values.
        "Status": account.state if account.state in ("ACTIVE", "SUSPENDED") else "SUSPENDED",
        "State": account.state,
        "Paths": [_path_of_ids(account, organization)],
        "JoinedMethod": "CREATED",
        "JoinedTimestamp": 1_700_000_000,
    }


def _path_of_ids(account: Account, organization: str) -> str:
    """Returns the path that ListAccounts shows: ids of the units, not their names."""
    units = [f"ou-root-{zlib.crc32(name.encode()):08x}" for name in account.path.split("/") if name]
    return "/".join([organization, "r-root", *units, account.id, ""])


# --- EC2, which another server answers --------------------------------------------------------------------------------


def authorize_calls_of_ec2() -> None:
    """Gap: EC2's calls are answered by another server, which does not know keys and policies. It asks here."""
    import ministack.app

    serve = ministack.app.app

    async def serve_or_authorize(scope: dict[str, Any], *channels: Callable[..., Awaitable[Any]]) -> None:
        if scope.get("path") != AUTHORIZE:
            await serve(scope, *channels)
            return
        asked = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        answer = json.dumps(authorization(asked["key"], asked.get("action", ""), asked["region"])).encode()
        _, send = channels
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": answer})

    ministack.app.app = serve_or_authorize


def authorization(key: str, action: str, region: str) -> dict[str, str]:
    """Returns the account of a key, and why it may not call an action if it may not."""
    from ministack.core import iam_evaluator
    from ministack.core.responses import request_scope
    from ministack.services import sts

    account = sts._access_key_account(key) or (key if re.fullmatch(r"\d{12}", key) else "")
    if not account:
        return {
            "account": "",
            "code": "AuthFailure",
            "refusal": "AWS was not able to validate the provided credentials",
        }
    if _role_is_gone(sts._sessions.get(key, {})):
        return {"account": account, "code": "AuthFailure", "refusal": "The role of these credentials is gone"}
    with request_scope(account, region):
        principal = iam_evaluator.resolve_principal(key, account)
        if isinstance(principal, iam_evaluator.AuthError):
            return {"account": account, "code": "AuthFailure", "refusal": principal.message}
        if not action or principal.policies is None:
            return {"account": account}
        context = context_of(principal.arn, action)
        context.region, context.principal_keys = region, principal.keys
        if iam_evaluator.evaluate(context, principal.policies, *principal.limits).decision == "Allow":
            return {"account": account}
    refusal = f"You are not authorized to perform this operation. User: {principal.arn}, action: {action}"
    return {"account": account, "code": "UnauthorizedOperation", "refusal": refusal}


def _role_is_gone(session: dict[str, Any]) -> bool:
    """Returns whether the role of a session was deleted, or replaced by another one with the same name."""
    from ministack.services import iam

    role_id = session.get("UserId", "").partition(":")[0]
    if not role_id.startswith("AROA"):
        return False
    _, _, _, _, account, resource = session["Arn"].split(":")
    role = iam._roles.get_scoped(account, None, resource.split("/")[1])
    return role is None or role["RoleId"] != role_id
