"""`python -m local.ec2_server --port 5000 --events-url http://127.0.0.1:4566`."""

from local.ec2_server.server import main

main()
