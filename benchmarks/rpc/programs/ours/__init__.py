"""`amqp_rpc` as the services use it: the same classes and settings, all promises kept."""
