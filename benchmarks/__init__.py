"""Measurements of speed and cost, ours beside others, on one machine and interleaved: `make bench`."""
