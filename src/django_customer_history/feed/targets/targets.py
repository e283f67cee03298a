"""The targets by the scheme of their URLs."""

from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from django_customer_history.exceptions import TargetError, did_you_mean
from django_customer_history.feed.targets.base import Destination, Target
from django_customer_history.feed.targets.delta import DeltaTable
from django_customer_history.feed.targets.nats import NatsStream
from django_customer_history.feed.targets.ndjson import NdjsonFile
from django_customer_history.feed.targets.parquet import ParquetFiles
from django_customer_history.feed.targets.redis import RedisStream
from django_customer_history.feed.targets.webhook import Webhook

TARGETS: Mapping[str, type[Target]] = {
    "file": NdjsonFile,
    "parquet": ParquetFiles,
    "parquet+storage": ParquetFiles,
    "delta": DeltaTable,
    "delta+s3": DeltaTable,
    "nats": NatsStream,
    "redis": RedisStream,
    "rediss": RedisStream,
    "https": Webhook,
    "http": Webhook,
}


def target_url(text: str) -> SplitResult:
    """Return a target's URL in parts. Raise `TargetError` if no target has its scheme."""
    url = urlsplit(text)
    if url.scheme not in TARGETS:
        raise TargetError(
            f"{url.scheme or text!r} is not a kind of target.{did_you_mean(url.scheme, TARGETS)}"
            f" Begin the target with one of: {', '.join(f'{one}:' for one in TARGETS)}"
        )
    return url


def target_of(destination: Destination) -> Target:
    """Return the target of a destination.

    Raises `TargetError` if a package is missing, or if an option does not suit the target.
    """
    kind = TARGETS[destination.url.scheme]
    if kind.has_columns and destination.format.name != "native":
        raise TargetError(
            f"{destination.url.scheme}: has columns, so the format {destination.format.name!r} does"
            " not apply. Leave out --format."
        )
    if destination.state is not None and not kind.has_state_file:
        raise TargetError(
            f"{destination.url.scheme}: keeps its position itself. Leave out --state."
        )
    return kind(destination)
