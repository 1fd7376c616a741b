"""Proposals that are drawn have the classes of the objects they overlap."""

import numpy as np
import pytest
from keras import ops

from nonlocal_keras.models.detection import sampling
from nonlocal_keras.models.detection.roi_samples import draw_rois
from tests.models.detection.test_rpn_training import draw
from tests.models.detection.test_rpn_training import overlap
from tests.support.backends import numpy


def run(proposals, valid, targets, **options):
    tensors = [ops.convert_to_tensor(x) for x in (proposals, valid)]
    targets = {k: ops.convert_to_tensor(x) for k, x in targets.items()}
    options = {**sampling.OPTIONS, **options}
    samples = draw_rois(*tensors, targets, options, seed=0)
    return {name: numpy(x) for name, x in samples.items()}


def scene():
    rng = np.random.default_rng(3)
    boxes = draw(rng, 2, 4)
    # Some proposals lie near an object, the others anywhere.
    near = boxes[:, :, None] + rng.normal(size=(2, 4, 5, 4))
    proposals = np.concatenate([near.reshape(2, 20, 4), draw(rng, 2, 20)], 1)
    return (
        proposals.astype("float32"),
        rng.uniform(size=(2, 40)) < 0.8,
        {
            "boxes": boxes,
            "labels": rng.integers(1, 9, (2, 4)).astype("int32"),
            "valid": np.array([[1, 1, 1, 0], [0, 0, 0, 0]]) > 0,
        },
    )


@pytest.mark.any_backend
def test_all_proposals_and_objects_are_given_their_classes():
    proposals, valid, targets = scene()
    samples = run(proposals, valid, targets, roi_samples=100)
    for image in range(2):
        objects = np.nonzero(targets["valid"][image])[0]
        boxes = targets["boxes"][image]
        wanted = {}
        for roi in [*proposals[image][valid[image]], *boxes[objects]]:
            table = [(overlap(roi, boxes[i]), i) for i in objects]
            best, index = max(table, default=(0, None))
            label = targets["labels"][image, index] if best >= 0.5 else 0
            wanted[tuple(roi)] = label, index
        drawn = samples["drawn"][image]
        found = dict(
            zip(
                map(tuple, samples["rois"][image][drawn]),
                zip(samples["labels"][image], samples["object"][image]),
            )
        )
        assert found.keys() == wanted.keys()
        for roi, (label, index) in wanted.items():
            assert found[roi][0] == label
            assert label == 0 or found[roi][1] == index
        assert not samples["rois"][image][~drawn].any()
        assert not samples["labels"][image][~drawn].any()
    assert (samples["labels"][0] > 0).sum() > 5 > samples["labels"][1].sum()


def test_positive_ones_come_first_and_are_no_more_than_their_part():
    proposals, valid, targets = scene()
    samples = run(proposals, valid, targets, roi_samples=16)
    assert samples["drawn"].all()
    positive = samples["labels"] > 0
    assert positive[0].tolist() == [True] * 4 + [False] * 12
    assert not positive[1].any()
