"""Name maps of detectors: see `name_maps.py` for what a row means.

The classes and channels of a file may stand in another order than those of
the weights; `detector_layout.py` turns them.
"""

from nonlocal_keras.convert import name_words as words
from nonlocal_keras.convert.name_map import NameMap

_NEXT = {str(number): str(number + 1) for number in range(16)}
_FC = {str(number): str(number + 6) for number in range(8)}
_FC_FROM_1 = {str(number): str(number + 5) for number in range(1, 8)}
_ANY = {str(number): str(number) for number in range(64)}

# Of values from 0 to 255, in RGB.
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)
CAFFE_MEAN = (122.7717, 115.9465, 102.9801)

_FPN = "backbone.fpn."
_HEADS = "roi_heads."
_BODY = "backbone.body."
_BODY_LAYER = _BODY + "layer{stage}.{block}."
# Rows that come second have the names of the
# first releases, which the published files still have.
TORCHVISION = NameMap(
    name="torchvision detector",
    words={
        "stage": words.FROM_1,
        "level": words.FROM_0,
        "conv": words.CONV,
        "bn": words.TORCH_BN,
        "value": words.VALUE,
        "mask": _NEXT,
        "box": _NEXT,
        # After four convolutions and what flattens their maps.
        "fc": {"5": "6"},
        "keypoint": {str(2 * n): str(n + 1) for n in range(32)},
    },
    rows=(
        (_BODY + "conv1.weight", "conv1.kernel"),
        (_BODY + "bn1.{bn}", "conv1_bn.{bn}"),
        (_BODY_LAYER + "conv{conv}.weight", words.CONV_OF_BLOCK),
        (_BODY_LAYER + "bn{conv}.{bn}", words.BN_OF_BLOCK),
        (_BODY_LAYER + "downsample.0.weight", words.SHORTCUT),
        (_BODY_LAYER + "downsample.1.{bn}", words.BN_OF_SHORTCUT),
        (_FPN + "inner_blocks.{level}.0.{value}", "fpn_inner_{level}.{value}"),
        (_FPN + "inner_blocks.{level}.{value}", "fpn_inner_{level}.{value}"),
        (_FPN + "layer_blocks.{level}.0.{value}", "fpn_output_{level}.{value}"),
        (_FPN + "layer_blocks.{level}.{value}", "fpn_output_{level}.{value}"),
        (_FPN + "inner_blocks.{level}.1.{bn}", "fpn_inner_{level}_bn.{bn}"),
        (_FPN + "layer_blocks.{level}.1.{bn}", "fpn_output_{level}_bn.{bn}"),
        ("rpn.head.conv.0.0.{value}", "rpn_conv.{value}"),
        ("rpn.head.conv.1.0.{value}", "rpn_conv2.{value}"),
        ("rpn.head.conv.{value}", "rpn_conv.{value}"),
        ("rpn.head.cls_logits.{value}", "rpn_objectness.{value}"),
        ("rpn.head.bbox_pred.{value}", "rpn_deltas.{value}"),
        (_HEADS + "box_head.fc6.{value}", "box_fc6.{value}"),
        (_HEADS + "box_head.fc7.{value}", "box_fc7.{value}"),
        (_HEADS + "box_head.{box}.0.weight", "box_conv{box}.kernel"),
        (_HEADS + "box_head.{box}.1.{bn}", "box_conv{box}_bn.{bn}"),
        (_HEADS + "box_head.{fc}.{value}", "box_fc{fc}.{value}"),
        (_HEADS + "box_predictor.cls_score.{value}", "box_class.{value}"),
        (_HEADS + "box_predictor.bbox_pred.{value}", "box_deltas.{value}"),
        (_HEADS + "mask_head.{mask}.0.{value}", "mask_conv{mask}.{value}"),
        (_HEADS + "mask_head.{mask}.1.{bn}", "mask_conv{mask}_bn.{bn}"),
        (
            _HEADS + "mask_head.mask_fcn{number}.{value}",
            "mask_conv{number}.{value}",
        ),
        (_HEADS + "mask_predictor.conv5_mask.{value}", "mask_deconv.{value}"),
        (
            _HEADS + "mask_predictor.mask_fcn_logits.{value}",
            "mask_logits.{value}",
        ),
        (
            _HEADS + "keypoint_head.{keypoint}.{value}",
            "keypoint_conv{keypoint}.{value}",
        ),
        (
            _HEADS + "keypoint_predictor.kps_score_lowres.{value}",
            "keypoint_deconv.{value}",
        ),
    ),
    skipped=(words.COUNTER,),
)

