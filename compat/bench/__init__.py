"""Measurements, kbroker and Apache Kafka side by side in one run.

    python -m compat.bench startup memory cpu --against kafka

What is printed are ratios of medians, and the spread beside them: absolute
figures belong to the machine. Both brokers get the same properties, the same
bytes and the same turns (A B B A).
"""
