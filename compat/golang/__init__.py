"""What the clients in Go share: how their programs are built, and how their own test-suites are run.

`kit/` is the same for the programs: a Go package they all import.
"""
