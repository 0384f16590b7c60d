"""The pair of brokers that cases speak to: every request goes to both, every answer is compared."""

import struct
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from compat.diff.compare import Difference, differences, keyed
from compat.diff.names import Names
from compat.diff.sides import NOTHING, TIMEOUT_S, Outcome, Side
from compat.diff.trees import Tree, answer_tree, tree_of
from kbroker.handlers.table import SUPPORTED
from kbroker.protocol.errors import GROUP_ID_NOT_FOUND
from kbroker.protocol.generated.create_topics_request import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from kbroker.protocol.generated.describe_groups_request import DescribeGroupsRequest
from kbroker.protocol.generated.find_coordinator_request import FindCoordinatorRequest
from kbroker.protocol.generated.init_producer_id_request import InitProducerIdRequest
from kbroker.protocol.generated.list_offsets_request import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from kbroker.protocol.header import API_VERSIONS
from kbroker.protocol.messages import API, response_class
from kbroker.protocol.primitives import Message, UnsupportedVersion

MAIN: Final = "main"
CLIENT_ID: Final = "diff"
_SETTLING_S: Final = 2.0
_KBROKER, _KAFKA = 0, 1


@dataclass(frozen=True)
class Question:
    """What was asked, for the report."""

    api: str
    version: int
    case: str
    request: object


@dataclass(frozen=True)
class Found:
    """One question whose answers differ."""

    question: Question
    differences: Sequence[Difference]
    kbroker: Tree
    kafka: Tree


@dataclass
class Ledger:
    """What has been compared so far."""

    asked: Counter[str] = field(default_factory=Counter)
    found: list[Found] = field(default_factory=list)


@dataclass(frozen=True)
class Posted:
    """A question on its way, whose answers are to be fetched."""

    question: Question
    connection: str
    barrier: bool
    patience_s: float
    response: tuple[type[Message], int, bool] | None


def versions(request: type[Message]) -> range:
    """Those kbroker announces."""
    _, low, high = SUPPORTED[request.API_KEY]
    return range(low, high + 1)


