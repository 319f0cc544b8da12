"""The two services as processes, with what they need and what calls them: for every part that measures the whole."""
