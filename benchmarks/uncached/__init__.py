"""Part `uncached`: quotes that a slow provider must be asked for."""
