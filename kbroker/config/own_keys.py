"""The keys Kafka does not have; all begin with `kbroker.`."""

from kbroker.config.key import INT, LIST, LONG, STRING, ConfigKey, Items, OneOf, Range

_KEYS = (
    ConfigKey("kbroker.admin.listener", STRING, "127.0.0.1:9644"),
    ConfigKey("kbroker.cluster.id", STRING, ""),
    ConfigKey("kbroker.connection.queue.max", INT, "128", Range(1)),
    ConfigKey("kbroker.driver", STRING, "auto", OneOf("auto", "epoll", "tasks")),
    ConfigKey("kbroker.frame.timeout.ms", INT, "60000", Range(1)),
    ConfigKey("kbroker.log.format", STRING, "text", OneOf("text", "json")),
    ConfigKey("kbroker.log.level", STRING, "INFO", OneOf("DEBUG", "INFO", "WARNING", "ERROR", any_case=True)),
    ConfigKey("kbroker.mode", STRING, "dev", OneOf("dev", "kafka")),
    ConfigKey("kbroker.queued.bytes.max", LONG, "268435456", Range(1)),
    ConfigKey("kbroker.topics", LIST, "", Items()),
    ConfigKey("kbroker.unauthenticated.request.max.bytes", INT, "524288", Range(1024)),
)

OWN_KEYS = {key.name: key for key in _KEYS}
