"""The user-facing service: accounts, quotes, each user's history, and the most requested stocks, as a JSON API."""
