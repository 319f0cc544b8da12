"""Plumbing that both processes need: settings, time budget, logs, HTTP, Redis. Knows no stocks."""