_BOTTOM_UP = "backbone.bottom_up."
_D2_BLOCK = "res{stage}.{block}."
_RPN = "proposal_generator.rpn_head."
_IN_MODEL = "an argument of the model"
_D2_WORDS = {
    "stage": words.FROM_2,
    "conv": words.CONV,
    "bn": words.TORCH_BN,
    "value": words.VALUE,
}
_D2_ROWS = (
    ("stem.conv1.weight", "conv1.kernel"),
    ("stem.conv1.norm.{bn}", "conv1_bn.{bn}"),
    (_D2_BLOCK + "conv{conv}.weight", words.CONV_OF_BLOCK),
    (_D2_BLOCK + "conv{conv}.norm.{bn}", words.BN_OF_BLOCK),
    (_D2_BLOCK + "shortcut.weight", words.SHORTCUT),
    (_D2_BLOCK + "shortcut.norm.{bn}", words.BN_OF_SHORTCUT),
)
# ResNets of torchvision in the files of detectron2.
DETECTRON2_BACKBONE = NameMap(
    name="detectron2 backbone",
    words=_D2_WORDS,
    rows=(*_D2_ROWS, ("stem.fc.{value}", "pred.{value}")),
    skipped=(words.COUNTER,),
)
DETECTRON2 = NameMap(
    name="detectron2 model",
    words={**_D2_WORDS, "fc": _FC_FROM_1},
    rows=(
        *((_BOTTOM_UP + theirs, ours) for theirs, ours in _D2_ROWS),
        ("backbone.fpn_lateral{stage}.{value}", "fpn_inner_{stage}.{value}"),
        ("backbone.fpn_output{stage}.{value}", "fpn_output_{stage}.{value}"),
        (_RPN + "conv.{value}", "rpn_conv.{value}"),
        (_RPN + "objectness_logits.{value}", "rpn_objectness.{value}"),
        (_RPN + "anchor_deltas.{value}", "rpn_deltas.{value}"),
        (_HEADS + "box_head.fc{fc}.{value}", "box_fc{fc}.{value}"),
        (_HEADS + "box_predictor.cls_score.{value}", "box_class.{value}"),
        (_HEADS + "box_predictor.bbox_pred.{value}", "box_deltas.{value}"),
        (
            _HEADS + "mask_head.mask_fcn{number}.{value}",
            "mask_conv{number}.{value}",
        ),
        (_HEADS + "mask_head.deconv.{value}", "mask_deconv.{value}"),
        (_HEADS + "mask_head.predictor.{value}", "mask_logits.{value}"),
        (
            _HEADS + "keypoint_head.conv_fcn{number}.{value}",
            "keypoint_conv{number}.{value}",
        ),
        (
            _HEADS + "keypoint_head.score_lowres.{value}",
            "keypoint_deconv.{value}",
        ),
    ),
    skipped=(
        (r"pixel_(mean|std)", _IN_MODEL),
        (
            r"proposal_generator\.anchor_generator\.cell_anchors\.\d",
            _IN_MODEL,
        ),
        words.COUNTER,
    ),
)

# Caffe2: normalizations are a scale and an offset alone.
DETECTRON = NameMap(
    name="Detectron blobs",
    words={
        "stage": words.FROM_2,
        "conv": {"2a": "2a", "2b": "2b", "2c": "2c"},
        "bn": {"s": "gamma", "b": "beta"},
        "value": {"w": "kernel", "b": "bias"},
        "fc": {"6": "6", "7": "7"},
        # The last residual block of the stage.
        "last": _ANY,
    },
    rows=(
        ("conv1_w", "conv1.kernel"),
        ("res_conv1_bn_{bn}", "conv1_bn.{bn}"),
        ("res{stage}_{block}_branch{conv}_w", words.CONV_OF_BLOCK),
        ("res{stage}_{block}_branch{conv}_bn_{bn}", words.BN_OF_BLOCK),
        ("res{stage}_{block}_branch1_w", words.SHORTCUT),
        ("res{stage}_{block}_branch1_bn_{bn}", words.BN_OF_SHORTCUT),
        # The coarsest level has nothing beside it.
        (
            "fpn_inner_res{stage}_{last}_sum_{value}",
            "fpn_inner_{stage}.{value}",
        ),
        (
            "fpn_inner_res{stage}_{last}_sum_lateral_{value}",
            "fpn_inner_{stage}.{value}",
        ),
        ("fpn_res{stage}_{last}_sum_{value}", "fpn_output_{stage}.{value}"),
        # One head for all levels, named by the finest.
        ("conv_rpn_fpn2_{value}", "rpn_conv.{value}"),
        ("rpn_cls_logits_fpn2_{value}", "rpn_objectness.{value}"),
        ("rpn_bbox_pred_fpn2_{value}", "rpn_deltas.{value}"),
        ("fc{fc}_{value}", "box_fc{fc}.{value}"),
        ("cls_score_{value}", "box_class.{value}"),
        ("bbox_pred_{value}", "box_deltas.{value}"),
        ("_[mask]_fcn{number}_{value}", "mask_conv{number}.{value}"),
        ("conv5_mask_{value}", "mask_deconv.{value}"),
        ("mask_fcn_logits_{value}", "mask_logits.{value}"),
        ("conv_fcn{number}_{value}", "keypoint_conv{number}.{value}"),
        ("kps_score_lowres_{value}", "keypoint_deconv.{value}"),
    ),
    skipped=(
        (r"kps_score_[wb]", "a fixed interpolation"),
        (r".*_momentum", "the momentum of the optimizer"),
        (r"(conv1_b|fc1000_[wb]|pred_[wb])", "of no use in the detector"),
        (r"lr|weight_order", "a setting of the training"),
        (r"model_iter", "a counter of training steps"),
    ),
)

