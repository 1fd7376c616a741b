"""Which joints change places in a mirror."""

import numpy as np
import pytest

from nonlocal_keras.data import joint_pairs

COCO = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder "
    "left_elbow right_elbow left_wrist right_wrist left_hip right_hip "
    "left_knee right_knee left_ankle right_ankle"
).split()
CROWDPOSE = [*COCO[5:], "head", "neck"]


def test_the_pairs_of_coco_are_exchanged():
    # The even ones are right, the odd ones left.
    expected = [0, *(n + 1 if n % 2 else n - 1 for n in range(1, 17))]
    assert joint_pairs.mirrored_order(COCO).tolist() == expected


def test_joints_without_a_side_stay():
    order = joint_pairs.mirrored_order(CROWDPOSE)
    assert order.tolist() == [1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 12, 13]


@pytest.mark.parametrize(
    "left, right",
    [
        ("leftEye", "rightEye"),
        ("eye left", "eye right"),
        ("LEFT-EYE", "RIGHT-EYE"),
        ("Left eye", "Right eye"),
        ("l_eye", "r_eye"),
        ("eye_l", "eye_r"),
        ("LEye", "REye"),
        ("L.eye", "R.eye"),
    ],
)
def test_names_tell_sides_in_many_ways(left, right):
    order = joint_pairs.mirrored_order([right, "nose", left])
    assert order.tolist() == [2, 1, 0]


def test_letters_within_words_are_no_sides():
    names = ["elbow", "shoulder", "lip", "rib", "LIP", "Rib", "1", "tail"]
    order = joint_pairs.mirrored_order(names)
    np.testing.assert_array_equal(order, range(8))


def test_a_side_without_another_is_refused():
    with pytest.raises(ValueError, match="Set flip=False.*: left_paw without"):
        joint_pairs.mirrored_order(["nose", "left_paw"])
