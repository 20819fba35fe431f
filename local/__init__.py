"""A local cloud: gatewatch deployed and tried on one machine, without Docker and without an AWS account.

Two servers run in the environment `.tools/cloud`, each on a free port of 127.0.0.1:

- `ec2_server`        moto's EC2, corrected where it differs from EC2; it sends an event for each change. And moto's
                      Route 53, Resolver and API Gateway, whose resources name VPCs and endpoints
- `ministack_server`  ministack: EventBridge, SQS, SNS, DynamoDB, IAM, CloudFormation with SAM, and Lambda, which runs
                      the real binary

With an organization (`organization_file`), the same two servers hold several accounts and Regions:

- `organization`      the organization: its accounts, the hub and the members deployed from the project's templates
- `organization_gaps`, `event_bus_gaps`, `state_machine_gaps`
                      what ministack lacks for it; `ministack_gap` says that a gap is closed

The rest runs in the environment `.tools/dev`. (`.tools/custodian` holds Cloud Custodian, because its pins conflict.)

- `cloud`             starts both servers, waits until they answer, and always stops them
- `processes`         starts, awaits and ends child processes; `exit_with_parent` ends a server whose parent was killed
- `waiting`           waits for a condition
- `environment`       the variables that point every AWS client to the local cloud, and nowhere else
- `networks`          the networks that the demo, the tests and `events/` use
- `deployment`        `sam build` and `sam deploy` of the project's own template.yaml
- `history_table`     the alert history table, where no stack creates it
- `inbox`             a queue that is subscribed to a topic: what a subscriber receives
- `chat_card`         a chat message as Amazon Q Developer shows it

Programs:

- `demo`              `make demo`; `progress` prints its steps
- `demo_organization` `make demo-organization`
- `serve`             `make local`
- `run`               runs one command inside the local cloud: `make test` runs the Rust tests that need it this way

What only tests use is in tests/local_cloud/support.
"""
