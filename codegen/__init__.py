"""Turns Apache Kafka's message schemas into `kbroker/protocol/generated`.

    specs/ ──parse──▶ model ──emit──▶ one Python module per message

kbroker never imports this package, and this package never imports kbroker:
the generated code is committed, and `python -m codegen --check` compares it.
"""
