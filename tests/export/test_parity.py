"""The comparison at the end of every export."""

import numpy as np
import pytest

from nonlocal_keras.export import parity
from tests.support import small

LOGITS = np.array([[1.0, 2.0], [4.0, 3.0]], "float32")
CLIPS = np.zeros((2, 1, 1, 1, 3), "float32")


def answers(logits):
    rows = iter(logits)
    return lambda clip: next(rows)[None]


def test_equal_logits_have_no_difference():
    result = parity.compare(LOGITS, answers(LOGITS), CLIPS, 1e-6)
    assert (result.clips, result.absolute, result.agreement) == (2, 0.0, 1.0)


def test_the_difference_is_a_part_of_the_largest_logit():
    result = parity.compare(LOGITS, answers(LOGITS + 0.4), CLIPS, 0.2)
    assert result.absolute == pytest.approx(0.4)
    assert result.relative == pytest.approx(0.1)


def test_logits_of_zero_are_no_accident():
    zero = np.zeros_like(LOGITS)
    assert parity.compare(zero, answers(zero), CLIPS, 1e-4).relative == 0.0


def test_another_best_class_lowers_the_agreement():
    received = LOGITS.copy()
    received[0] = [2.1, 2.0]
    result = parity.compare(LOGITS, answers(received), CLIPS, 1.0)
    assert result.agreement == 0.5


@pytest.mark.parametrize("wrong", [LOGITS + 1.0, LOGITS * np.nan])
def test_a_larger_difference_and_a_nan_fail(wrong):
    with pytest.raises(parity.ExportError, match="of the largest logit"):
        parity.compare(LOGITS, answers(wrong), CLIPS, 1e-4)


def test_sample_clips_have_the_shape_of_the_model_and_differ():
    model = small.classifier()
    clips = parity.sample_clips(model, 2)
    assert clips.shape == (2, *model.input_shape[1:])
    assert clips.dtype == np.float32
    assert np.abs(clips[0] - clips[1]).max() > 0.1
