"""Weights of a network by their names: drawn, so that no file stores them."""

import zlib

import numpy as np

# Gains over the usual deviation, by the end of a name: outputs of heads are
# spread, so that they choose, and residual branches are held back.
GAINS = {
    "fpn.inner_blocks.3.0.weight": 0.3,
    "rpn.head.cls_logits.weight": 1.0,
    "rpn.head.bbox_pred.weight": 0.05,
    "box_predictor.cls_score.weight": 0.08,
    "box_predictor.bbox_pred.weight": 0.1,
    "mask_fcn_logits.weight": 0.5,
    "kps_score_lowres.weight": 0.5,
    # detectron2, whose pixels go up to 255.
    "stem.conv1.weight": 0.02,
    "fpn_lateral5.weight": 0.3,
    "rpn_head.anchor_deltas.weight": 0.05,
    "mask_head.predictor.weight": 0.5,
    "keypoint_head.score_lowres.weight": 0.5,
    # mmdetection
    "neck.lateral_convs.3.conv.weight": 0.3,
    "rpn_head.rpn_reg.weight": 0.05,
    "bbox_head.fc_cls.weight": 0.08,
    "bbox_head.fc_reg.weight": 0.1,
    "mask_head.conv_logits.weight": 0.5,
}
# The last normalization of a residual block.
_LAST = ("bn3", "conv3.norm")


def draw(name, shape, seed=6):
    """Draws one tensor of a PyTorch network; the name decides its values.

    Args:
        name: String, such as `backbone.body.layer1.0.bn3.running_var`.
        shape: Tuple of integers.
        seed: Integer. Defaults to `6`, with which no two scores tie.

    Returns:
        float32 array.
    """
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    if name.endswith("running_var"):
        values = rng.uniform(0.6, 1.6, shape)
    elif name.endswith("running_mean"):
        values = 0.1 * rng.standard_normal(shape)
    elif len(shape) == 1 and name.endswith("weight"):
        most = 0.4 if any(last in name for last in _LAST) else 1.5
        values = rng.uniform(most / 3, most, shape)
    elif len(shape) == 1:
        values = 0.1 * rng.standard_normal(shape)
    else:
        gain = next((g for end, g in GAINS.items() if name.endswith(end)), 1.0)
        fan = np.prod(shape[1:])
        values = gain * np.sqrt(2 / fan) * rng.standard_normal(shape)
    return values.astype("float32")
