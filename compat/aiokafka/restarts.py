"""The broker goes away and comes back under clients that stay."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator
from typing import Any

from aiokafka.errors import KafkaError

from compat.aiokafka.kit import consumer, create_topic, produce, producer, read, scenario
from compat.harness import Context, Scenario
from compat.records import Record
from compat.tally import Tally

PARTITIONS = 3


async def restart_in_the_middle(context: Context) -> None:
    topic = await create_topic(context, context.topic(), PARTITIONS)
    tally = Tally()
    async with load(context, topic, tally):
        for action in ("kill", "stop"):
            await asyncio.to_thread(tally.progress, 500)
            await asyncio.to_thread(context.broker, action)
            await asyncio.to_thread(context.broker, "start")
        await asyncio.to_thread(tally.progress, 500)

    async def found(partition: int, count: int) -> list[tuple[int, bytes]]:
        return [(each.offset, each.value) for each in await read(context, topic, count, [partition])]

    await asyncio.to_thread(tally.verify, lambda partition, count: asyncio.run(found(partition, count)))


@contextlib.asynccontextmanager
async def load(context: Context, topic: str, tally: Tally) -> AsyncIterator[None]:
    """An idempotent producer and two committing members, as tasks, until told to stop."""
    stop = asyncio.Event()
    bodies = [_produce(context, topic, tally, stop), *[_consume(context, topic, tally, stop) for _ in "ab"]]
    tasks = [asyncio.create_task(body) for body in bodies]
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 90)


async def _produce(context: Context, topic: str, tally: Tally, stop: asyncio.Event) -> None:
    def note(number: int, future: asyncio.Future[Any]) -> None:
        if error := future.exception():
            tally.errors.append(f"produce: {error!r}")
        else:
            placed = future.result()
            # No offset when the broker could only say that it had the record already.
            tally.acknowledged(number, placed.partition, placed.offset if placed.offset >= 0 else None)

    # So long it waits for room in its batches, which a broker that is away does not take.
    settings = {"enable_idempotence": True, "linger_ms": 2, "request_timeout_ms": 120_000}
    async with producer(context, settings) as client:
        number = 0
        while not stop.is_set():
            future = await produce(client, topic, Record(b"%d" % number, partition=number % PARTITIONS))
            future.add_done_callback(functools.partial(note, number))
            number += 1
            await asyncio.sleep(0.001)
        await client.flush()


async def _consume(context: Context, topic: str, tally: Tally, stop: asyncio.Event) -> None:
    settings = {"session_timeout_ms": 30_000, "heartbeat_interval_ms": 500}
    async with consumer(context, context.group(), settings) as client:
        client.subscribe([topic])
        while not stop.is_set():
            try:
                polled = await client.getmany(timeout_ms=100)
                for messages in polled.values():
                    tally.seen.update((message.partition, message.offset) for message in messages)
                if polled:
                    await client.commit()
            except KafkaError as error:
                # While the broker is away the client says so, and goes on by itself.
                if not error.retriable:
                    tally.errors.append(f"consume: {error!r}")


SCENARIOS: dict[str, Scenario] = {"restart_in_the_middle": scenario(restart_in_the_middle)}
