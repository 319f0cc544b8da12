"""aio-pika's own RPC pattern (`aio_pika.patterns.JsonRPC`), on uvloop."""
