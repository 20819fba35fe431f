"""Checks that the twin does the same work: a comparison with something that does less would be worth nothing."""

import json
from typing import Any

from bench.events import REGION
from bench.function import Function
from bench.session import Session
from bench.stand_in import MeasurementFailed

VPCS, GAPS = 30, 7


def check(session: Session) -> None:
    """Lets both sweep a network with gaps, and compares findings, calls and messages."""
    [ours, twin] = [report(session, name) for name in ("gatewatch", "twin")]
    if ours != twin:
        raise MeasurementFailed(f"gatewatch and its twin differ:\n{ours}\n{twin}")


def report(session: Session, name: str) -> dict[str, Any]:
    """What a function found, called and sent."""
    session.stand_in.reset(VPCS, gaps=GAPS, keeps_writes=True)
    with Function(session.programs[name], session.stand_in, history=True) as function:
        answers = [json.loads(function.invoke(REGION).text) for _ in range(2)]
    counters = session.stand_in.counters()
    findings = [
        (found["routeTable"]["id"], found["service"], found["gap"], found["severity"])
        for found in answers[0]["findings"]
    ]
    reads = {call: count for call, count in counters["calls"].items() if call.startswith("Describe")}
    return {
        "findings": findings,
        # The twin has no checks of endpoints.
        "checked": {key: answers[0]["checked"][key] for key in ("vpcs", "subnets", "routeTables")},
        "published": [answer["published"] for answer in answers],
        "messages": counters["messages"],
        "reads": reads,
    }
