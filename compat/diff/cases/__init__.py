"""The prepared requests, by theme. Each module's `run(world)` asks both brokers the same."""
