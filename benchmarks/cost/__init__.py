"""Part `cost`: what the services take while they work, and while they do not."""
