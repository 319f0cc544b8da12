"""Entries of a history as if one user had asked for quotes all the time; the prices walk at random."""

import math
import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Final

from api_service.bulk_entries import Entry
from api_service.demo_stocks import DEMO_STOCKS, DemoStock

SOURCE: Final = "demo"
"""Stands in every entry as its provider, so that nobody takes one for a real quote."""
_DAILY_CHANGE: Final = 0.015
"""The standard deviation of a price's change in a day, as a share of it."""
_STALE_SHARE: Final = 0.01
_OLDEST: Final = 60.0
"""Seconds from when a price was true until it was served, at most; those of the default QUOTE_TTL."""
_DAY: Final = timedelta(days=1)
_CHOSEN_AT_ONCE: Final = 1000


def demo_entries(user_id: int, rows: int, begin: datetime, end: datetime) -> Iterator[Entry]:
    """`rows` entries, evenly spread from `begin` to `end`, each later than the one before it."""
    dice = random.Random()  # noqa: S311  it makes up prices, it keeps no secret
    run = secrets.token_hex(4)
    walks = [_Walk(stock, begin) for stock in DEMO_STOCKS]
    popularity = list(accumulate(1 / rank for rank in range(1, len(walks) + 1)))
    step = (end - begin) / rows
    for number in range(rows):
        if number % _CHOSEN_AT_ONCE == 0:
            chosen = iter(dice.choices(walks, cum_weights=popularity, k=_CHOSEN_AT_ONCE))
        at = begin + number * step
        walk = next(chosen)
        walk.move(at, dice)
        yield walk.entry(user_id, f"{SOURCE}-{run}-{number:08}", at, dice)


@dataclass(slots=True, init=False)
class _Walk:
    """The price of one stock, and what became of it since its day began (in UTC)."""

    stock: DemoStock
    price: float
    """In units of its last decimal."""
    moved_at: datetime
    day: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int

    def __init__(self, stock: DemoStock, begin: datetime) -> None:
        self.stock = stock
        self.price = stock.price * 10**stock.decimals
        self.moved_at = begin
        self._begin_day(begin)

    def move(self, at: datetime, dice: random.Random) -> None:
        """Change the more the longer it has not moved: over a day as a price does in a day."""
        days = (at - self.moved_at) / _DAY
        self.price *= math.exp(_DAILY_CHANGE * dice.gauss() * math.sqrt(days))
        self.moved_at = at
        if at.toordinal() != self.day:
            self._begin_day(at)
            return
        self.close = self._rounded()
        self.high = max(self.high, self.close)
        self.low = min(self.low, self.close)
        self.volume += int(self.stock.volume * min(days, 1) * 2 * dice.random())

    def entry(self, user_id: int, request_id: str, at: datetime, dice: random.Random) -> Entry:
        stock = self.stock
        return Entry(
            user_id=user_id,
            request_id=request_id,
            position=0,
            requested_at=at,
            symbol=stock.symbol,
            name=stock.name,
            open=self.open,
            high=self.high,
            low=self.low,
            close=self.close,
            volume=self.volume if stock.volume else None,
            currency=stock.currency,
            source=SOURCE,
            as_of=at - timedelta(seconds=int(_OLDEST * dice.random()), microseconds=at.microsecond),
            stale=dice.random() < _STALE_SHARE,
        )

    def _begin_day(self, at: datetime) -> None:
        self.day = at.toordinal()
        self.open = self.high = self.low = self.close = self._rounded()
        self.volume = self.stock.volume // 1000

    def _rounded(self) -> Decimal:
        return Decimal(max(1, round(self.price))).scaleb(-self.stock.decimals)
