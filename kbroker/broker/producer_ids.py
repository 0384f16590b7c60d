"""Producer ids for this broker, in blocks of 1,000 from the controller.

The next block is asked for when nine tenths of the current one are used, so
that hardly anybody ever waits. Ids left over at a stop are never used again.
Kafka: `RPCProducerIdManager`.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from kbroker.controller.producer_ids import BLOCK_SIZE
from kbroker.handlers.context import Pending
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.allocate_producer_ids_request import AllocateProducerIdsRequest

if TYPE_CHECKING:
    from kbroker.broker.raft_driver import MetadataLog
    from kbroker.protocol.generated.allocate_producer_ids_response import AllocateProducerIdsResponse

_PREFETCH_BELOW = BLOCK_SIZE // 10


class BlockProducerIds:
    """Implements `ProducerIds`."""

    __slots__ = ("_blocks", "_metadata", "_node_id", "_requested", "_waiting")

    def __init__(self, metadata: MetadataLog, node_id: int) -> None:
        self._metadata = metadata
        self._node_id = node_id
        self._blocks: deque[range] = deque()
        self._requested = False
        self._waiting: deque[Pending[int]] = deque()

    def next(self) -> Pending[int] | int:
        if not self._blocks:
            pending: Pending[int] = Pending()
            self._waiting.append(pending)
            self._request()
            return pending
        return self._take()

    def _take(self) -> int:
        block = self._blocks[0]
        if len(block) > 1:
            self._blocks[0] = block[1:]
        else:
            self._blocks.popleft()
        if sum(map(len, self._blocks)) < _PREFETCH_BELOW:
            # Whoever takes the last one will be told if there is none.
            with suppress(KafkaError):
                self._request()
        return block[0]

    def _request(self) -> None:
        if self._requested:
            return
        self._requested = True
        request = AllocateProducerIdsRequest(self._node_id, self._metadata.broker_epoch)
        try:
            answer = self._metadata.submit(
                lambda controller, now_ms: controller.allocate_producer_ids(request, now_ms)
            )
        except KafkaError:
            # No disk left, for now or for good: whoever comes next asks again.
            self._requested = False
            self._waiting.clear()
            raise
        answer.on_done(self._on_block)

    def _on_block(self, response: AllocateProducerIdsResponse) -> None:
        self._requested = False
        start = response.producer_id_start
        self._blocks.append(range(start, start + response.producer_id_len))
        while self._waiting and self._blocks:
            self._waiting.popleft().complete(self._take())
        if self._waiting:
            self._request()
