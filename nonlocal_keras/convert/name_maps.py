"""Name maps: which tensor of a published file is which weight of the model.

One map per way of naming, one row per family of tensors. A row gives the
name in the file and the weight `layer.attribute` it becomes; a tensor whose
row comes second for the same weight is a duplicate. Braces hold the parts
that vary, and the words of the map translate their spelling:

| part         | what varies                                            |
|--------------|--------------------------------------------------------|
| `{stage}`    | the stage, 2 to 5 in the model                         |
| `{block}`    | the index of the residual block, the same everywhere   |
| `{conv}`     | the convolution of a block: 2a, 2b, 2c                 |
| `{bn}`       | a vector of a batch normalization                      |
| `{map}`      | a projection of a non-local block                      |
| `{value}`    | kernel or bias                                         |

Parts of other names occur in one map only.
"""

import re

from nonlocal_keras.convert import detector_name_maps as detectors
from nonlocal_keras.convert import name_words as words
from nonlocal_keras.convert.name_map import NameMap

_MAP = "nonlocal_res{stage}_{block}.{map}.{value}"
_W_Z = "nonlocal_res{stage}_{block}.w_z.{value}"
_POOLED_MAP = "nonlocal_res{stage}_{block}.{pooled}.{value}"
_BN_OF_MAP = "nonlocal_res{stage}_{block}.norm.{bn}"

# Networks with temporal shifts have a wrapper around the first convolution of
# every residual block, and one around the residual block that a non-local
# block follows. Errors spell names without the second one.
_SHIFTED_CONV = "res{stage}_{block}_branch2a.kernel"
_UNSHIFTED_CONV = "res{stage}_{block}_branch{unshifted}.kernel"
_SHIFT_WORDS = {
    "wrapper": {"": "", "block.": ""},
    "unshifted": {"2": "2b", "3": "2c"},
}

# The authors' release, LFB and the .pkl files of PySlowFast. ImageNet files
# have the same names and kernels without an axis of time.
CAFFE2 = NameMap(
    name="Caffe2 blobs",
    words={
        "stage": words.FROM_2,
        "conv": {"2a": "2a", "2b": "2b", "2c": "2c"},
        "bn": words.CAFFE2_BN,
        "map": {"theta": "theta", "phi": "phi", "g": "g", "out": "w_z"},
        "value": {"w": "kernel", "b": "bias"},
    },
    rows=(
        ("conv1_w", "conv1.kernel"),
        ("res_conv1_bn_{bn}", "conv1_bn.{bn}"),
        ("res{stage}_{block}_branch{conv}_w", words.CONV_OF_BLOCK),
        ("res{stage}_{block}_branch{conv}_bn_{bn}", words.BN_OF_BLOCK),
        ("res{stage}_{block}_branch1_w", words.SHORTCUT),
        ("res{stage}_{block}_branch1_bn_{bn}", words.BN_OF_SHORTCUT),
        ("nonlocal_conv{stage}_{block}_{map}_{value}", _MAP),
        ("nonlocal_conv{stage}_{block}_bn_{bn}", _BN_OF_MAP),
        ("pred_{value}", "pred.{value}"),
    ),
    skipped=(
        (r".*_momentum", "the momentum of the optimizer"),
        (r"lr", "the learning rate"),
        (r"model_iter", "a counter of training steps"),
    ),
)

PYSLOWFAST = NameMap(
    name="PySlowFast model_state",
    words={
        "stage": words.FROM_2,
        "conv": {"a": "2a", "b": "2b", "c": "2c"},
        "bn": words.TORCH_BN,
        "map": {"theta": "theta", "phi": "phi", "g": "g", "out": "w_z"},
        "value": words.VALUE,
    },
    rows=(
        ("s1.pathway0_stem.conv.weight", "conv1.kernel"),
        ("s1.pathway0_stem.bn.{bn}", "conv1_bn.{bn}"),
        (
            "s{stage}.pathway0_res{block}.branch2.{conv}.weight",
            words.CONV_OF_BLOCK,
        ),
        (
            "s{stage}.pathway0_res{block}.branch2.{conv}_bn.{bn}",
            words.BN_OF_BLOCK,
        ),
        ("s{stage}.pathway0_res{block}.branch1.weight", words.SHORTCUT),
        ("s{stage}.pathway0_res{block}.branch1_bn.{bn}", words.BN_OF_SHORTCUT),
        ("s{stage}.pathway0_nonlocal{block}.conv_{map}.{value}", _MAP),
        ("s{stage}.pathway0_nonlocal{block}.bn.{bn}", _BN_OF_MAP),
        ("head.projection.{value}", "pred.{value}"),
    ),
    skipped=(words.COUNTER,),
)

