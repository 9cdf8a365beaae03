"""What crosses a service boundary: records that one service writes and another reads."""
