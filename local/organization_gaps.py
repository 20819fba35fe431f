"""What ministack lacks for an organization, in addition to the gaps that `ministack_server` closes for one account.

Each function below closes a gap of ministack 1.5.33. It first looks for its gap, and fails if ministack has closed it:
then remove it. They are applied only to a local cloud with an organization. `state_machine_gaps` has those of Step
Functions.
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
from local.organization_file import Account, OrganizationReader

AUTHORIZE = "/_gatewatch/authorize"
"""A path of our own: whose key it is, and whether it allows a call. The EC2 server asks, because keys are known here."""

PAGE_SIZE = 20
"""The most accounts that ListAccounts returns at once."""


def apply_all(organization: OrganizationReader) -> None:
    """Closes all gaps."""
    name_roles_in_conditions()
    know_organizations_in_conditions(organization)
    find_roles_by_their_whole_arn()
    ask_for_source_identity()
    refuse_accounts_that_admit_nobody(organization)
    list_accounts_in_pages(organization)
    deliver_to_buses_elsewhere()
    put_events_on_buses_of_other_accounts()
    create_buses_with_policies()
    authorize_calls_of_ec2()


# --- Conditions -------------------------------------------------------------------------------------------------------


def name_roles_in_conditions() -> None:
    """Gap: for an assumed role `aws:PrincipalArn` is the session's ARN. In AWS it is the role's ARN, path included."""
    from ministack.core import iam_evaluator

    resolve = iam_evaluator._resolve_condition_key
    if resolve("aws:PrincipalArn", _context("arn:aws:sts::111122223333:assumed-role/a/b")) != (
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
    resource = _context(resource="arn:aws:iam::111122223333:role/a")
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


def _context(principal: str = "arn:aws:iam::123456789012:root", action: str = "", resource: str = "*") -> Any:
    from ministack.core.iam_evaluator import EvalContext

    account = principal.split(":")[4]
    return EvalContext(principal, "AssumedRole", account, action, resource, "")


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


def _sts_error(status: int, code: str, message: str) -> Any:
    from ministack.services.iam import _error

    return _error(status, code, message, ns="sts")


def find_roles_by_their_whole_arn() -> None:
    """Gap: AssumeRole looks only at a role's name, so `role/a` also finds `role/path/a`. AWS compares the whole ARN."""
    from ministack.services import iam, sts

    if 'role_name = role_arn.split("/")[-1]' not in inspect.getsource(sts.handle_request):
        raise GapClosed("AssumeRole does not look for the last part of the ARN")

    def refuse(form: dict[str, str], _: dict[str, str]) -> Any:
        arn = form["RoleArn"]
        role = iam._roles.get_scoped(arn.split(":")[4], None, arn.rpartition("/")[2])
        if role and role["Arn"] != arn:
            return _sts_error(
                403, "AccessDenied", f"User is not authorized to perform: sts:AssumeRole on resource: {arn}"
            )
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
        return _sts_error(403, "AccessDenied", f"User is not authorized to perform: {action} on resource: {arn}")

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
            return _sts_error(
                403, "AccessDenied", f"User is not authorized to perform: sts:AssumeRole on resource: {arn}"
            )
        if account and region in account.disabled_regions:
            message = f"STS is not activated in this region for account:{account.id}. Your account administrator can activate STS in this region using the IAM Console."
            return _sts_error(403, "RegionDisabledException", message)
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


# --- EventBridge ------------------------------------------------------------------------------------------------------

_HOPS = "_Hops"
"""How often an event has been sent to another account or Region. AWS sends it on once."""


