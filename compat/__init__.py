"""Kbroker against other people's programs, and Apache Kafka beside it.

    python -m compat                     every client, against kbroker
    python -m compat kcat java           only these
    python -m compat --broker kafka      the same scenarios against Apache Kafka
    python -m compat --bootstrap h:p     against a broker that already runs

A folder is a client: `run.py` says how to start its program and why it can
not be, `README.md` what it does, `tests.allow` what may fail and why,
`FINDINGS.md` what it taught. A program, in whatever language, speaks the
few lines described in `programs`; the scenarios' names and meanings are in
`scenarios` and are the same for every client. `kafka/` is Apache Kafka
itself, `bench/` the measurements.
"""
