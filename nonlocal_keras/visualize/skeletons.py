"""Which joints of a skeleton a line connects."""

# Of the 17 joints of COCO: nose, then left and right eye, ear, shoulder,
# elbow, wrist, hip, knee and ankle.
COCO = (
    (0, 1),
    (0, 2),
    (1, 2),
    (1, 3),
    (2, 4),
    (3, 5),
    (4, 6),
    (5, 6),
    (5, 7),
    (7, 9),
    (6, 8),
    (8, 10),
    (5, 11),
    (6, 12),
    (11, 12),
    (11, 13),
    (13, 15),
    (12, 14),
    (14, 16),
)
JOINTS_OF_COCO = 17


def lines_of(skeleton, joints):
    """Returns the pairs of joints that are connected.

    Args:
        skeleton: Sequence of pairs of Integers, or `None` for those of COCO
            where there are 17 joints, and for none elsewhere.
        joints: Integer, joints of an object.

    Raises:
        ValueError: If one of them is no pair of joints.
    """
    if skeleton is None:
        return COCO if joints == JOINTS_OF_COCO else ()
    lines = [tuple(line) for line in skeleton]
    for line in lines:
        if len(line) != 2 or not all(0 <= joint < joints for joint in line):
            raise ValueError(
                "`skeleton` must hold pairs of joints, integers from 0 to "
                f"{joints - 1}. Received: {line}"
            )
    return lines
