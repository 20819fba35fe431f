"""What ministack's EventBridge lacks for an organization.

As in `organization_gaps`, each function closes a gap of ministack 1.5.33, and fails if it is closed.
"""

import inspect
import json
from contextvars import ContextVar
from typing import Any

from local.ministack_gap import GapClosed
from local.organization_gaps import context_of, service_may_assume


def apply_all() -> None:
    """Closes all gaps."""
    keep_what_queues_refuse()
    deliver_to_buses_elsewhere()
    put_events_on_buses_of_other_accounts()
    create_buses_with_policies()


def keep_what_queues_refuse() -> None:
    """Gap: a rule sends to a queue whatever its policy says, and an event that is not delivered is lost.

    AWS sends what a queue refuses to the dead-letter queue of the target at once, if that queue admits the rule.
    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html) Targets of other kinds, and errors after
    which AWS tries again, are not emulated.
    """
    from ministack.core.responses import get_account_id
    from ministack.services import eventbridge, sqs

    if "DeadLetterConfig" in inspect.getsource(eventbridge._invoke_target):
        raise GapClosed("targets have dead-letter queues")
    invoke = eventbridge._invoke_target

    def admits(queue: str, rule: str) -> bool:
        return bool(sqs.queue_policy_allows(queue, "events.amazonaws.com", rule, get_account_id()))

    def invoke_or_keep(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], *view: Any) -> None:
        arn = target["Arn"]
        if arn.split(":")[2] != "sqs":
            invoke(target, event, rule, *view)
            return
        exists = sqs._queue_by_arn(arn) is not None
        if exists and admits(arn, rule["Arn"]):
            invoke(target, event, rule, *view)
            return
        error = ("NO_PERMISSIONS", "The policy of the queue refuses.") if exists else ("NO_RESOURCE", "No such queue.")
        dead_letters = target.get("DeadLetterConfig", {}).get("Arn", "")
        if not admits(dead_letters, rule["Arn"]):
            eventbridge.logger.warning("EventBridge -> SQS: %s refuses, and so does %s", arn, dead_letters or "nothing")
            return
        invoke({"Id": target["Id"], "Arn": dead_letters}, event, rule, *view)
        attributes = {"RULE_ARN": rule["Arn"], "TARGET_ARN": arn, "ERROR_CODE": error[0], "ERROR_MESSAGE": error[1]}
        sqs._queue_by_arn(dead_letters)["messages"][-1]["message_attributes"] = {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        }

    eventbridge._invoke_target = invoke_or_keep


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
    context = context_of(session, "events:PutEvents", str(bus))
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
            context = context_of(caller, "events:PutEvents", bus_arn)
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
