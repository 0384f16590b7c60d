"""The topics in a consumer's subscription.

Kafka: `ConsumerProtocolSubscription` version 0, the prefix of all later
versions: int16 version, then an array of topic names. Not flexible.
"""

from struct import Struct

_HEAD = Struct(">hi")
_INT16 = Struct(">h")


def subscribed_topics(metadata: bytes) -> frozenset[str] | None:
    """The topic names, or None when the bytes are no subscription."""
    if len(metadata) < _HEAD.size:
        return None
    version, count = _HEAD.unpack_from(metadata)
    position = _HEAD.size
    if version < 0 or count < 0 or count * _INT16.size > len(metadata) - position:
        return None
    topics = []
    for _ in range(count):
        if position + _INT16.size > len(metadata):
            return None
        length = _INT16.unpack_from(metadata, position)[0]
        position += _INT16.size
        if not 0 <= length <= len(metadata) - position:
            return None
        try:
            topics.append(metadata[position : position + length].decode())
        except UnicodeDecodeError:
            return None
        position += length
    return frozenset(topics)
