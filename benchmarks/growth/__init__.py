"""Part `growth`: calls on a history of a thousand rows and of millions."""
