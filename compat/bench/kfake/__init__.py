"""franz-go's kfake, a broker in Go that keeps everything in memory: for context.

It has no directory to start from again, so it is left out where that is measured. It
speaks all that the measurements ask: Produce 3–13, Fetch 4–18, Metadata 0–13, ApiVersions
0–5, ListOffsets 0–10, InitProducerId 0–5, CreateTopics 0–7, and classic groups whole.
"""

from collections.abc import Sequence
from pathlib import Path

from compat.brokers import BrokerProcess
from compat.golang import programs

_FOLDER = Path(__file__).resolve().parent


class Kfake(BrokerProcess):
    """A cluster of one, which makes topics as they are named."""

    kind = "kfake"

    def own_properties(self) -> dict[str, str]:
        return {}

    def command(self) -> Sequence[str | Path]:
        return [programs.built(_FOLDER) / _FOLDER.name, str(self.port)]