_PYTORCHVIDEO_ROWS = (
    ("blocks.0.conv.weight", "conv1.kernel"),
    ("blocks.0.norm.{bn}", "conv1_bn.{bn}"),
    (
        "blocks.{stage}.res_blocks.{block}.branch2.conv_{conv}.weight",
        words.CONV_OF_BLOCK,
    ),
    (
        "blocks.{stage}.res_blocks.{block}.branch2.norm_{conv}.{bn}",
        words.BN_OF_BLOCK,
    ),
    ("blocks.{stage}.res_blocks.{block}.branch1_conv.weight", words.SHORTCUT),
    (
        "blocks.{stage}.res_blocks.{block}.branch1_norm.{bn}",
        words.BN_OF_SHORTCUT,
    ),
    ("blocks.{head}.proj.{value}", "pred.{value}"),
)
_PYTORCHVIDEO_WORDS = {
    "conv": {"a": "2a", "b": "2b", "c": "2c"},
    "bn": words.TORCH_BN,
    "value": words.VALUE,
}
# The pooling between res2 and res3 counts as a block.
PYTORCHVIDEO = NameMap(
    name="pytorchvideo blocks with pool2",
    words={
        **_PYTORCHVIDEO_WORDS,
        "stage": {"1": "2", "3": "3", "4": "4", "5": "5"},
        "head": {"6": "pred"},
    },
    rows=_PYTORCHVIDEO_ROWS,
    skipped=(words.COUNTER,),
)
PYTORCHVIDEO_NO_POOL2 = NameMap(
    name="pytorchvideo blocks without pool2",
    words={**_PYTORCHVIDEO_WORDS, "stage": words.FROM_1, "head": {"5": "pred"}},
    rows=_PYTORCHVIDEO_ROWS,
    skipped=(words.COUNTER,),
)

_MMACTION2_WORDS = {
    "stage": words.FROM_1,
    "conv": words.CONV,
    "bn": words.TORCH_BN,
    "map": {"theta": "theta", "phi": "phi", "g": "g"},
    "pooled": {"phi": "phi", "g": "g"},
    "value": words.VALUE,
}
_MMACTION2_LAYER = "backbone.layer{stage}.{block}."
_MMACTION2_WRAPPED = _MMACTION2_LAYER + "{wrapper}"
_MMACTION2_BLOCK = _MMACTION2_LAYER + "non_local_block."
_MMACTION2_ROWS = (
    ("backbone.conv1.conv.weight", "conv1.kernel"),
    ("backbone.conv1.bn.{bn}", "conv1_bn.{bn}"),
    (_MMACTION2_BLOCK + "{map}.conv.{value}", _MAP),
    # With sub-sampling these are pairs of projection and pooling.
    (_MMACTION2_BLOCK + "{pooled}.0.conv.{value}", _POOLED_MAP),
    (_MMACTION2_BLOCK + "conv_out.conv.{value}", _W_Z),
    (_MMACTION2_BLOCK + "conv_out.bn.{bn}", _BN_OF_MAP),
    (
        _MMACTION2_BLOCK + "concat_project.conv.weight",
        "nonlocal_res{stage}_{block}.w_f",
    ),
    ("cls_head.fc_cls.{value}", "pred.{value}"),
)
MMACTION2 = NameMap(
    name="mmaction2 state_dict",
    words=_MMACTION2_WORDS,
    rows=(
        *_MMACTION2_ROWS,
        (_MMACTION2_LAYER + "conv{conv}.conv.weight", words.CONV_OF_BLOCK),
        (_MMACTION2_LAYER + "conv{conv}.bn.{bn}", words.BN_OF_BLOCK),
        (_MMACTION2_LAYER + "downsample.conv.weight", words.SHORTCUT),
        (_MMACTION2_LAYER + "downsample.bn.{bn}", words.BN_OF_SHORTCUT),
    ),
    skipped=(words.COUNTER,),
)
MMACTION2_TSM = NameMap(
    name="mmaction2 state_dict with temporal shifts",
    words={**_MMACTION2_WORDS, **_SHIFT_WORDS},
    rows=(
        *_MMACTION2_ROWS,
        (_MMACTION2_WRAPPED + "conv1.conv.net.weight", _SHIFTED_CONV),
        (_MMACTION2_WRAPPED + "conv{unshifted}.conv.weight", _UNSHIFTED_CONV),
        (_MMACTION2_WRAPPED + "conv{conv}.bn.{bn}", words.BN_OF_BLOCK),
        (_MMACTION2_WRAPPED + "downsample.conv.weight", words.SHORTCUT),
        (_MMACTION2_WRAPPED + "downsample.bn.{bn}", words.BN_OF_SHORTCUT),
    ),
    skipped=(words.COUNTER,),
    shifted=True,
)

