"""EC2 for the local cloud, and what names its resources: moto's, corrected where it differs from AWS.

- `server`          the HTTP server around moto's
- `accounts`        whose request it is, and what EC2 refuses in an organization
- `moto_fixes`      what moto does differently: gateway endpoints and their routes
- `test_overrides`  ids and states that the caller chooses, so that a network can have the ids of `events/`
- `pagination`      answers in pages
- `list_cache`      the whole lists from which later pages are cut
- `cloudtrail`      each change as the CloudTrail record that EventBridge would deliver
"""
