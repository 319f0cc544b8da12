"""FastStream's `request`, with eight broker objects: one of them makes one request at a time."""
