"""Numbers for checks are asked of others, over HTTP, within a time and a size; what is not a number is a reason.

Whatever goes wrong becomes a `Reading` with an error, so that a check without an answer blocks and nothing else does.
What an answer says is never repeated in an error: the URL was named by a custom resource. This module does not know
bounds.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from windlass.operators.promotion.checks import Reading
from windlass.operators.promotion.settings import PromotionSettings
from windlass.operators.promotion.types import MetricCheck, Series
from windlass.operators.sockets import session

__all__ = ("parse_answer", "parse_text", "read_metrics")

_BYTES_MAX: Final = 8 * 2**20


async def read_metrics(checks: tuple[MetricCheck, ...], settings: PromotionSettings) -> Mapping[str, Reading]:
    """A reading for each check, by name. Each URL is asked once for its text."""
    readings: dict[str, Reading] = {}
    texts: dict[str, str | Reading] = {}
    async with session(settings.request_seconds) as asked:
        for check in checks:
            if not settings.allows(check.url):
                readings[check.name] = Reading(error="its URL is not one that the operator's owner allows")
            elif check.query is not None:
                url = f"{check.url.rstrip('/')}/api/v1/query"
                answer = await _get(asked, url, {"query": check.query})
                readings[check.name] = answer if isinstance(answer, Reading) else parse_answer(answer)
            else:
                if check.url not in texts:
                    texts[check.url] = await _get(asked, check.url, {})
                text = texts[check.url]
                readings[check.name] = text if isinstance(text, Reading) else parse_text(text, check)
    return readings


def parse_answer(text: str) -> Reading:
    """The one number in an answer of Prometheus's `/api/v1/query`: a scalar, or a vector of one series."""
    try:
        answer: Any = msgspec.json.decode(text)
        data = answer["data"]
        result = data["result"]
        if data["resultType"] == "scalar":
            return Reading(float(result[1]))
        if data["resultType"] == "vector":
            if len(result) != 1:
                return Reading(error=f"the query gave {len(result)} series, expected one")
            return Reading(float(result[0]["value"][1]))
        return Reading(error="the query gave neither a scalar nor a vector")
    except (msgspec.DecodeError, KeyError, IndexError, TypeError, ValueError):
        return Reading(error="the answer is not one of Prometheus's query API")


def parse_text(text: str, check: MetricCheck) -> Reading:
    """The sums that a check is about, in Prometheus's text format; a series that is not there is no answer."""
    try:
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    except (ValueError, KeyError, IndexError):
        return Reading(error="the answer is not in Prometheus's text format")

    def total(series: Series) -> float | None:
        found = [
            sample.value
            for sample in samples
            if sample.name == series.metric and series.labels.items() <= sample.labels.items()
        ]
        return math.fsum(found) if found else None

    if check.series is None:
        return Reading(error="expected series, found none")
    value = total(check.series)
    if value is None:
        return Reading(error=f"no series {check.series.metric} has these labels")
    if check.per is None:
        return Reading(value)
    per = total(check.per)
    return Reading(error=f"no series {check.per.metric} has these labels") if per is None else Reading(value, per)


async def _get(asked: aiohttp.ClientSession, url: str, query: Mapping[str, str]) -> str | Reading:
    try:
        # A redirect could lead to where the owner allows nothing.
        async with asked.get(url, params=query, allow_redirects=False) as answer:
            if answer.status != 200:
                return Reading(error=f"its URL answered with status {answer.status}")
            content = await _whole(answer.content)
            return content.decode()
    except TimeoutError:
        return Reading(error="its URL did not answer in time")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Reading(error=f"its URL could not be read: {type(error).__name__}")


async def _whole(stream: aiohttp.StreamReader) -> bytes:
    content = bytearray()
    async for chunk in stream.iter_chunked(2**16):
        content += chunk
        if len(content) > _BYTES_MAX:
            raise ValueError("too large")
    return bytes(content)
