"""Runs organization/sweep.asl.json in ministack's interpreter, with stand-ins for the services that it calls.

A program of its own, because ministack is not installed where the tests run. It reads a case from its input and prints
what happened. test_sweep_definition.py has the cases.
"""

import json
import os
import sys
import threading
from typing import Any

os.environ["SFN_WAIT_SCALE"] = "0"  # no waiting between attempts; read when ministack is imported

from ministack.services import stepfunctions

ARN = "arn:aws:states:eu-west-1:123456789012:stateMachine:sweep"
EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:sweep:one"


class Services:
    """What the state machine calls. Remembers each call."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.case = case
        self.lock = threading.Lock()
        self.checks: list[dict[str, Any]] = []
        self.summaries: list[dict[str, Any]] = []
        self.writes: list[dict[str, Any]] = []
        self.lists: list[dict[str, Any]] = []

    def invoke(self, resource: str, given: dict[str, Any]) -> Any:
        """Answers one call of a state."""
        with self.lock:
            service = resource.split(":::")[1]
            if service == "aws-sdk:organizations:listAccounts":
                self.lists.append(given)
                return self.case["pages"][int(given.get("NextToken", "0"))]
            if service == "aws-sdk:dynamodb:batchWriteItem":
                self.writes.append(given["RequestItems"])
                left = self.case.get("unprocessed", [])
                return {"UnprocessedItems": left.pop(0) if left else {}}
            assert service == "lambda:invoke", resource
            payload = given["Payload"]
            assert given["FunctionName"] == self.case["function"]
            if "coverage" in payload:
                self.summaries.append(payload)
                return {"StatusCode": 200, "Payload": self.case["summary"]}
            self.checks.append(payload)
            errors = self.case.get("errors", {}).get(f"{payload['account']}#{payload['region']}", [])
            # An empty text is a call that works.
            if error := errors.pop(0) if errors else "":
                raise stepfunctions._ExecutionError(error, "{}")
            answers = self.case.get("answers", {}).get(f"{payload['account']}#{payload['region']}", [])
            return {"StatusCode": 200, "Payload": answers.pop(0) if answers else {"findings": []}}


def run(case: dict[str, Any]) -> dict[str, Any]:
    """Runs one execution."""
    services = Services(case)
    stepfunctions._invoke_resource = services.invoke
    stepfunctions._emit_execution_status_event = lambda _: None
    stepfunctions._state_machines[ARN] = {"stateMachineArn": ARN, "name": "sweep", "definition": case["definition"]}
    execution: dict[str, Any] = {
        "executionArn": EXECUTION,
        "stateMachineArn": ARN,
        "name": "one",
        "status": "RUNNING",
        "startDate": "2026-11-27T04:00:00.123Z",
        "stopDate": None,
        "input": "{}",
        "output": None,
        "events": [],
    }
    stepfunctions._executions[EXECUTION] = execution
    stepfunctions._run_execution(EXECUTION)
    return {
        "status": execution["status"],
        "output": json.loads(execution["output"]),
        "lists": services.lists,
        "writes": services.writes,
        "checks": services.checks,
        "summaries": services.summaries,
        "concurrency": [each["maxConcurrency"] for each in stepfunctions._map_runs.values()],
    }


if __name__ == "__main__":
    json.dump(run(json.load(sys.stdin)), sys.stdout)
