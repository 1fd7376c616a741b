"""Whether the tables of an MP4 or MOV file can be true.

A table of a few bytes may declare billions of samples, for which the reader
would allocate memory before it looks for them.
"""

import struct

_CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf")
# Where the number of samples stands after the head of a box.
_COUNTS = {b"stsz": 8, b"trun": 4}


def declared_samples(file):
    """Returns how many samples the boxes of a file declare together.

    Args:
        file: Binary file, of any format; others than MP4 declare none.

    Returns:
        Integer.
    """
    end = file.seek(0, 2)
    return _samples(file, 0, end, depth=0)


def _samples(file, position, end, depth):
    total = 0
    while position + 8 <= end:
        file.seek(position)
        size, kind = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == 1:
            size, head = int.from_bytes(file.read(8), "big"), 16
        stop = min(position + size, end) if size else end
        if stop < position + head:
            break
        # As deep as a box of samples lies in a file that is well formed.
        if kind in _CONTAINERS and depth < 5:
            total += _samples(file, position + head, stop, depth + 1)
        elif kind in _COUNTS:
            fields = file.read(_COUNTS[kind] + 4)
            total += int.from_bytes(fields[_COUNTS[kind] :], "big")
        position = stop
    return total
