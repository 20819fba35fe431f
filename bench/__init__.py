"""The benchmark: `make bench` builds the release binary, measures it and prints one table. See `bench.__main__`."""
