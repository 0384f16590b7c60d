"""Kafka's bytes as Python objects and back.

Pure and on the bottom floor: knows nothing of sockets, files, clocks or of
what a message means. `generated/` holds one class per message for all its
versions, made by `python -m codegen`; `messages` finds them by number and
imports each on first use.

Why one class for all versions: a handler is written once. Why generated and
straight-line: a small request is worth a dozen microseconds in all.
"""
