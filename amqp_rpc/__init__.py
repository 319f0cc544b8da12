"""Remote procedure calls over RabbitMQ: how a call crosses the broker. Knows no stocks and no web.

`connect_client` and `serve` are the two ways in; docs/adr/0002 and 0003 say why replies and acks go the way they do.
"""
