"""Tests of the deployed template on the local cloud (see `local`)."""
