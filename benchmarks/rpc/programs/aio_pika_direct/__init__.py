"""aio-pika by hand: direct reply-to and a table of futures, on uvloop."""
