"""Publisher confirms: which call the broker means when it confirms or refuses a delivery tag."""


class Unconfirmed:
    """The calls published on one channel that the broker has not spoken of yet, by delivery tag.

    The broker counts what is published on a channel from 1, and so does this
    (https://www.rabbitmq.com/docs/confirms#publisher-confirms). Lives on the I/O thread.
    """

    def __init__(self) -> None:
        self._calls: dict[int, str] = {}
        self._last_tag = 0

    def __len__(self) -> int:
        return len(self._calls)

    def published(self, correlation_id: str) -> None:
        """One more message has left on the channel."""
        self._last_tag += 1
        self._calls[self._last_tag] = correlation_id

    def settle(self, tag: int, *, multiple: bool) -> list[str]:
        """The correlation ids that the broker speaks of, each told once: one, or with `multiple` all up to `tag`."""
        if not multiple:
            settled = self._calls.pop(tag, None)
            return [] if settled is None else [settled]
        tags = [each for each in self._calls if each <= tag]
        return [self._calls.pop(each) for each in tags]