def deliver_to_buses_elsewhere() -> None:
    """Gap: a rule does not reach a bus in another account or Region.

    Like in AWS, the target's role must let EventBridge assume it and must allow events:PutEvents, the policy of a bus
    in another account must allow that role, and the event keeps the account and the Region where it happened.
    """
    from ministack.core.responses import get_account_id, get_region, request_scope
    from ministack.services import eventbridge

    if "spec.account_id != get_account_id() or spec.region != get_region()" not in inspect.getsource(
        eventbridge._dispatch_to_event_bus
    ):
        raise GapClosed("a rule reaches a bus in another account or Region")
    invoke = eventbridge._invoke_target
    dispatch = eventbridge._dispatch_to_event_bus
    target: ContextVar[dict[str, Any]] = ContextVar("target")

    def invoke_target(of_rule: dict[str, Any], *arguments: Any) -> None:
        token = target.set(of_rule)
        try:
            invoke(of_rule, *arguments)
        finally:
            target.reset(token)

    def dispatch_to_event_bus(
        bus: Any, event: dict[str, Any], rule: dict[str, Any], path: Any, changed: Any = None
    ) -> None:
        here = (get_account_id(), get_region())
        if bus.service != "events" or not bus.resource.startswith("event-bus/") or here == (bus.account_id, bus.region):
            dispatch(bus, event, rule, path, changed)
            return
        refusal = _why_not_forwarded(bus, event, target.get().get("RoleArn", ""), rule["Arn"])
        if refusal:
            eventbridge.logger.warning("EventBridge -> Event bus: %s is not delivered: %s", bus, refusal)
            return
        forwarded = event | {"EventBusName": bus.resource.partition("/")[2], _HOPS: 1}
        forwarded.pop("_DispatchPath", None)
        if changed is not None:
            forwarded["Detail"] = changed
        with request_scope(bus.account_id, bus.region):
            eventbridge._dispatch_event(forwarded)

    eventbridge._invoke_target = invoke_target
    eventbridge._dispatch_to_event_bus = dispatch_to_event_bus


def _why_not_forwarded(bus: Any, event: dict[str, Any], role_arn: str, rule_arn: str) -> str:
    """Returns why EventBridge does not send an event to a bus elsewhere; nothing if it does."""
    from ministack.core import iam_evaluator
    from ministack.core.responses import get_account_id
    from ministack.services import eventbridge, iam

    account = get_account_id()
    if event.get(_HOPS):
        return "it has been sent to another account or Region before"
    name = role_arn.rpartition("/")[2]
    role = iam._roles.get_scoped(account, None, name)
    if not role or role["Arn"] != role_arn:
        return f"there is no role {role_arn}"
    if not service_may_assume(role, "events.amazonaws.com", account, rule_arn):
        return f"{role_arn} does not let EventBridge assume it"
    session = f"arn:aws:sts::{account}:assumed-role/{name}/events"
    context = _context(session, "events:PutEvents", str(bus))
    context.service_context = {
        "events:source": event["Source"],
        "events:detail-type": event["DetailType"],
        "aws:sourcearn": rule_arn,
        "aws:sourceaccount": account,
    }
    if iam_evaluator.evaluate(context, iam_evaluator._gather_role_policies(name, account)).decision != "Allow":
        return f"{role_arn} does not allow events:PutEvents on it"
    bus_name = bus.resource.partition("/")[2]
    if eventbridge._event_buses.get_scoped(bus.account_id, bus.region, bus_name) is None and bus_name != "default":
        return "there is no such bus"
    if bus.account_id != account and not bus_admits(bus, context):
        return f"the policy of the bus does not admit {role_arn}"
    return ""


def bus_admits(bus: Any, context: Any) -> bool:
    """Returns whether the policy of a bus allows a principal of another account what the context says."""
    from ministack.core import iam_evaluator
    from ministack.services import eventbridge

    policy = eventbridge._event_bus_policies.get_scoped(bus.account_id, bus.region, bus.resource.partition("/")[2])
    return bool(policy and iam_evaluator.evaluate_resource_policy(policy, context).decision == "Allow")


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
    context = _context(f"arn:aws:iam::{account}:root", "sts:AssumeRole", role["Arn"])
    context.service_context = {"aws:sourceaccount": account, "aws:sourcearn": source}
    parsed = iam_evaluator.parse_policy_document({"Statement": [each | {"Resource": "*"} for each in named]})
    return bool(iam_evaluator.evaluate(context, [parsed]).decision == "Allow")


