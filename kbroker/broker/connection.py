"""The synchronous core of a connection: bytes in, answers out, in order.

    receive_buffer() ─▶ the driver's recv_into ─▶ received(n)
        ─▶ frames ─▶ requests ─▶ handlers ─▶ answers (parts or Pending)
        ─▶ output, a queue of parts ─▶ the driver's send and sendfile

invariants
    - Answers leave in the order of their requests.
    - A Produce behind waiting Produces is handled at once; nothing else
      overtakes or runs beside a waiting answer.
    - What waits is bounded: answers by `max_answers`, output by
      `max_output_bytes`, unhandled input by one receive buffer. A full
      queue sets `paused`: the driver stops reading (back-pressure).
    - What one turn takes is bounded: after `SLICE_MS` (network) the rest of the input
      is held back (`yielded`, and paused) until others have had the loop.
    - Whoever handles a request keeps nothing of its bytes: their memory is used again.
    - Input that has to wait keeps the buffer it lies in, if it is of some size (`buffers.py`).
      Copied are small beginnings, and once a connection's first frame that is too large
      for the buffer: its next ones are received to their size.

Kafka: `Selector`, `Processor` and `RequestChannel`, for one connection.
"""

from __future__ import annotations

from collections import deque
from struct import Struct
from typing import TYPE_CHECKING, Any

from kbroker.broker.network import FETCH, PRODUCE
from kbroker.handlers import table
from kbroker.handlers.context import CloseConnection, Pending, RequestContext
from kbroker.protocol import errors
from kbroker.protocol import header as headers
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.primitives import DecodeError, FileRegion

if TYPE_CHECKING:
    from collections.abc import Callable

    from kbroker.broker.network import NetworkState
    from kbroker.broker.reply_cache import Key
    from kbroker.handlers.context import ConnectionFacts, Services
    from kbroker.handlers.repeated_fetch import WaitingFetch
    from kbroker.protocol.primitives import Part

_SIZE = Struct(">i")
# A close reason that nobody needs to hear of.
LOST = "connection lost"

_FROM_IMAGE = table.FROM_IMAGE
_API_VERSIONS = 18
_ANSWERED = KafkaError(errors.NONE)
# From here on it pays to learn a frame's size first.
_LARGE_FRAME_BYTES = 32 << 10
_SMALL_BETWEEN_LARGE = 8


class _Answer:
    """The place of one request in the order of answers."""

    __slots__ = ("context", "pending", "ready")

    def __init__(
        self, context: RequestContext, pending: Pending[Any] | None, ready: list[Part] | None
    ) -> None:
        self.context = context
        self.pending = pending
        self.ready = ready


