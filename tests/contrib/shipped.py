"""What is in a target, read with a library of its own."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit


def of_file(url):
    path = Path(url.removeprefix("file:"))
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def of_parquet(url):
    import pyarrow.parquet  # noqa: PLC0415 - an optional package

    return pyarrow.parquet.read_table(url.removeprefix("parquet:")).sort_by("id").to_pylist()


def of_delta(url):
    import deltalake  # noqa: PLC0415 - an optional package
    import pyarrow  # noqa: PLC0415

    found = deltalake.QueryBuilder().register(
        "log", deltalake.DeltaTable(url.removeprefix("delta:"))
    )
    rows = pyarrow.table(found.execute("SELECT * FROM log ORDER BY id").read_all())
    return rows.to_pylist()


def of_redis(url):
    import redis  # noqa: PLC0415 - an optional package

    place, _, query = url.partition("?")
    with redis.Redis.from_url(place) as client:
        messages = client.xrange(dict(parse_qsl(query))["stream"])
    return [json.loads(fields[b"entry"]) for _id, fields in messages]


def of_nats(url):
    return asyncio.run(_of_nats(urlsplit(url)))


async def _of_nats(url):
    import nats  # noqa: PLC0415 - an optional package

    client = await nats.connect(f"{url.scheme}://{url.netloc}")
    context = client.jetstream()
    stream = dict(parse_qsl(url.query))["stream"]
    found = []
    try:
        last = (await context.stream_info(stream)).state.last_seq
        for number in range(1, last + 1):
            message = await context.get_msg(stream, number)
            found.append(json.loads(message.data))
            assert message.headers["Nats-Msg-Id"] == found[-1]["id"]
    finally:
        await client.close()
    return found


def delete_stream(url):
    asyncio.run(_delete_stream(urlsplit(url)))


async def _delete_stream(url):
    import nats  # noqa: PLC0415 - an optional package

    client = await nats.connect(f"{url.scheme}://{url.netloc}")
    with suppress(nats.js.errors.NotFoundError):
        await client.jetstream().delete_stream(dict(parse_qsl(url.query))["stream"])
    await client.close()
