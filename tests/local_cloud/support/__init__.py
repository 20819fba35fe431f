"""What only the tests of the local cloud use.

- `stack`           the stack that the tests deploy
- `bare_function`   the function's binary without Lambda, with the environment and the deadline that a test chooses
- `sandbox`         a bare function with its own topics and alert history
- `history`         reads and clears the alert history
- `messages`        batches that SQS hands to the function, and what messages say
- `event_recorder`  records all events that EventBridge receives
- `fault_proxy`     microburst between the function and a service: throttling, refusals, resets, hangs
- `fault_matrix`    every fault of every call
- `pausing_proxy`   counts calls, and stops a call in the middle
- `role`            the role of the function
- `rules`           which events the deployed rules let in
- `seeds`           the seeds of random tests
- `figures`         lines at the end of pytest's output
"""
