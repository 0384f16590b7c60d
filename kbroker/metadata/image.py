"""The cluster metadata at one offset of its log: an immutable image.

Everything a record has ever said stands here until another record unsays it,
also what this broker does not use (ACLs, quotas, credentials, tokens, foreign
features), so that a snapshot of the image loses nothing.

    invariant  an image never changes; a change is a new image (`delta`)
    invariant  topics and topics_by_id hold the same topics
    invariant  partitions are iterated in the order of their index

Kafka: `MetadataImage`, `TopicImage`, `PartitionRegistration`,
`BrokerRegistration`. Maps are plain dicts that nobody may write to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kbroker.protocol.generated.access_control_entry_record import AccessControlEntryRecord
    from kbroker.protocol.generated.delegation_token_record import DelegationTokenRecord
    from kbroker.protocol.generated.register_controller_record import RegisterControllerRecord
    from kbroker.protocol.generated.user_scram_credential_record import UserScramCredentialRecord

NO_LEADER = -1

RECOVERED = 0
RECOVERING = 1

# Directory ids with a meaning of their own (Kafka: DirectoryId).
MIGRATING_DIRECTORY = bytes(16)
UNASSIGNED_DIRECTORY = bytes(15) + b"\x01"
LOST_DIRECTORY = bytes(15) + b"\x02"

# ConfigResource.Type
TOPIC = 2
BROKER = 4
BROKER_LOGGER = 8
CLIENT_METRICS = 16
GROUP = 32

# A client quota's entity: sorted (entity type, entity name or None for the default).
QuotaEntity = tuple[tuple[str, str | None], ...]


class PartitionImage(NamedTuple):
    """One partition's replicas and who leads them."""

    replicas: tuple[int, ...]
    directories: tuple[bytes, ...]
    isr: tuple[int, ...]
    removing: tuple[int, ...] = ()
    adding: tuple[int, ...] = ()
    elr: tuple[int, ...] = ()
    last_known_elr: tuple[int, ...] = ()
    leader: int = NO_LEADER
    leader_epoch: int = 0
    partition_epoch: int = 0
    leader_recovery_state: int = RECOVERED


class TopicImage(NamedTuple):
    name: str
    id: bytes
    partitions: Mapping[int, PartitionImage]


class Endpoint(NamedTuple):
    """Where one listener of a broker is reached."""

    host: str
    port: int
    security_protocol: int


class BrokerImage(NamedTuple):
    """A broker's registration."""

    id: int
    epoch: int
    incarnation_id: bytes
    endpoints: Mapping[str, Endpoint]
    features: Mapping[str, tuple[int, int]]
    rack: str | None = None
    fenced: bool = True
    in_controlled_shutdown: bool = False
    directories: tuple[bytes, ...] = ()
    # Those that take no new partitions; None until the broker has said.
    cordoned_directories: tuple[bytes, ...] | None = None
    is_migrating_zk_broker: bool = False
    # Offset of the RegisterBrokerRecord: a broker may be unfenced once it has replayed this.
    registration_offset: int = -1

    @property
    def is_active(self) -> bool:
        """Neither fenced nor leaving: may lead and join an ISR."""
        return not self.fenced and not self.in_controlled_shutdown

    def has_online_directory(self, directory: bytes) -> bool:
        """Whether a replica assigned to `directory` is on a working disk; unassigned counts as such."""
        if directory in (UNASSIGNED_DIRECTORY, MIGRATING_DIRECTORY):
            return True
        # Registrations of before 3.7 name no directories at all.
        return directory != LOST_DIRECTORY and (not self.directories or directory in self.directories)


class MetadataImage(NamedTuple):
    """The whole of it. `offset` and `epoch` are those of the last record contained."""

    offset: int = -1
    epoch: int = -1
    features: Mapping[str, int] = {}
    topics: Mapping[str, TopicImage] = {}
    topics_by_id: Mapping[bytes, TopicImage] = {}
    brokers: Mapping[int, BrokerImage] = {}
    controllers: Mapping[int, RegisterControllerRecord] = {}
    configs: Mapping[tuple[int, str], Mapping[str, str]] = {}
    client_quotas: Mapping[QuotaEntity, Mapping[str, float]] = {}
    acls: Mapping[bytes, AccessControlEntryRecord] = {}
    scram_credentials: Mapping[tuple[str, int], UserScramCredentialRecord] = {}
    delegation_tokens: Mapping[str, DelegationTokenRecord] = {}
    next_producer_id: int = -1
    zk_migration_state: int | None = None

    def topic_configs(self, topic: str) -> Mapping[str, str]:
        """The topic's own configs, without defaults."""
        return self.configs.get((TOPIC, topic), {})

    def broker_configs(self, broker_id: int) -> Mapping[str, str]:
        """Dynamic configs of one broker, without the cluster's defaults."""
        return self.configs.get((BROKER, str(broker_id)), {})

    @property
    def default_broker_configs(self) -> Mapping[str, str]:
        """Dynamic configs that hold for every broker."""
        return self.configs.get((BROKER, ""), {})


EMPTY = MetadataImage()
