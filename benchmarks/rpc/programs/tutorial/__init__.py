"""What RabbitMQ's tutorial on RPC teaches, as many services have it: pika's BlockingConnection, one for each call."""
