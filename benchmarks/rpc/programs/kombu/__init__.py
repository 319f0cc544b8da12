"""kombu by hand: what somebody writes who wants it fast. One connection and one I/O thread on each side."""
