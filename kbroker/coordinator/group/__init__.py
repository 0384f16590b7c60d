"""The group coordinator: members, generations, committed offsets.

One `GroupCoordinator` per partition of `__consumer_offsets`. Classic groups
are run in full. Groups of the consumer, share and streams protocols that
Apache Kafka left in the log are kept (`other_group`), not run.

Why classic groups change outside of `replay`: who is joining is deliberately
not durable; Kafka writes a group only when its leader's assignment arrives.
Everything that a restart must not forget goes through records.
"""
