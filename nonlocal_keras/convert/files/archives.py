"""Reads zip archives in memory: the container of PyTorch and Gluon files."""

import io
import struct
import zipfile
import zlib

from nonlocal_keras.convert.files.pickle_values import describe
from nonlocal_keras.convert.files.pickle_values import file_error

MAX_MEMBERS = 100_000
# Trained numbers hardly compress; a small file of zeros may.
MAX_RATIO = 64
SMALL_ARCHIVE = 64 << 20


class ZipMembers:
    """The members of a zip archive in memory.

    Stored members are slices of the archive, deflated ones are inflated up
    to their declared size. Nothing is written anywhere, so that the names of
    members are only names.

    Args:
        data: Bytes of the archive.
        max_bytes: Integer, bound of the sum of all declared sizes.
    """

    def __init__(self, data, max_bytes):
        self.view = memoryview(data)
        # Before `zipfile` makes an object of each.
        if data.count(b"PK\x01\x02") > MAX_MEMBERS:
            raise file_error(f"at most {MAX_MEMBERS} members in a zip", "more")
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                members = archive.infolist()
        except (
            zipfile.BadZipFile,
            struct.error,
            ArithmeticError,
            LookupError,
            NotImplementedError,
            OSError,
            ValueError,
        ) as error:
            raise file_error(
                "a whole zip archive", f"damage ({error})"
            ) from error
        self.members = {member.filename: member for member in members}
        if len(self.members) < len(members):
            raise file_error("one zip member of each name", "a name twice")
        limit = min(max_bytes, max(MAX_RATIO * len(data), SMALL_ARCHIVE))
        stored = sum(m.file_size for m in members if m.compress_type == 0)
        if stored > len(data) or sum(m.file_size for m in members) > limit:
            size = f"at most {limit} bytes in a zip of {len(data)}"
            raise file_error(size, "a zip that declares more than it can hold")

    def names(self):
        """Returns the names of the members that are files."""
        return [name for name in self.members if not name.endswith("/")]

    def read(self, name):
        """Returns the contents of a member as bytes or `memoryview`."""
        member = self.members.get(name)
        if member is None:
            raise file_error(
                f"the zip member {describe(name)}", "none of that name"
            )
        begin = member.header_offset
        header = self.view[max(begin, 0) : begin + 30]
        if begin < 0 or len(header) < 30 or header[:4] != b"PK\x03\x04":
            raise file_error(
                f"the zip member {describe(name)}", "no header of it"
            )
        begin += 30 + sum(struct.unpack("<HH", header[26:30]))
        contents = self.view[begin : begin + member.compress_size]
        if member.flag_bits & 1 or member.compress_type not in (0, 8):
            found = "encryption or another compression method"
            raise file_error("stored or deflated zip members", found)
        if member.compress_type == 8:
            inflate = zlib.decompressobj(-zlib.MAX_WBITS)
            # A limit of zero would mean no limit.
            contents = inflate.decompress(contents, member.file_size + 1)
        whole = len(contents) == member.file_size
        # PyTorch can be told not to compute check sums, and then writes 0.
        if not whole or member.CRC not in (0, zlib.crc32(contents)):
            found = "another size or check sum"
            raise file_error(
                f"the zip member {describe(name)} as declared", found
            )
        return contents