_MM_BLOCK = "backbone.layer{stage}.{block}."
_MM_CONTEXT = _MM_BLOCK + "context_block."
_CONTEXT = "global_context_res{stage}_{block}."
_MM_WORDS = {
    "stage": words.FROM_1,
    "level": words.FROM_0,
    "conv": words.CONV,
    "bn": words.TORCH_BN,
    "value": words.VALUE,
    "fc": _FC,
    "mask": _NEXT,
    "fusion": {"channel_add_conv": "add", "channel_mul_conv": "multiply"},
    "part": {"0": "reduce", "3": "expand"},
    "norm": {"weight": "gamma", "bias": "beta"},
}


def _mmdetection(name, heads):
    """Returns the map of mmdetection for what stands before its heads."""
    return NameMap(
        name=name,
        words=_MM_WORDS,
        rows=(
            ("backbone.conv1.weight", "conv1.kernel"),
            ("backbone.bn1.{bn}", "conv1_bn.{bn}"),
            (_MM_BLOCK + "conv{conv}.weight", words.CONV_OF_BLOCK),
            (_MM_BLOCK + "bn{conv}.{bn}", words.BN_OF_BLOCK),
            (_MM_BLOCK + "downsample.0.weight", words.SHORTCUT),
            (_MM_BLOCK + "downsample.1.{bn}", words.BN_OF_SHORTCUT),
            (_MM_CONTEXT + "conv_mask.{value}", _CONTEXT + "attention.{value}"),
            (
                _MM_CONTEXT + "{fusion}.{part}.{value}",
                _CONTEXT + "{fusion}_{part}.{value}",
            ),
            (
                _MM_CONTEXT + "{fusion}.1.{norm}",
                _CONTEXT + "{fusion}_norm.{norm}",
            ),
            (
                "neck.lateral_convs.{level}.conv.{value}",
                "fpn_inner_{level}.{value}",
            ),
            (
                "neck.fpn_convs.{level}.conv.{value}",
                "fpn_output_{level}.{value}",
            ),
            ("rpn_head.rpn_conv.{value}", "rpn_conv.{value}"),
            ("rpn_head.rpn_cls.{value}", "rpn_objectness.{value}"),
            ("rpn_head.rpn_reg.{value}", "rpn_deltas.{value}"),
            (heads + "bbox_head.shared_fcs.{fc}.{value}", "box_fc{fc}.{value}"),
            (heads + "bbox_head.fc_cls.{value}", "box_class.{value}"),
            (heads + "bbox_head.fc_reg.{value}", "box_deltas.{value}"),
            (
                heads + "mask_head.convs.{mask}.conv.{value}",
                "mask_conv{mask}.{value}",
            ),
            (heads + "mask_head.upsample.{value}", "mask_deconv.{value}"),
            (heads + "mask_head.conv_logits.{value}", "mask_logits.{value}"),
        ),
        skipped=(words.COUNTER,),
    )


MMDETECTION = _mmdetection("mmdetection state_dict", "roi_head.")
MMDETECTION_1 = _mmdetection("mmdetection 1 state_dict", "")

# source -> its name maps. The files of a source follow one of them.
SOURCES = {
    "torchvision": (TORCHVISION,),
    "detectron2": (DETECTRON2,),
    "mmdetection": (MMDETECTION, MMDETECTION_1),
    "detectron": (DETECTRON,),
}
