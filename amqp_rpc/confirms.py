"""Publisher confirms: which call the broker means when it confirms or refuses a delivery tag."""

from collections.abc import Sequence


class Unconfirmed:
    """What was published on one channel and the broker has not spoken of yet, by delivery tag.

    The broker counts what is published on a channel from 1, and so does this
    (https://www.rabbitmq.com/docs/confirms#publisher-confirms). Lives on the I/O thread.
    """

    def __init__(self) -> None:
        self._calls: dict[int, Sequence[str]] = {}
        self._last_tag = 0

    def __len__(self) -> int:
        return len(self._calls)

    def published(self, correlation_ids: Sequence[str]) -> None:
        """One more message has left on the channel, with these calls."""
        self._last_tag += 1
        self._calls[self._last_tag] = correlation_ids

    def settle(self, tag: int, *, multiple: bool) -> Sequence[str]:
        """The calls that the broker speaks of, each told once: of one message, with `multiple` of all up to `tag`."""
        if not multiple:
            return self._calls.pop(tag, ())
        tags = [each for each in self._calls if each <= tag]
        return [correlation_id for each in tags for correlation_id in self._calls.pop(each)]
