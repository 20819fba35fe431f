"""`python -m local.ec2_peer --port 5000 --events-url http://127.0.0.1:4566`."""

from local.ec2_peer.serve import main

main()
