"""What ministack's Step Functions lack for the sweep of an organization.

As in `organization_gaps`, each function closes a gap of ministack 1.5.33, and fails if it is closed.
"""

import contextlib
import inspect
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from local.ministack_gap import GapClosed
from local.organization_gaps import leading_keys, role_of, service_may_assume

WITHOUT_ROLE = ("arn:aws:states:::states:", "arn:aws:states:::activity:")
"""Integrations that are not checked: no state machine of gatewatch uses them."""


def apply_all() -> None:
    """Closes all gaps."""
    call_organizations()
    use_the_roles_of_state_machines()


def call_organizations() -> None:
    """Gap: a state machine cannot call Organizations."""
    from ministack.services import stepfunctions

    if "organizations" in stepfunctions._AWS_SDK_SERVICE_MAP:
        raise GapClosed("a state machine can call Organizations")
    stepfunctions._AWS_SDK_SERVICE_MAP["organizations"] = {
        "target_prefix": "AWSOrganizationsV20161128",
        "protocol": "json",
    }
    stepfunctions._AWS_SDK_ERROR_PREFIX["organizations"] = "Organizations"


# --- Roles ------------------------------------------------------------------------------------------------------------

_caller: ContextVar[tuple[str, str, str]] = ContextVar("caller")
"""The state machine that runs, its role, and the role in the state's `Credentials` (or nothing)."""


def use_the_roles_of_state_machines() -> None:
    """Gap: a state machine may call everything, and `Credentials` of a state are ignored.

    In AWS its role must allow each call, and with `Credentials` it assumes another role first, perhaps in another
    account. A Distributed Map starts executions of its own state machine.
    """
    from ministack.core.responses import get_account_id, request_scope
    from ministack.services import stepfunctions

    if "Credentials" in inspect.getsource(stepfunctions._execute_task):
        raise GapClosed("a state's Credentials are not ignored")
    execute, invoke = stepfunctions._execute_task, stepfunctions._invoke_resource
    run_map = stepfunctions._run_distributed_map

    def execute_with_role(state: dict[str, Any], data: Any, execution: Any, context: dict[str, Any]) -> Any:
        with _calling_as(state, data, context):
            return execute(state, data, execution, context)

    def invoke_if_allowed(resource: str, data: Any) -> Any:
        machine, role, other = _caller.get()
        _check_trust(role, machine)
        if other:
            _check_permission(role, "sts:AssumeRole", other)
            _check_is_trusted(role, other)
            role = other
        if needed := _permission(resource, data):
            _check_permission(role, *needed, leading_keys(data) if needed[0].startswith("dynamodb:") else {})
        account = role.split(":")[4]
        if account == get_account_id():
            return invoke(resource, data)
        with request_scope(account, machine.split(":")[3]):
            return invoke(resource, data)

    def run_map_if_allowed(state: Any, raw: Any, effective: Any, iterator: Any, execution: Any, context: Any) -> Any:
        with _calling_as({}, raw, context):
            machine, role, _ = _caller.get()
            _check_permission(role, "states:StartExecution", machine)
        return run_map(state, raw, effective, iterator, execution, context)

    stepfunctions._execute_task = execute_with_role
    stepfunctions._invoke_resource = invoke_if_allowed
    stepfunctions._run_distributed_map = run_map_if_allowed


@contextlib.contextmanager
def _calling_as(state: dict[str, Any], data: Any, context: dict[str, Any]) -> Iterator[None]:
    from ministack.services import stepfunctions

    machine = context["StateMachine"]["Id"]
    credentials = state.get("Credentials") or {}
    if stepfunctions._state_query_language(state, context) == "JSONata":
        credentials = stepfunctions._apply_jsonata_template(credentials, data, context)
    else:
        credentials = stepfunctions._resolve_params_obj(credentials, data, context)
    role = stepfunctions._state_machines[machine]["roleArn"]
    token = _caller.set((machine, role, credentials.get("RoleArn", "")))
    try:
        yield
    finally:
        _caller.reset(token)


def _permission(resource: str, data: Any) -> tuple[str, str] | None:
    """Returns the action and the resource that a task needs; nothing if it is not checked."""
    from ministack.core.responses import get_account_id, get_region

    if resource.startswith(WITHOUT_ROLE):
        return None
    parts = resource.split(":")
    service, action = (parts[6], parts[7]) if "aws-sdk" in parts else (parts[5], parts[6])
    action = action.partition(".")[0]
    here = f"{get_region()}:{get_account_id()}"
    match service:
        case "lambda":
            name = data["FunctionName"]
            return "lambda:InvokeFunction", name if ":" in name else f"arn:aws:lambda:{here}:function:{name}"
        case "dynamodb":
            table = data.get("TableName") or next(iter(data["RequestItems"]))
            arn = table if ":" in table else f"arn:aws:dynamodb:{here}:table/{table}"
            return f"dynamodb:{action[0].upper()}{action[1:]}", arn
        case _:
            return f"{service}:{action[0].upper()}{action[1:]}", data.get("TopicArn", "*")


def _check_permission(role: str, action: str, resource: str, keys: dict[str, Any] | None = None) -> None:
    from ministack.core import iam_evaluator

    account, name = role.split(":")[4], role.rpartition("/")[2]
    session = f"arn:aws:sts::{account}:assumed-role/{name}/states"
    context = iam_evaluator.EvalContext(
        session, "AssumedRole", account, action, resource, "", service_context=keys or {}
    )
    if iam_evaluator.evaluate(context, iam_evaluator._gather_role_policies(name, account)).decision != "Allow":
        _deny(f"User: {session} is not authorized to perform: {action} on resource: {resource}")


def _check_trust(role: str, machine: str) -> None:
    from ministack.services import iam

    account = role.split(":")[4]
    record = iam._roles.get_scoped(account, None, role.rpartition("/")[2])
    if not record or not service_may_assume(record, "states.amazonaws.com", account, machine):
        _deny(f"Step Functions may not assume {role}")


def _check_is_trusted(caller: str, role: str) -> None:
    from ministack.core import iam_evaluator
    from ministack.services import iam

    record = iam._roles.get_scoped(role.split(":")[4], None, role.rpartition("/")[2])
    account, name = caller.split(":")[4], caller.rpartition("/")[2]
    session = f"arn:aws:sts::{account}:assumed-role/{name}/states"
    context = iam_evaluator.EvalContext(session, "AssumedRole", account, "sts:AssumeRole", role, "")
    trusted = record and record["Arn"] == role
    if not trusted or not iam_evaluator.evaluate_trust_policy(record["AssumeRolePolicyDocument"], session, context):
        _deny(f"{role_of(session)} may not assume {role}")


def _deny(message: str) -> None:
    from ministack.services.stepfunctions import _ExecutionError

    raise _ExecutionError("States.TaskFailed", f"AccessDeniedException: {message}")
