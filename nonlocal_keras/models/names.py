"""Models of all kinds by name."""

import re

from nonlocal_keras.models.detection import variants as detectors
from nonlocal_keras.models.video import variants as videos


def from_name(name, family=None, **overrides):
    """Builds a model from a name such as `"nl_i3d_r101"`.

    A video backbone is `[nl_|nl1_|nl10_]{c2d|i3d|i3d_3x3x3}_{tiny|r50|r101}`:
    without `nl` no non-local block, with `nl` five, else that many. The tiny
    one is a ResNet-14 with one block after res3 and one after res4. A
    detector is `[nl_]{faster|mask|keypoint}_rcnn_{tiny|r50|r101|x101|x152}_fpn`
    with one block in res4, and four in the head of keypoints, which `nl4` has
    alone.

    Example:

    >>> nonlocal_keras.models.from_name("nl_c2d_r50").describe()
    'NL-C2D ResNet-50: 5 non-local blocks at res3[1,3] res4[1,3,5]'
    >>> nonlocal_keras.models.from_name("nl_mask_rcnn_r50_fpn").describe()
    'NL Mask R-CNN on ResNet-50: 1 non-local block at res4[4]'

    Args:
        name: String.
        family: String, of a video backbone, as for
            `nonlocal_keras.models.video_resnet`. Defaults to `None`, which is
            `"tiny"` for the tiny one and `"vnl_32x2"` for others.
        **overrides: For a video backbone, as for
            `nonlocal_keras.models.video_resnet`. For a detector, arguments of
            `nonlocal_keras.models.MaskRCNN` and
            `nonlocal_keras.models.ImageResNet`.

    Returns:
        A `nonlocal_keras.models.VideoResNet` or a
        `nonlocal_keras.models.MaskRCNN`.

    Raises:
        ValueError: For a name of another form.
    """
    if family is not None:
        overrides["family"] = family
    for variants in (videos, detectors):
        if re.fullmatch(variants.NAME, name):
            return variants.from_name(name, **overrides)
    raise ValueError(
        f"`name` must be of the form {videos.FORM}, e.g. 'nl_i3d_r50', or "
        f"{detectors.FORM}. Received: name={name!r}"
    )
