"""Part `rpc`: round trips over RabbitMQ, ours beside others from PyPI and beside a C client."""