class Connection:
    """One client's bytes. Knows no socket; whoever owns one drives it."""

    __slots__ = (
        "_answers",
        "_buffers",
        "_charged",
        "_end",
        "_expects_large",
        "_held",
        "_limit",
        "_network",
        "_offset_at",
        "_ready_listed",
        "_records_at",
        "_services",
        "_start",
        "_trusted",
        "close_reason",
        "facts",
        "frame_started_ms",
        "last_active_ms",
        "on_ready",
        "output",
        "output_bytes",
        "paused",
        "yielded",
    )

    def __init__(self, facts: ConnectionFacts, services: Services, network: NetworkState) -> None:
        self.facts = facts
        self._services = services
        self._network = network
        self._buffers = network.buffers
        self._answers: deque[_Answer] = deque()
        # Memory of our own while input is not handled: it lies from `_start` to `_end`, and what
        # is received goes behind it, up to `_limit`.
        self._held: memoryview | None = None
        self._start = self._end = self._limit = 0
        self._charged = 0  # bytes of the network's budget that `_held` takes
        # For how many small frames more a large one is looked out for.
        self._expects_large = 0
        # Where in a Produce like the last one the records are, and in a Fetch the offset; 0 if that is not
        # known.
        self._records_at = self._offset_at = 0
        self._trusted = False  # has sent one valid request: larger frames are allowed
        self.close_reason: str | None = None  # set: send what is in `output`, then close
        self.output: deque[Part] = deque()
        self.output_bytes = 0
        self.paused = False
        # Paused only to let others go on: the driver clears it when they have.
        self.yielded = False
        self.frame_started_ms = 0
        self.last_active_ms = services.environment.clock.monotonic_ms()
        # Called when output appears, or reading may go on, outside of `received`.
        self.on_ready: Callable[[Connection], None] | None = None
        self._ready_listed = False

    # --- input ---------------------------------------------------------------------------------

    def receive_buffer(self) -> memoryview:
        """Where the next bytes go: behind what is held, else into memory that all connections share."""
        if self._held is not None:
            return self._held[self._end : self._limit]
        return self._buffers.length if self._expects_large else self._buffers.shared

    def received(self, count: int) -> None:
        """`count` bytes stand in `receive_buffer()`. Handle every complete frame among them."""
        self.last_active_ms = self._network.now_ms
        held = self._held
        if held is None:
            self._consume(self._buffers.length if self._expects_large else self._buffers.shared, 0, count)
            return
        self._end += count
        if self._end == self._limit:
            self._consume(held, self._start, self._end)

    @property
    def expects_rest(self) -> bool:
        """Whether a frame's length has come by itself: the rest of it is probably there already."""
        return self._expects_large > 0 and self._end == 4 < self._limit and self._held is not None

    def resume(self) -> None:
        """Go on after `paused`: handle what is held. Clears `paused` when reading may go on."""
        if not self.paused or self.yielded or self._must_pause():
            return
        self.paused = False
        if self._held is not None:
            self._consume(self._held, self._start, self._end)

    def _consume(self, buffer: memoryview, position: int, end: int) -> None:
        """Handle the frames in `buffer` from `position` to `end`; hold what has to wait."""
        network = self._network
        self.frame_started_ms = 0
        while self.close_reason is None and position < end:
            body = position + 4
            if body > end:
                self._await_rest(buffer, position, end, body)
                return
            (size,) = _SIZE.unpack_from(buffer, position)
            if not 0 < size <= (network.max_frame_bytes if self._trusted else network.max_first_frame_bytes):
                self._refuse_size(size, buffer[position:body])
                break
            stop = body + size
            if stop > end:
                self._await_rest(buffer, position, end, stop)
                return
            if (self._answers or self.output_bytes) and not self._may_handle(buffer, body):
                self._pause(buffer, position, end)
                return
            self._handle(buffer[body:stop])
            position = stop
            if position < end and network.slice_is_over():
                self.yielded = True
                self._pause(buffer, position, end)
                return
        if self._held is not None:
            self._let_go()

    def _refuse_size(self, size: int, prefix: memoryview) -> None:
        limit = self._network.max_frame_bytes if self._trusted else self._network.max_first_frame_bytes
        self.close(_describe_bad_size(size, bytes(prefix), limit))

    def _await_rest(self, buffer: memoryview, position: int, end: int, stop: int) -> None:
        """A frame that goes on to `stop`, behind the `end` of what has come."""
        network = self._network
        size = stop - position
        fits = stop <= len(buffer)
        if not (fits and buffer is self._held):
            if not network.charge(size):
                # Over the broker's budget of request bytes: leave the rest in the socket for now.
                self._pause(buffer, position, end)
                network.wait_for_memory(self)
                return
            if fits and buffer is self._buffers.shared and self._buffers.lend_shared(size):
                self._held = buffer
            else:
                own = self._buffers.take(size)
                own[: end - position] = buffer[position:end]
                self._let_go()
                self._held = own
                if size > _LARGE_FRAME_BYTES:
                    self._expects_large = _SMALL_BETWEEN_LARGE
                elif size > _SIZE.size and self._expects_large:
                    self._expects_large -= 1
                position, end, stop = 0, end - position, size
            self._charged = size
        self._start, self._end, self._limit = position, end, stop
        self.frame_started_ms = network.now_ms

    def _pause(self, buffer: memoryview, position: int, end: int) -> None:
        """Hold back what has come, until `resume`."""
        self.paused = True
        if buffer is not self._held:
            if buffer is not self._buffers.shared or not self._buffers.lend_shared(end - position):
                buffer = memoryview(bytearray(buffer[position:end]))
                position, end = 0, end - position
            self._held = buffer
        self._start, self._end, self._limit = position, end, end

    def _let_go(self) -> None:
        """Nothing is held any more."""
        if self._held is not None:
            self._buffers.give_back(self._held)
            self._held = None
            if self._charged:
                self._network.release(self._charged)
                self._charged = 0

    def _may_handle(self, view: memoryview, position: int) -> bool:
        """Whether the request at `position` may be handled while earlier answers wait or are unsent."""
        if self._must_pause():
            return False
        if not self._answers:
            return True
        # Only Produces overlap, and only with Produces: so the first waiting answer tells of all.
        return self._answers[0].context.api_key == PRODUCE and view[position] == view[position + 1] == 0

    def _must_pause(self) -> bool:
        if self.output_bytes > self._network.max_output_bytes:
            return True
        return len(self._answers) >= self._network.max_answers

    # --- requests ------------------------------------------------------------------------------

    def _handle(self, frame: memoryview) -> None:
        network = self._network
        try:
            known = None if self._answers or len(frame) < 8 else self._answer_from_memory(frame)
            if known is _ANSWERED:
                return
            api_key, version, correlation_id, client_id, position = headers.read_request_header(frame)
            route = network.routes.get(api_key) or network.add_route(api_key)
            context = RequestContext(
                api_key, version, correlation_id, client_id or "", self.facts, self._services
            )
            if not route.min_version <= version <= route.max_version:
                self._answer_unsupported(context)
                return
            request = route.read(frame, position, version)[0]
            route.requests += 1
            self._trusted = True
            if isinstance(known, KafkaError):
                self._take_answer(context, network.produces.refuse(request, context, known), None)
                return
            response = route.handle(request, context)
            if route.learn is not None:
                if api_key == PRODUCE:
                    self._records_at = route.learn(frame, request, context)
                elif not self._offset_at:
                    self._offset_at = route.learn(frame, request, context)
            if response is not None:
                self._take_answer(context, response, known)
        except Exception as error:
            self._fail(error)

    def _answer_from_memory(self, frame: memoryview) -> Key | KafkaError | None:
        """What is known of a request whose like was handled before: `_ANSWERED` if that was enough."""
        network = self._network
        answer: bytes | KafkaError | None
        if not frame[1] and self._records_at:
            answer = network.produces.append(frame, self._records_at, self.facts.principal, self._services)
            if answer is None or isinstance(answer, KafkaError):
                return answer
        elif frame[1] == FETCH and self._offset_at:
            found = network.fetches.answer(frame, self._offset_at, self.facts.principal, self._services)
            if not found:
                if found is None:
                    self._offset_at = 0
                return None
            network.routes[FETCH].requests += 1
            if isinstance(found, list):
                self._send(found)
            else:
                self._wait_for(found, frame)
            return _ANSWERED
        elif frame[1] in _FROM_IMAGE:
            key = network.replies.key(frame, self.facts)
            answer = None if key is None else network.replies.find(key, frame, self._services.metadata.image)
            if answer is None:
                return key
        else:
            return None
        network.routes[frame[1]].requests += 1
        self._trusted = True
        self.output.append(answer)
        self.output_bytes += len(answer)
        return _ANSWERED

    def _wait_for(self, fetch: WaitingFetch, frame: memoryview) -> None:
        api_key, version, correlation_id, client_id, _ = headers.read_request_header(frame)
        context = RequestContext(
            api_key, version, correlation_id, client_id or "", self.facts, self._services
        )
        self._take_answer(context, fetch.wait(context), None)

    def _fail(self, error: Exception) -> None:
        """What an exception costs: this client its connection, and nobody else anything."""
        if isinstance(error, DecodeError):
            self.close(f"malformed request: {error}")
        elif isinstance(error, CloseConnection):
            self.close(str(error))
        else:
            self._network.report_defect(error)
            self.close("internal error")

    def _answer_unsupported(self, context: RequestContext) -> None:
        if context.api_key != _API_VERSIONS:
            raise CloseConnection(f"API {context.api_key} version {context.api_version} is not supported")
        context.api_version = 0
        self._take_answer(context, table.unsupported_api_versions(), None)

    def _take_answer(self, context: RequestContext, response: Any, kept_under: Key | None) -> None:
        if type(response) is Pending:
            if not response.done:
                answer = _Answer(context, response, None)
                self._answers.append(answer)
                response.on_done(lambda value: self._complete(answer, value))
                return
            response = response.value
            kept_under = None
        parts = _encode(context, response)
        if kept_under is not None:
            self._network.replies.keep(kept_under, parts)
        if self._answers:
            self._answers.append(_Answer(context, None, parts))
        else:
            self._send(parts)

    def _complete(self, answer: _Answer, response: Any) -> None:
        """A waiting answer has come; it may be the order to close."""
        if not self._answers:
            return
        answer.pending = None
        answer.ready = []
        try:
            if isinstance(response, Exception):
                raise response
            if response is not None:
                answer.ready = response if type(response) is list else _encode(answer.context, response)
        except Exception as error:
            self._fail(error)
        answers = self._answers
        while answers and answers[0].ready is not None:
            self._send(answers.popleft().ready or [])
        self.list_as_ready()

    def list_as_ready(self) -> None:
        """Have the driver look at this connection at the end of the turn."""
        if not self._ready_listed:
            self._ready_listed = True
            self._network.ready.append(self)

    def run_ready(self) -> None:
        """The turn ends: let the driver flush, and go on with what was held back."""
        self._ready_listed = False
        if self.on_ready is not None:
            self.on_ready(self)

    def _send(self, parts: list[Part]) -> None:
        self.output.extend(parts)
        for part in parts:
            # A file region costs no memory while it waits.
            if not isinstance(part, FileRegion):
                self.output_bytes += len(part)

    # --- end -----------------------------------------------------------------------------------

    @property
    def is_waiting(self) -> bool:
        """Whether answers are still to come."""
        return bool(self._answers)

    def close(self, reason: str) -> None:
        """Handle nothing more; what stands in `output` may still be sent."""
        if self.close_reason is None:
            self.close_reason = reason

    def abandon(self) -> None:
        """The client is gone: forget what waits and give back what is held."""
        self.close(LOST)
        for answer in self._answers:
            if answer.pending is not None:
                answer.pending.abandoned = True
        self._answers.clear()
        self.output.clear()
        self.output_bytes = 0
        self.on_ready = None
        self._let_go()
        self._network.forget(self)


def _encode(context: RequestContext, response: Any) -> list[Part]:
    """Size, header and body; neighbouring byte strings joined, file regions left as they are."""
    body: list[Any] = []
    headers.write_response_header(body, context.api_key, context.api_version, context.correlation_id)
    response.write(body, context.api_version)
    if context.api_key != FETCH:
        data = b"".join(body)
        return [_SIZE.pack(len(data)) + data]
    parts: list[Part] = []
    run: list[Any] = [_SIZE.pack(sum(map(len, body)))]
    for part in body:
        if type(part) is FileRegion:
            if run:
                parts.append(b"".join(run))
                run = []
            parts.append(part)
        else:
            run.append(part)
    if run:
        parts.append(b"".join(run))
    return parts


def _describe_bad_size(size: int, prefix: bytes, limit: int) -> str:
    if prefix in (b"GET ", b"POST", b"HEAD", b"PUT "):
        return "this is the Kafka port and the client speaks HTTP"
    if prefix[:2] == b"\x16\x03":
        return "the client speaks TLS to a plaintext listener"
    return f"invalid frame size {size}, the limit is {limit} bytes"
