"""EC2 for the local cloud: moto's EC2, made to answer as EC2 does where moto differs.

- `model`   what moto's EC2 knows: gateway endpoints and their routes
- `wishes`  ids and states that the caller chooses, so that a network can have the ids of `events/`
- `pages`   answers in pages
- `listed`  what the later pages are cut from
- `trail`   each change as the CloudTrail record that EventBridge would deliver
- `serve`   puts them around moto's server
"""
