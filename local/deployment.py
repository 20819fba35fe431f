"""The project's own template.yaml, built and deployed with SAM as a user would, into the local cloud."""

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local import environment
from local.cloud import Cloud
from local.processes import ProcessFailed, run

STACK = "gatewatch"
SAMCONFIG = environment.ROOT / "samconfig.toml"
BUILT = environment.TOOLS / "sam-build"

BUILD_SETTINGS = {
    # A dev build: about 4 minutes on two cores when nothing is built yet; a release build takes 10. It is the same
    # build as `cargo build`'s and `cargo test`'s (see .cargo/config.toml), so whichever comes first pays for all.
    "SAM_BUILD_MODE": "debug",
    # The function runs on this machine, so the machine's own linker does. (For another architecture or an older libc,
    # cargo-lambda's default is zig.)
    "CARGO_LAMBDA_COMPILER": "cargo",
    # cargo-lambda would fetch a Rust target that is missing. None is, and if one were this says so at once.
    "RUSTUP_DIST_SERVER": "http://127.0.0.1:9",
    "RUSTUP_UPDATE_ROOT": "http://127.0.0.1:9",
}


@dataclass(frozen=True)
class Deployment:
    """The stack as it stands in the local cloud."""

    cloud: Cloud
    outputs: dict[str, str]

    @property
    def topic(self) -> str:
        """Where findings are published as JSON."""
        return self.outputs["TopicArn"]

    @property
    def text_topic(self) -> str:
        """Where they are published in words. There if an e-mail address was given."""
        return self.outputs["TextTopicArn"]

    @property
    def chat_topic(self) -> str:
        """Where they are published as cards. There if that was switched on."""
        return self.outputs["ChatTopicArn"]

    @property
    def ledger(self) -> str:
        """The table that remembers what was told. There unless that was switched off."""
        return self.outputs["LedgerTableName"]

    @property
    def function(self) -> str:
        """The function's name."""
        return self.outputs["FunctionName"]

    @contextlib.contextmanager
    def untold(self) -> Iterator[None]:
        """While it holds, EventBridge tells the function of no change, and what it was told before is forgotten."""
        events, rule = self.cloud.client("events"), self.outputs["ChangesRuleName"]
        events.disable_rule(Name=rule)
        # What is left after half a minute is left because it fails. Not purged at once: that would also take what is
        # being worked on out of the count, and it may be about the Region.
        if not self.works_off(seconds=30):
            self.cloud.client("sqs").purge_queue(QueueUrl=self.outputs["ChangesQueueUrl"])
        try:
            yield
        finally:
            events.enable_rule(Name=rule)

    @contextlib.contextmanager
    def variables(self, **changes: str | None) -> Iterator[None]:
        """While it holds, the function's environment has these variables; without those that are `None`."""
        functions = self.cloud.client("lambda")
        before = functions.get_function_configuration(FunctionName=self.function)["Environment"]["Variables"]
        changed = {name: value for name, value in (before | changes).items() if value is not None}
        functions.update_function_configuration(FunctionName=self.function, Environment={"Variables": changed})
        try:
            yield
        finally:
            functions.update_function_configuration(FunctionName=self.function, Environment={"Variables": before})

    @contextlib.contextmanager
    def failures_rest(self, seconds: int) -> Iterator[None]:
        """While it holds, a change that the function failed on rests for so long; in the template, minutes.

        And only so long is one that is being worked on kept from being handed out twice.
        """
        sqs, queue = self.cloud.client("sqs"), self.outputs["ChangesQueueUrl"]
        before = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["VisibilityTimeout"])["Attributes"]
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": str(seconds)})
        try:
            yield
        finally:
            sqs.set_queue_attributes(QueueUrl=queue, Attributes=before)

    def works_off(self, seconds: float) -> bool:
        """Waits until the function has worked off all that it was told; whether it did in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not any(int(count) for count in self._counts(self.outputs["ChangesQueueUrl"]).values()):
                return True
            time.sleep(0.2)
        return False

    def _counts(self, queue: str) -> dict[str, str]:
        """How many messages a queue holds: waiting, being worked on, and not yet to be worked on."""
        states = ["", "NotVisible", "Delayed"]
        names = [f"ApproximateNumberOfMessages{state}" for state in states]
        counts: dict[str, str] = self.cloud.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)[
            "Attributes"
        ]
        return counts

    def invoke(self, payload: Any) -> Any:
        """Invokes the function and waits for its answer."""
        answer = self.cloud.client("lambda").invoke(FunctionName=self.function, Payload=json.dumps(payload))
        body = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise InvocationFailed(body)
        return body


class InvocationFailed(Exception):
    """The function ended with an error; `error` is what it said (`errorType`, `errorMessage`)."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error.get('errorType')}: {error.get('errorMessage')}")
        self.error = error


def build(cloud: Cloud) -> None:
    """`sam build`, for this machine's processor."""
    _sam(
        cloud, "sam-build", "build", "--build-dir", str(BUILT),
        "--parameter-overrides", f"Architecture={environment.architecture()}",
    )


def deploy(cloud: Cloud, name: str = STACK, **parameters: Any) -> Deployment:
    """`sam deploy` of what was built; the template's parameters as keywords."""
    parameters = {"Architecture": environment.architecture()} | parameters
    _sam(
        cloud, f"sam-deploy-{name}", "deploy", "--template-file", str(BUILT / "template.yaml"), "--stack-name", name,
        "--no-confirm-changeset",
        "--parameter-overrides", " ".join(f"{name}={value}" for name, value in parameters.items()),
    )
    stack = cloud.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    return Deployment(cloud, {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]})


def _sam(cloud: Cloud, label: str, *arguments: str) -> None:
    log = cloud.logs / f"{label}.log"
    sam = str(environment.TOOLS / "dev" / "bin" / "sam")
    command = [sam, *arguments, "--config-file", str(SAMCONFIG)]
    if code := run(command, cloud.env | BUILD_SETTINGS, environment.ROOT, log):
        end_of_log = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
        raise ProcessFailed(f"sam {arguments[0]} ended with exit code {code}:\n\n{end_of_log}\n\nThe whole log: {log}")
