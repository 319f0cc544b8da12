"""The internal process: quotes from providers, behind two doors (RabbitMQ and HTTP)."""
