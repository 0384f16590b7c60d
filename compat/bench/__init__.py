"""Measurements, kbroker and Apache Kafka side by side in one run.

    python -m compat.bench --against kafka

What is printed are ratios of medians, the spread beside them, and whether
that is what is wanted: absolute figures belong to the machine. Both brokers get
the same properties, the same bytes and the same turns (A B B A).
"""
