"""The edge: everything that waits, and the only room that knows trio.

Drivers feed the synchronous machines below and carry out their effects;
`broker.py` wires who knows whom. Nothing here decides what Kafka means.
"""