def put_events_on_buses_of_other_accounts() -> None:
    """Gap: PutEvents does not know buses of other accounts and Regions, and this cloud accepts `aws.*` from everyone.

    Like in AWS, the policy of a bus in another account decides, and only AWS itself sends events of `aws.*`. Here that
    is the EC2 server, which uses the key of an account and no session of a role.
    """
    from ministack.core import iam_evaluator
    from ministack.core.arn import parse_arn
    from ministack.core.responses import error_response_json, get_account_id, get_region, json_response, request_scope
    from ministack.services import eventbridge

    if "spec.account_id != get_account_id()" not in inspect.getsource(eventbridge._events_resource_name_from_ref):
        raise GapClosed("PutEvents knows buses of other accounts")
    put_here = eventbridge._put_events

    def put_events(request: dict[str, Any], allow_aws_source: bool = True) -> Any:
        caller = iam_evaluator.caller_arn()
        acts_for_aws = caller.endswith(":root")
        here = f"arn:aws:events:{get_region()}:{get_account_id()}:event-bus/"
        results = []
        for entry in request.get("Entries", []):
            bus_arn = entry.get("EventBusName", "default")
            elsewhere = bus_arn.startswith("arn:") and not bus_arn.startswith(here)
            if entry.get("Source", "").startswith("aws.") and (elsewhere or not acts_for_aws):
                results.append(
                    {"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": "Not authorized for the source."}
                )
                continue
            if not elsewhere:
                answer = json.loads(put_here({"Entries": [entry]}, allow_aws_source)[2])
                results += answer["Entries"]
                continue
            bus = parse_arn(bus_arn)
            context = _context(caller, "events:PutEvents", bus_arn)
            context.service_context = {"events:source": entry["Source"], "events:detail-type": entry["DetailType"]}
            if bus.account_id != get_account_id() and not bus_admits(bus, context):
                message = (
                    f"User: {caller} is not authorized to perform: events:PutEvents on resource: {bus_arn} because no "
                    "resource-based policy allows the events:PutEvents action"
                )
                return error_response_json("AccessDeniedException", message, 400)
            sent = {"account": get_account_id(), "region": get_region()}
            with request_scope(bus.account_id, bus.region):
                event = {
                    "EventId": eventbridge.new_uuid(),
                    "Source": entry["Source"],
                    "DetailType": entry["DetailType"],
                    "Detail": entry.get("Detail", "{}"),
                    "EventBusName": bus.resource.partition("/")[2],
                    "Time": int(eventbridge._now_ts()),
                    "Resources": entry.get("Resources", []),
                    "Account": sent["account"],
                    "Region": sent["region"],
                    _HOPS: 1,
                }
                eventbridge._dispatch_event(event)
            results.append({"EventId": event["EventId"]})
        failed = sum("ErrorCode" in each for each in results)
        return json_response({"FailedEntryCount": failed, "Entries": results})

    eventbridge._put_events = put_events


def create_buses_with_policies() -> None:
    """Gap: CloudFormation creates a bus without its policy."""
    from ministack.services import eventbridge
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS["AWS::Events::EventBus"]
    create, update, delete = handlers["create"], handlers["update"], handlers["delete"]
    if "Policy" in inspect.getsource(create):
        raise GapClosed("CloudFormation creates a bus with its policy")

    def set_policy(bus: str, properties: dict[str, Any]) -> None:
        if policy := properties.get("Policy"):
            eventbridge._event_bus_policies[bus] = policy
        else:
            eventbridge._event_bus_policies.pop(bus, None)

    def create_whole(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        created = create(logical_id, properties, stack)
        set_policy(created[0], properties)
        return created

    def update_whole(bus: str, before: dict[str, Any], properties: dict[str, Any], *more: Any) -> Any:
        updated = update(bus, before, properties, *more)
        set_policy(updated[0], properties)
        return updated

    def delete_whole(bus: str, properties: dict[str, Any]) -> None:
        set_policy(bus, {})
        delete(bus, properties)

    handlers |= {"create": create_whole, "update": update_whole, "delete": delete_whole}


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
    with request_scope(account, region):
        principal = iam_evaluator.resolve_principal(key, account)
        if isinstance(principal, iam_evaluator.AuthError):
            return {"account": account, "code": "AuthFailure", "refusal": principal.message}
        if not action or principal.policies is None:
            return {"account": account}
        context = _context(principal.arn, action)
        context.region, context.principal_keys = region, principal.keys
        if iam_evaluator.evaluate(context, principal.policies, *principal.limits).decision == "Allow":
            return {"account": account}
    message = f"You are not authorized to perform this operation. User: {principal.arn} is not authorized to perform: {action}"
    return {"account": account, "code": "UnauthorizedOperation", "refusal": message}
