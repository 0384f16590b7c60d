"""What every setting means, in a sentence or two.

Apart from the keys themselves so that a start does not read it: only
DescribeConfigs and the README's tables ask.
"""

_TEXTS: dict[str, str] = {}


def documentation(name: str) -> str | None:
    """The meaning of a broker, topic, group or client metrics key; None if nobody knows it."""
    return _TEXTS.get(name)
