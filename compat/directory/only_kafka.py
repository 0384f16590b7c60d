"""What Apache Kafka can do and kbroker can not, and must keep whole.

Transactions: committed, aborted, and one that is open while kbroker has its
turn; its successor aborts it. Credentials: metadata that kbroker does not act on.
"""

from confluent_kafka import KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from compat.confluent_kafka.kit import consumer, create_topic, producer
from compat.harness import Context, equal, eventually
from compat.kafka import tools
from compat.records import Record

Placed = list[tuple[int, Record]]


class OnlyKafka:
    """What was begun in earlier turns of Apache Kafka."""

    def __init__(self) -> None:
        self._users: dict[str, int] = {}
        self._open: str | None = None

    def all_features(self, context: Context) -> None:
        """As the README says: in kbroker's directory they are at the levels that kbroker has."""
        arguments = ("upgrade", "--release-version", "4.3")
        tools.run(tools.FEATURES, "--bootstrap-server", context.bootstrap, *arguments)

    def credentials(self, admin: AdminClient, number: int) -> None:
        """All of before are there; one more is."""
        described = admin.describe_user_scram_credentials().result(20)
        found = {name: user.scram_credential_infos[0].iterations for name, user in described.items()}
        equal(found, self._users, "users and their iterations")
        user, iterations = f"user{number}", 4096 + number
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, iterations)
        upsertion = UserScramCredentialUpsertion(user, info, b"password")
        admin.alter_user_scram_credentials([upsertion])[user].result(20)
        self._users[user] = iterations

    def transactions(self, context: Context, number: int) -> Placed:
        """The records of `transacted` that are committed in this turn."""
        if self._open is None:
            create_topic(context, "transacted")
        else:
            _transactional(context, self._open)
        client = _transactional(context, f"whole{number}")
        client.begin_transaction()
        committed = _flushed(client, [b"committed %d %d" % (number, each) for each in range(5)])
        reader = consumer(context, f"transacted{number}")
        reader.subscribe(["transacted"])
        eventually(lambda: reader.poll(0.1) is None and reader.assignment(), "the reader is a member")
        offset = TopicPartition("transacted", 0, number + 1)
        client.send_offsets_to_transaction([offset], reader.consumer_group_metadata(), 30)
        client.commit_transaction(30)
        reader.close()
        client.begin_transaction()
        _flushed(client, [b"aborted %d" % number] * 5)
        client.abort_transaction(30)

        self._open = f"open{number}"
        left_open = _transactional(context, self._open)
        left_open.begin_transaction()
        _flushed(left_open, [b"open %d" % number] * 5)
        return committed


def _transactional(context: Context, name: str) -> Producer:
    """A producer; a transaction that its namesake left open is aborted."""
    client = producer(context, {"transactional.id": name, "transaction.timeout.ms": 800_000})
    client.init_transactions(60)
    return client


def _flushed(client: Producer, values: list[bytes]) -> Placed:
    placed: Placed = []
    errors: list[str] = []

    def note(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            errors.append(error.str())
        else:
            placed.append((message.offset() or 0, Record(message.value())))

    for value in values:
        client.produce("transacted", value, on_delivery=note)
    equal((client.flush(30), errors), (0, []), "deliveries in a transaction")
    return placed
