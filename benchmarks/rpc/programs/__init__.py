"""One folder for each implementation with a `server` and a `client`, started by `benchmarks/rpc/pair.py`.

They run in two environments, ours and that of the peers, and share standard library only (`contract`, `driving`).
"""
