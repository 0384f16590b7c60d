"""Coordinators: state machines replicated through a Kafka log.

Each partition of an internal topic is the log of one shard. A request yields
records and a response; replaying the log rebuilds the state on any broker.
This room never knows of clocks, files, sockets, partitions' replicas or other
brokers: `broker.coordinator_driver` appends, waits for the high watermark and
sends what these machines decide.

Why one shard per partition and one operation at a time: no locks, and the
order of the log is the order of the decisions.
"""
