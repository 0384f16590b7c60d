"""Whose log directory it is: meta.properties, read and judged.

A directory that is another node's, another cluster's, of a newer version or
not Kafka's at all is refused in one sentence and left as it is.
"""

from collections.abc import Mapping

from kbroker.environment import Environment
from kbroker.log.checkpoints import decode_properties
from kbroker.protocol.primitives import uuid_from_text, uuid_to_text

META_PROPERTIES = "meta.properties"
LOCK = ".lock"
# What Apache Kafka 4 writes.
_VERSION = "1"
# What may lie in a directory that is still nobody's.
_HARMLESS = (LOCK, "lost+found", f"{META_PROPERTIES}.tmp")


class LogDirectoryError(Exception):
    """Why this directory can't be used, in one sentence for a person."""


def identify(
    environment: Environment, path: str, names: list[str], node_id: int, cluster_id: str | None
) -> dict[str, str]:
    """What meta.properties says; a new identity where there is nothing at all yet."""
    if META_PROPERTIES in names:
        meta = decode_properties(environment.disk.read_bytes(f"{path}/{META_PROPERTIES}"))
        _check(path, meta, node_id, cluster_id)
        return meta
    strangers = [name for name in names if name not in _HARMLESS]
    if strangers:
        raise LogDirectoryError(
            f"The log directory {path} has no {META_PROPERTIES} and is not empty "
            f"({strangers[0]}): it is not Kafka's, so it is left alone."
        )
    random = environment.random
    return {
        "version": _VERSION,
        "cluster.id": uuid_to_text(random.uuid()) if cluster_id is None else cluster_id,
        "node.id": str(node_id),
        "directory.id": uuid_to_text(random.uuid()),
    }


def _check(path: str, meta: Mapping[str, str], node_id: int, cluster_id: str | None) -> None:
    where = f"The log directory {path}"
    version = meta.get("version")
    if version != _VERSION:
        raise LogDirectoryError(
            f"{where} has {META_PROPERTIES} of version {version}, this broker knows version {_VERSION}."
        )
    for key in ("cluster.id", "node.id", "directory.id"):
        if not meta.get(key):
            raise LogDirectoryError(f"{where} has no {key} in its {META_PROPERTIES}.")
    if meta["node.id"] != str(node_id):
        raise LogDirectoryError(f"{where} belongs to node {meta['node.id']}, not to node {node_id}.")
    if cluster_id is not None and meta["cluster.id"] != cluster_id:
        raise LogDirectoryError(f"{where} belongs to cluster {meta['cluster.id']}, not to {cluster_id}.")
    try:
        uuid_from_text(meta["directory.id"])
    except ValueError as error:
        raise LogDirectoryError(f"{where} has a bad directory.id in {META_PROPERTIES}: {error}.") from None
