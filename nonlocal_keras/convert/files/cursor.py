"""Reads bytes of a file from anywhere, never past their end."""

from nonlocal_keras.convert.files.pickle_values import file_error


class Cursor:
    """A position in bytes.

    Args:
        data: Bytes of the file.
        position: Integer, where to begin. Defaults to `0`.
    """

    def __init__(self, data, position=0):
        self.data = data
        self.view = memoryview(data)
        self.position = position

    def take(self, count):
        """Returns a view of the next bytes, and moves behind them."""
        left = len(self.data) - self.position
        if not 0 <= count <= left:
            cut = f"{left}: the file is cut short or damaged"
            raise file_error(f"{count} more bytes at byte {self.position}", cut)
        self.position += count
        return self.view[self.position - count : self.position]

    def integer(self, size, signed=False):
        """Returns the next `size` bytes as a little-endian integer."""
        return int.from_bytes(self.take(size), "little", signed=signed)
