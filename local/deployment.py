"""The project's own template.yaml, built and deployed into the local cloud with SAM, as a user would do it."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local import environment, schemas
from local.cloud import Cloud
from local.processes import ProcessFailed, run
from local.waiting import wait_until

STACK = "gatewatch"
SAMCONFIG = environment.ROOT / "samconfig.toml"
BUILT = environment.TOOLS / "sam-build"

TOPIC_OUTPUTS = {"json": "TopicArn", "text": "TextTopicArn", "chat": "ChatTopicArn"}
"""The outputs that name the topics of the channels."""

BUILD_SETTINGS = {
    # A debug build: about 4 minutes on two cores when nothing is built yet; a release build takes 10. It is the same
    # build as that of `cargo build` and `cargo test` (see .cargo/config.toml), so only the first one takes long.
    "SAM_BUILD_MODE": "debug",
    # The function runs on this machine, so this machine's linker is used. (For another architecture or an older libc,
    # cargo-lambda uses zig by default.)
    "CARGO_LAMBDA_COMPILER": "cargo",
    # cargo-lambda would fetch a missing Rust target. None is missing, and if one were, this would say so at once.
    "RUSTUP_DIST_SERVER": "http://127.0.0.1:9",
    "RUSTUP_UPDATE_ROOT": "http://127.0.0.1:9",
}


@dataclass(frozen=True)
class Deployment:
    """A stack in the local cloud."""

    cloud: Cloud
    outputs: dict[str, str]

    def topic_of(self, channel: str) -> str:
        """Returns the topic of a channel. Those of `text` and `chat` exist if the stack was asked for them."""
        return self.outputs[TOPIC_OUTPUTS[channel]]

    @property
    def history_table(self) -> str:
        """The table of the alert history. Exists unless the ledger is off."""
        return self.outputs["LedgerTableName"]

    @property
    def changes_queue(self) -> str:
        """The URL of the queue from which the function takes changes."""
        return self.outputs["ChangesQueueUrl"]

    @property
    def function(self) -> str:
        """The function's name."""
        return self.outputs["FunctionName"]

    @contextlib.contextmanager
    def without_events(self) -> Iterator[None]:
        """Turns the rule for changes off. The function handles earlier changes first."""
        events, rule = self.cloud.client("events"), self.outputs["ChangesRuleName"]
        # Before the rule is off: a change that EventBridge has not received yet would be lost instead of handled.
        wait_until(lambda: self.cloud.unsent_events() == 0, seconds=30)
        events.disable_rule(Name=rule)
        # What is left after half a minute fails again and again. The queue is not purged at once: that would also hide
        # messages that are being handled, and those may be about the Region.
        if not self.wait_until_idle(seconds=30):
            self.cloud.client("sqs").purge_queue(QueueUrl=self.changes_queue)
        try:
            yield
        finally:
            # The rule must not see a late event of a change that was made while it was off.
            wait_until(lambda: self.cloud.unsent_events() == 0, seconds=30)
            events.enable_rule(Name=rule)

    @contextlib.contextmanager
    def variables(self, **changes: str | None) -> Iterator[None]:
        """Changes the function's environment. A variable that is `None` is removed."""
        functions = self.cloud.client("lambda")
        before = functions.get_function_configuration(FunctionName=self.function)["Environment"]["Variables"]
        changed = {name: value for name, value in (before | changes).items() if value is not None}
        functions.update_function_configuration(FunctionName=self.function, Environment={"Variables": changed})
        try:
            yield
        finally:
            functions.update_function_configuration(FunctionName=self.function, Environment={"Variables": before})

    @contextlib.contextmanager
    def retry_after(self, seconds: int) -> Iterator[None]:
        """Sets when a change that failed is retried; in the template, after minutes.

        An invocation must not take longer: SQS would hand its messages out a second time.
        """
        sqs, queue = self.cloud.client("sqs"), self.changes_queue
        before = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["VisibilityTimeout"])["Attributes"]
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": str(seconds)})
        try:
            yield
        finally:
            sqs.set_queue_attributes(QueueUrl=queue, Attributes=before)

    def wait_until_idle(self, seconds: float) -> bool:
        """Waits until the function has handled every change in EC2; returns whether it has.

        A handled change has also been notified: SNS hands a message to its queues before Publish returns.
        """
        return wait_until(lambda: self.cloud.unsent_events() == 0 and self.queued_changes() == 0, seconds)

    def queued_changes(self) -> int:
        """Returns how many messages the queue holds: waiting, delayed, or being handled."""
        names = [f"ApproximateNumberOfMessages{state}" for state in ("", "NotVisible", "Delayed")]
        answer = self.cloud.client("sqs").get_queue_attributes(QueueUrl=self.changes_queue, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def invoke(self, payload: Any) -> Any:
        """Invokes the function and waits for its answer."""
        answer = self.cloud.client("lambda").invoke(FunctionName=self.function, Payload=json.dumps(payload))
        body = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise InvocationFailed(body)
        return schemas.validate("answer", body)


class InvocationFailed(Exception):
    """The function ended with an error (`errorType`, `errorMessage`)."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error.get('errorType')}: {error.get('errorMessage')}")
        self.error = schemas.validate("error", error)


def build(cloud: Cloud) -> None:
    """Runs `sam build` for this machine's processor."""
    architecture = f"Architecture={environment.architecture()}"
    _sam(cloud, "sam-build", "build", "--build-dir", str(BUILT), "--parameter-overrides", architecture)


def deploy(cloud: Cloud, name: str = STACK, **parameters: Any) -> Deployment:
    """Runs `sam deploy` for what was built, with these parameters of the template."""
    parameters = {"Architecture": environment.architecture()} | parameters
    # SAM ignores a parameter without a value, unless it is quoted.
    overrides = " ".join(f"{name}={value}" if value != "" else f'{name}=""' for name, value in parameters.items())
    template = str(BUILT / "template.yaml")
    options = ["--template-file", template, "--stack-name", name, "--no-confirm-changeset"]
    _sam(cloud, f"sam-deploy-{name}", "deploy", *options, "--parameter-overrides", overrides)
    stack = cloud.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    return Deployment(cloud, {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]})


def _sam(cloud: Cloud, label: str, *arguments: str) -> None:
    log = cloud.logs / f"{label}.log"
    sam = str(environment.TOOLS / "dev" / "bin" / "sam")
    # SAM's own folder is not safe to share: several clouds may deploy at once.
    settings = BUILD_SETTINGS | {"__SAM_CLI_APP_DIR": str(environment.TOOLS / "sam" / cloud.logs.name)}
    command = [sam, *arguments, "--config-file", str(SAMCONFIG)]
    if code := run(command, cloud.env | settings, environment.ROOT, log):
        end_of_log = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
        raise ProcessFailed(f"sam {arguments[0]} ended with exit code {code}:\n\n{end_of_log}\n\nThe whole log: {log}")
