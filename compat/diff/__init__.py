"""kbroker and Apache Kafka side by side: the same requests, every difference of answer."""
