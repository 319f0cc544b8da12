"""Celery with its `rpc://` backend; messages transient, results kept nowhere, no events, no gossip."""
