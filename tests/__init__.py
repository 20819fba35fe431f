"""Tests of gatewatch. The Python ones are in local_cloud/; the others are Rust."""
