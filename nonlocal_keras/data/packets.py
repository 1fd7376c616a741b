"""What the bytes of a packet promise before they are decoded.

Most decoders give one frame for each packet, but a damaged or an odd packet
gives none or two. The first bytes of a packet say which, for the codecs that
long videos are made of. They also say where decoding may begin: what is
flagged as a key frame need not cut all references to frames before it.
"""

import dataclasses
import re

# Decoding from any key frame of these gives the same frames as from the start.
# Not of H.263, whose rounding goes on from frame to frame.
CLEAN_KEYS = frozenset(
    "dnxhd ffv1 ffvhuff flv1 huffyuv mjpeg mpeg1video mpeg2video mpeg4 "
    "msmpeg4v2 msmpeg4v3 png prores rawvideo theora utvideo vp8 wmv1 "
    "wmv2".split()
)


@dataclasses.dataclass(frozen=True)
class Promise:
    """What a packet is expected to give.

    Attributes:
        one_frame: Boolean, whether it is sure to give one frame to be shown,
            unless it is damaged inside. Defaults to `False`.
        clean: Boolean, whether what follows it in display order decodes
            without anything before it. Defaults to `False`.
    """

    one_frame: bool = False
    clean: bool = False


def reader(codec, extradata):
    """Returns the function from a packet to its `Promise`.

    Args:
        codec: String, ffmpeg's name of the codec.
        extradata: Bytes of the stream's header, or `None`.
    """
    extradata = extradata or b""
    if codec in ("h264", "hevc"):
        units = _by_length(codec, extradata) or _by_start_code
        read = _h264 if codec == "h264" else _hevc
        return lambda packet: read(units(bytes(packet)))
    if codec in ("vp9", "av1"):
        read = _vp9 if codec == "vp9" else _av1
        return lambda packet: _key(read(bytes(packet)), packet)
    clean = codec in CLEAN_KEYS
    return lambda packet: Promise(clean=clean and packet.is_keyframe)


def _key(promise, packet):
    return promise if packet.is_keyframe else Promise(promise.one_frame)


def _by_length(codec, extradata):
    """Returns the splitter of units that follow their length (MP4)."""
    place = 4 if codec == "h264" else 21
    if len(extradata) <= place or extradata[0] != 1:
        return None
    prefix = (extradata[place] & 3) + 1

    def split(data):
        units, position = [], 0
        while position < len(data):
            length = int.from_bytes(data[position : position + prefix], "big")
            position += prefix
            # Six bytes hold all that is asked of a unit.
            unit = data[position : position + min(length, 6)]
            position += length
            if not unit or position > len(data) or unit[0] & 0x80:
                return None
            units.append(unit)
        return units

    return split


def _by_start_code(data):
    starts = [match.end() for match in re.finditer(b"\0\0\1", data)]
    units = [data[start : start + 6] for start in starts]
    if not units or any(not unit or unit[0] & 0x80 for unit in units):
        return None
    return units


def _h264(units):
    if units is None:
        return Promise()
    slices = [unit for unit in units if 1 <= unit[0] & 31 <= 5]
    # A picture begins with its first macroblock, which is coded as one 1.
    whole = bool(slices) and all(unit[0] & 31 in (1, 5) for unit in slices)
    whole = whole and len(slices[0]) > 1 and bool(slices[0][1] & 0x80)
    # Only IDR: after other key frames, older ones may still be referred to.
    return Promise(whole, whole and slices[0][0] & 31 == 5)


def _hevc(units):
    if units is None:
        return Promise()
    kinds = [unit[0] >> 1 & 63 for unit in units]
    # Units of other layers, such as the second eye, give no frame here.
    slices = [
        (kind, unit)
        for kind, unit in zip(kinds, units)
        if kind < 32 and len(unit) > 2 and not unit[0] & 1 and not unit[1] >> 3
    ]
    # The end of a sequence (36, 37) makes the decoder drop frames after it.
    whole = bool(slices) and not {36, 37} & set(kinds)
    whole = whole and bool(slices[0][1][2] & 0x80)
    return Promise(whole, whole and 16 <= slices[0][0] <= 21)


def _vp9(data):
    if not data or data[0] >> 6 != 2 or data[0] & 0x30 == 0x30:
        return Promise()
    again, inter, shown = (bool(data[0] & bit) for bit in (8, 4, 2))
    if data[-1] & 0xE0 == 0xC0:  # Hidden frames packed with a shown one.
        size = 2 + ((data[-1] >> 3 & 3) + 1) * ((data[-1] & 7) + 1)
        whole = len(data) > size and data[-size] == data[-1]
    else:
        whole = again or shown
    return Promise(whole, whole and not again and not inter and shown)


def _av1(data):
    shown, clean, position = 0, False, 0
    while position < len(data):
        header, position = data[position], position + 1
        kind, position = header >> 3 & 15, position + (header >> 2 & 1)
        length = len(data) - position
        if header & 2:
            length, position = _leb128(data, position)
        if header & 0x80 or length < 0 or position + length > len(data):
            return Promise()
        if kind in (3, 6) and length:  # A frame, or its header alone.
            again, intra, show = _av1_frame(data[position])
            clean = clean or (not shown and intra and show and not again)
            shown += again or show
        position += length
    return Promise(shown == 1, shown == 1 and clean)


def _av1_frame(first):
    return bool(first & 0x80), not first & 0x60, bool(first & 0x10)


def _leb128(data, position):
    value = 0
    for shift, byte in enumerate(data[position : position + 8]):
        value |= (byte & 127) << 7 * shift
        if not byte & 128:
            return value, position + shift + 1
    return -1, position