# The authors of the shift, around the ResNets of torchvision.
_TSM_LAYER = "base_model.layer{stage}.{block}."
_TSM_WRAPPED = _TSM_LAYER + "{wrapper}"
TSM = NameMap(
    name="TSM state_dict",
    words={**_MMACTION2_WORDS, **_SHIFT_WORDS},
    rows=(
        ("base_model.conv1.weight", "conv1.kernel"),
        ("base_model.bn1.{bn}", "conv1_bn.{bn}"),
        (_TSM_WRAPPED + "conv1.net.weight", _SHIFTED_CONV),
        (_TSM_WRAPPED + "conv{unshifted}.weight", _UNSHIFTED_CONV),
        (_TSM_WRAPPED + "bn{conv}.{bn}", words.BN_OF_BLOCK),
        (_TSM_WRAPPED + "downsample.0.weight", words.SHORTCUT),
        (_TSM_WRAPPED + "downsample.1.{bn}", words.BN_OF_SHORTCUT),
        (_TSM_LAYER + "nl.{map}.{value}", _MAP),
        (_TSM_LAYER + "nl.{pooled}.0.{value}", _POOLED_MAP),
        (_TSM_LAYER + "nl.W.0.{value}", _W_Z),
        (_TSM_LAYER + "nl.W.1.{bn}", _BN_OF_MAP),
        ("new_fc.{value}", "pred.{value}"),
    ),
    skipped=(words.COUNTER,),
    shifted=True,
)

_GLUONCV_WORDS = {
    "stage": words.FROM_0,
    "conv": words.CONV,
    # Places in the sequence of layers that MXNet files repeat.
    "conv_at": {"0": "2a", "3": "2b", "6": "2c"},
    "bn_at": {"1": "2a", "4": "2b", "7": "2c"},
    "map": {"theta": "theta", "phi": "phi", "g": "g", "W": "w_z"},
    "value": words.VALUE,
}
_GLUONCV_LAYER = "res_layers.{stage}.{block}."
_GLUONCV_BLOCK = _GLUONCV_LAYER + "nonlocal_block."
_GLUONCV_REPEATED = _GLUONCV_LAYER + "bottleneck."
_GLUONCV_ROWS = (
    ("first_stage.0.weight", "conv1.kernel"),
    ("first_stage.1.{bn}", "conv1_bn.{bn}"),
    (_GLUONCV_LAYER + "conv{conv}.weight", words.CONV_OF_BLOCK),
    (_GLUONCV_LAYER + "bn{conv}.{bn}", words.BN_OF_BLOCK),
    (_GLUONCV_LAYER + "downsample.0.weight", words.SHORTCUT),
    (_GLUONCV_LAYER + "downsample.1.{bn}", words.BN_OF_SHORTCUT),
    (_GLUONCV_BLOCK + "{map}.{value}", _MAP),
    (_GLUONCV_BLOCK + "bn.{bn}", _BN_OF_MAP),
    ("fc.{value}", "pred.{value}"),
    # The same tensors under the names of containers.
    (_GLUONCV_BLOCK + "W_bn.0.{value}", _W_Z),
    (_GLUONCV_BLOCK + "W_bn.1.{bn}", _BN_OF_MAP),
    (
        _GLUONCV_REPEATED + "{conv_at}.weight",
        "res{stage}_{block}_branch{conv_at}.kernel",
    ),
    (
        _GLUONCV_REPEATED + "{bn_at}.{bn}",
        "res{stage}_{block}_branch{bn_at}_bn.{bn}",
    ),
    (_GLUONCV_REPEATED + "8.{map}.{value}", _MAP),
    (_GLUONCV_REPEATED + "8.bn.{bn}", _BN_OF_MAP),
    (_GLUONCV_REPEATED + "8.W_bn.0.{value}", _W_Z),
    (_GLUONCV_REPEATED + "8.W_bn.1.{bn}", _BN_OF_MAP),
    ("head.1.{value}", "pred.{value}"),
)
GLUONCV_TORCH = NameMap(
    name="GluonCV state_dict of PyTorch",
    words={**_GLUONCV_WORDS, "bn": words.TORCH_BN},
    rows=_GLUONCV_ROWS,
    skipped=(words.COUNTER,),
)
GLUONCV_MXNET = NameMap(
    name="GluonCV parameters of MXNet",
    words={**_GLUONCV_WORDS, "bn": words.MXNET_BN},
    rows=_GLUONCV_ROWS,
)

