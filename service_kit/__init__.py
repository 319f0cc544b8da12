"""Plumbing that both processes need: settings, time budget, logs, request ids, problem+json. Knows no stocks."""
