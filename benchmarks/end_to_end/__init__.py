"""`GET /api/v1/stock` from end to end, beside its ceiling, a bare Flask and the original way, in interleaved rounds.

`python -m benchmarks.end_to_end --help` runs this part by itself.
"""
