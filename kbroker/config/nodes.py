"""Several nodes from one configuration: what is each one's own.

The i-th node has the i-th next node id, the i-th next port of every listener
and of the admin port, and a directory of its own below log.dirs, whose name no
partition's directory can have. All else they share.
"""

from __future__ import annotations

from collections.abc import Mapping

from kbroker.config.key import ConfigError
from kbroker.config.listeners import parse_endpoints, refuse_shared_ports
from kbroker.config.settings import Config


def load_nodes(
    count: int,
    properties: Mapping[str, str],
    environment: Mapping[str, str],
    overrides: Mapping[str, str],
    mode: str | None,
) -> list[Config]:
    """The checked configuration of each node, from the sources of `Config.from_sources`."""
    config = Config.from_sources(properties, environment, overrides, mode)
    if count == 1:
        return [config]
    if config.str("kbroker.cluster.id"):
        raise ConfigError(
            f"kbroker.cluster.id names one cluster, but each of {count} brokers is one of its own so far."
        )
    nodes = [
        Config.from_sources(properties, environment, {**overrides, **_own(config, index)}, mode)
        for index in range(count)
    ]
    refuse_shared_ports(_addresses(nodes))
    return nodes


def _own(config: Config, index: int) -> dict[str, str]:
    node_id = config.node_id + index
    directory = f"{config.log_directory}/node{node_id}"
    own = {"node.id": str(node_id), "broker.id": str(node_id), "log.dirs": directory}
    if config.str("metadata.log.dir"):
        own["metadata.log.dir"] = directory
    for key in ("listeners", "advertised.listeners"):
        if addresses := config.list(key):
            own[key] = ",".join(_moved(address, index) for address in addresses)
    if admin := config.str("kbroker.admin.listener"):
        own["kbroker.admin.listener"] = _moved(admin, index)
    for voter in config.list("controller.quorum.voters"):
        # It has been checked: the only voter is the node itself.
        own["controller.quorum.voters"] = f"{node_id}@{_moved(voter.partition('@')[2], index)}"
    return own


def _moved(address: str, index: int) -> str:
    """The same with a port so much higher; 0 stays any free one."""
    host, _, port = address.rpartition(":")
    return f"{host}:{int(port) + index if int(port) else 0}"


def _addresses(nodes: list[Config]) -> dict[str, tuple[str, int]]:
    """All addresses of all nodes, those included on which only a cluster's controller will listen."""
    addresses = {}
    for node in nodes:
        for name, address in parse_endpoints(node.list("listeners"), "listeners").items():
            addresses[f"{name} of node {node.node_id}"] = address
        if node.admin_address is not None:
            addresses[f"the admin port of node {node.node_id}"] = node.admin_address
    return addresses
