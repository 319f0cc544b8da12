"""nameko, on eventlet; messages transient, all else as it comes."""