class World:
    """Both brokers, in lock step."""

    def __init__(self, kbroker: Side, kafka: Side) -> None:
        self.sides: tuple[Side, Side] = (kbroker, kafka)
        self.names = Names()
        self.ledger = Ledger()
        self._correlation_id = 0
        ours, theirs = kbroker.broker, kafka.broker
        self.names.give("port", (ours.port, theirs.port))
        self.names.call("<data>", (str(ours.data_directory), str(theirs.data_directory)))
        for key in ("listeners", "controller.quorum.voters"):
            self.names.call(f"<{key}>", (ours.properties[key], theirs.properties[key]))

    # --- asking ---------------------------------------------------------------------------------

    def ask(self, request: Message, version: int, case: str, **how: Any) -> Tree:
        """Both are asked; Apache Kafka's answer, with tokens for ids."""
        return self.answer(self.post(request, version, case, **how))

    def each(self, request: Message, case: str, **how: Any) -> None:
        """Ask in every version that can carry the request."""
        for version in versions(type(request)):
            if can_carry(request, version):
                self.ask(request, version, case, **how)

    def post(
        self,
        request: Message,
        version: int,
        case: str,
        *,
        on: str = MAIN,
        client_id: str | None = CLIENT_ID,
        barrier: bool = False,
        patience_s: float = TIMEOUT_S,
    ) -> Posted:
        """Send to both, and leave the answers for later."""
        self._correlation_id += 1
        for side in (_KBROKER, _KAFKA):
            own: Message = self.names.own(side, request)
            frame = framed(
                header(request.API_KEY, version, self._correlation_id, client_id), body(own, version)
            )
            self.sides[side].send(on, frame, barrier=barrier)
        question = Question(API[request.API_KEY].name, version, case, request)
        return Posted(question, on, barrier, patience_s, _response(request.API_KEY, version))

    def ask_settled(self, request: Message, version: int, case: str) -> Tree:
        """Ask when both have taken in a change: Apache Kafka's brokers do so a moment after its answer."""
        deadline = time.monotonic() + _SETTLING_S
        while time.monotonic() < deadline:
            kbroker, kafka = (self.quietly(side, request, version) for side in (_KBROKER, _KAFKA))
            if kbroker == kafka:
                break
            time.sleep(0.01)
        return self.ask(request, version, case)

    def raw(
        self, api_key: int, version: int, case: str, data: bytes, *, on: str = "raw", barrier: bool = False
    ) -> Tree:
        """Send bytes as they are, length included, and compare what becomes of them."""
        for side in self.sides:
            side.send(on, data, barrier=barrier)
        api = API[api_key].name if api_key in API else f"API {api_key}"
        response = _response(api_key, version) if api_key in API else None
        return self.answer(Posted(Question(api, version, case, data), on, barrier, TIMEOUT_S, response))

    def answer(self, posted: Posted) -> Tree:
        """Wait for both answers and compare them."""
        outcomes = [
            side.outcome(posted.connection, posted.patience_s, barrier=posted.barrier) for side in self.sides
        ]
        trees = [_tree(outcome, posted.response) for outcome in outcomes]
        named = [keyed(self.names.named(side, trees[side])) for side in (_KBROKER, _KAFKA)]
        kbroker, kafka = self.names.agree(named[_KBROKER], named[_KAFKA])
        self.ledger.asked[posted.question.api] += 1
        if found := list(differences(kbroker, kafka)):
            self.ledger.found.append(Found(posted.question, found, kbroker, kafka))
        if any(isinstance(outcome, str) and outcome != NOTHING for outcome in outcomes):
            for side in self.sides:
                side.drop(posted.connection)
        return self.names.named(_KAFKA, trees[_KAFKA])

    # --- the same state -------------------------------------------------------------------------

    def ready(self) -> None:
        """Wait until both coordinate groups and give producer ids: Apache Kafka does only after a while."""
        groups = DescribeGroupsRequest([f"ready-{number}" for number in range(64)])
        for side in (_KBROKER, _KAFKA):
            deadline = time.monotonic() + TIMEOUT_S
            # The first question makes the topic of committed offsets.
            self._until(side, FindCoordinatorRequest("ready"), 0, deadline)
            self._until(side, groups, 5, deadline)
            self._until(side, InitProducerIdRequest(None, 60_000), 4, deadline)

    def _until(self, side: int, request: Message, version: int, deadline: float) -> None:
        while error := _error(self.quietly(side, request, version)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{request} is still answered with error {error}")
            time.sleep(0.02)

    def topic(self, name: str, partitions: int = 1, configs: dict[str, str] | None = None) -> bytes:
        """Create a topic on both, wait until it can be used, and give its id."""
        settings = [CreatableTopicConfig(key, value) for key, value in (configs or {}).items()]
        creation = CreateTopicsRequest([CreatableTopic(name, partitions, 1, [], settings)], 30_000)
        answer = self.ask(creation, 7, "fixture")
        self.settle(name, partitions)
        topic_id: bytes = answer["topics"][0]["topic_id"]
        return topic_id

    def settle(self, topic: str, partitions: int) -> None:
        """Wait until both lead all its partitions."""
        for side in (_KBROKER, _KAFKA):
            deadline = time.monotonic() + TIMEOUT_S
            while not self._usable(side, topic, partitions):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{topic} was not usable in time")
                time.sleep(0.005)

    def _usable(self, side: int, topic: str, partitions: int) -> bool:
        wanted = [ListOffsetsPartition(partition, -1, -1) for partition in range(partitions)]
        answer = self.quietly(side, ListOffsetsRequest(-1, 0, [ListOffsetsTopic(topic, wanted)]), 7)
        return all(partition["error_code"] == 0 for partition in answer["topics"][0]["partitions"])

    def quietly(self, side: int, request: Message, version: int) -> Tree:
        """One broker's raw answer, compared with nothing."""
        frame = framed(header(request.API_KEY, version, 0, CLIENT_ID), body(request, version))
        self.sides[side].send("quiet", frame)
        return _tree(self.sides[side].outcome("quiet"), _response(request.API_KEY, version))


def can_carry(request: Message, version: int) -> bool:
    """Whether that version has the fields the request uses."""
    try:
        body(Names().own(_KBROKER, request), version)
    except UnsupportedVersion:
        return False
    return True


def body(request: Message, version: int) -> bytes:
    """The request's bytes."""
    parts: list[Any] = []
    request.write(parts, version)
    return b"".join(parts)


def header(api_key: int, version: int, correlation_id: int, client_id: str | None = CLIENT_ID) -> bytes:
    """A request header of the version that API and version ask for."""
    name = b"" if client_id is None else client_id.encode()
    length = -1 if client_id is None else len(name)
    start = struct.pack(">hhih", api_key, version, correlation_id, length) + name
    return start + (b"\0" if is_flexible(api_key, version) else b"")


def framed(*parts: bytes) -> bytes:
    """Length, then the parts."""
    data = b"".join(parts)
    return struct.pack(">i", len(data)) + data


def is_flexible(api_key: int, version: int) -> bool:
    return api_key in API and version >= API[api_key].flexible_from


def _response(api_key: int, version: int) -> tuple[type[Message], int, bool]:
    """Its class, version, and whether its header has tagged fields."""
    api = API[api_key]
    if api_key == API_VERSIONS and version > api.max_version:
        version = 0
    return response_class(api_key), version, is_flexible(api_key, version) and api_key != API_VERSIONS


def _tree(outcome: Outcome, response: tuple[type[Message], int, bool] | None) -> Tree:
    if isinstance(outcome, str):
        return outcome
    if response is None:
        return outcome.data
    kind, version, tagged = response
    try:
        tree = answer_tree(kind, version, outcome.data[5 if tagged else 4 :])
    except Exception as error:
        # Whatever went wrong is an outcome, to be shown with the bytes.
        return f"undecodable: {error}: {outcome.data.hex()}"
    return {"correlation id": outcome.data[:4], **tree}


def _error(answer: Tree) -> int:
    """The first error code of an answer, or of the groups in it."""
    codes = [answer.get("error_code", 0), *(group["error_code"] for group in answer.get("groups", ()))]
    return next((code for code in codes if code not in (0, GROUP_ID_NOT_FOUND)), 0)


def request_tree(request: object) -> Tree:
    """A request, for the report."""
    return tree_of(request)
