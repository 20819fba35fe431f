"""The local cloud: gatewatch deployed and tried on one machine, without Docker and without an AWS account.

What runs (each on a free port of 127.0.0.1, from the environment `.tools/cloud`):

- `ec2_peer`      moto's EC2, made to answer as EC2 does where moto differs; it tells EventBridge of each change
- `rest_of_aws`   ministack: EventBridge, SQS, SNS, Lambda (which runs the real binary), CloudFormation with SAM

Beside it stands `.tools/custodian`, the environment of Cloud Custodian: its pins and the others' exclude each other.

What uses it (from the environment `.tools/dev`):

- `cloud`         starts both, waits until they answer, and always stops them
- `processes`     how a child process is started, waited for and ended, with `lifeline` for the case that nobody can
- `environment`   the variables that lead every AWS client there, and nowhere else
- `networks`      the networks that demo, tests and `events/` are about
- `deployment`    `sam build` and `sam deploy` of the project's own template.yaml
- `inbox`         a queue subscribed to a topic: what a subscriber receives
- `chat_card`     a message for the chat as people see it there
- `ledger`        the table that remembers what was told, where no stack makes it, and how it is emptied
- `recorder`      a queue that hears everything EventBridge is told
- `faults`        microburst between the function and a service: AWS on a bad day
- `gate`          a gate before AWS, which counts calls and stops one in the middle
- `bare_function` the function's binary without Lambda around it, with the environment and deadline that a test wants
- `demo`          `make demo`, told by `narrator`
- `stay`          `make local`
- `run`           one command inside the local cloud: how `make test` runs the Rust tests that need it
"""