TORCHVISION = NameMap(
    name="torchvision state_dict",
    words={
        "stage": words.FROM_1,
        "conv": words.CONV,
        "bn": words.TORCH_BN,
        "value": words.VALUE,
    },
    rows=(
        ("conv1.weight", "conv1.kernel"),
        ("bn1.{bn}", "conv1_bn.{bn}"),
        ("layer{stage}.{block}.conv{conv}.weight", words.CONV_OF_BLOCK),
        ("layer{stage}.{block}.bn{conv}.{bn}", words.BN_OF_BLOCK),
        ("layer{stage}.{block}.downsample.0.weight", words.SHORTCUT),
        ("layer{stage}.{block}.downsample.1.{bn}", words.BN_OF_SHORTCUT),
        ("fc.{value}", "pred.{value}"),
    ),
    skipped=(words.COUNTER,),
)

# Residual blocks count from 1; convolutions have biases, which
# `files/keras_files.py` has taken into the means of the normalizations.
KERAS_APPLICATIONS = NameMap(
    name="keras.applications ResNet",
    words={
        "stage": words.FROM_2,
        "block": {str(number + 1): str(number) for number in range(64)},
        "conv": words.CONV,
        "bn": {word: word for word in words.CAFFE2_BN.values()},
        "value": {"kernel": "kernel", "bias": "bias"},
    },
    rows=(
        ("conv1_conv/kernel", "conv1.kernel"),
        ("conv1_bn/{bn}", "conv1_bn.{bn}"),
        ("conv{stage}_block{block}_{conv}_conv/kernel", words.CONV_OF_BLOCK),
        ("conv{stage}_block{block}_{conv}_bn/{bn}", words.BN_OF_BLOCK),
        ("conv{stage}_block{block}_0_conv/kernel", words.SHORTCUT),
        ("conv{stage}_block{block}_0_bn/{bn}", words.BN_OF_SHORTCUT),
        ("predictions/{value}", "pred.{value}"),
    ),
)

# source -> its name maps. The files of a source follow one of them.
SOURCES = {
    "vnl": (CAFFE2,),
    "lfb": (CAFFE2,),
    "pyslowfast": (PYSLOWFAST, CAFFE2),
    "pytorchvideo": (PYTORCHVIDEO, PYTORCHVIDEO_NO_POOL2),
    "mmaction2": (MMACTION2, MMACTION2_TSM),
    "gluoncv": (GLUONCV_TORCH, GLUONCV_MXNET),
    "tsm": (TSM,),
    "imagenet": (TORCHVISION, KERAS_APPLICATIONS, CAFFE2, PYSLOWFAST),
    **detectors.SOURCES,
}
# Those whose files are of detectors.
DETECTORS = tuple(detectors.SOURCES)

# Names of networks that look alike and are not residual networks of clips.
_OTHERS = (
    (r"(s\d\.pathway1_|s\d_fuse\.|t_conv1|t_res).*", "SlowFast, two pathways"),
    (r"blocks\.\d\.multipathway_.*", "SlowFast, two pathways"),
    (r"(lfb|fbo).*", "LFB with a feature bank"),
    (r"backbone\.body\.\d+\..*", "a detector on a MobileNet"),
    (r".*_offset\.(weight|bias)", "a network of deformable convolutions"),
)
# In a map of shifted convolutions: one without its wrapper.
_NOT_SHIFTED = (
    r".*\.layer\d\.\d+\.(block\.)?conv1(\.conv)?\.weight",
    "TSN, which has no shift, or the ResNet-101 of TSM, which has one in every "
    "second block",
)


def find_other_network(names, name_map):
    """Returns the network that left-over names of a file are of, or `None`."""
    others = (*_OTHERS, _NOT_SHIFTED) if name_map.shifted else _OTHERS
    for pattern, network in others:
        if any(re.fullmatch(pattern, name) for name in names):
            return network
    return None
