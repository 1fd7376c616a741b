"""Kinds of published networks, and how a file of each is written.

The files are written with other code than the one that reads them, from
networks that are built from explicit arguments and not from the families.
"""

from nonlocal_keras import convert
from tests.support import checkpoint_names as names
from tests.support import checkpoint_writers as w

BATCH = {"epsilon": 1.0000001e-5}
AFFINE = {"normalization": "affine"}
NO_NORM = {"normalization": None}
# mmcv leaves the bias of W_z out, since a normalization follows.
MMCV = {"pool_size": (1, 2, 2), "output_bias": False}
DOT, EMBEDDED = {"pairwise": "dot_product"}, {"pairwise": "embedded_gaussian"}
FOUR_GROUPS = {**w.POOLED_FIRST, "res3": {"frame_groups": 4}}


def caffe2(**arguments):
    return lambda model: w.caffe2_file(
        w.tensors(model, names.Caffe2()), **arguments
    )


def torch(names, wrapper=None, flat=False, **extra):
    return lambda model: w.torch_file(
        w.tensors(model, names, flat), wrapper, **extra
    )


def gluoncv(mxnet):
    def write(model):
        tensors = w.tensors(model, names.GluonCV(mxnet))
        tensors = w.gluoncv_duplicates(tensors, mxnet)
        return w.mxnet_file(tensors) if mxnet else w.torch_file(tensors)

    return write


def case(write, source, overrides, geometry, **network):
    return write, source, overrides, {**geometry, **network}


CASES = {
    "vnl 8x8": case(
        caffe2(),
        "vnl",
        {},
        {**w.DENSE, **BATCH},
        **w.I3D,
        options=w.POOLED_FIRST,
    ),
    "vnl 8x8 c2d baseline": case(
        caffe2(), "vnl", {}, {**w.DENSE, **BATCH}, places=None
    ),
    "vnl 32x2": case(
        caffe2(),
        "vnl",
        {"family": "vnl_32x2"},
        {**w.STRIDED, **BATCH},
        frames=32,
        options=w.POOLED_FIRST,
    ),
    "vnl 32x2 by its frames": case(
        caffe2(),
        "vnl",
        {"frames": 32},
        {**w.STRIDED, **BATCH},
        frames=32,
        options=w.POOLED_FIRST,
        **w.I3D,
    ),
    "vnl 32x4, affine, groups of 4 frames": case(
        caffe2(bare=True, momenta=False),
        "vnl",
        {},
        {**w.DENSE, **AFFINE},
        frames=32,
        options={**FOUR_GROUPS, **NO_NORM},
        **w.I3D,
    ),
    "vnl affine, 16 frames, 2 groups": case(
        caffe2(),
        "vnl",
        {"frames": 16},
        {**w.DENSE, **AFFINE},
        frames=16,
        options={**w.POOLED_FIRST, **NO_NORM, "res3": {"frame_groups": 2}},
    ),
    "vnl affine, 8 frames, one group": case(
        caffe2(),
        "vnl",
        {"frames": 8},
        {**w.DENSE, **AFFINE},
        options={**w.POOLED_FIRST, **NO_NORM},
    ),
    "vnl affine, groups as asked for": case(
        caffe2(),
        "vnl",
        {"frames": 16, "frame_groups": 4},
        {**w.DENSE, **AFFINE},
        frames=16,
        options={**FOUR_GROUPS, **NO_NORM},
    ),
    "vnl dot product": case(
        caffe2(),
        "vnl",
        DOT,
        {**w.DENSE, **BATCH},
        options={**w.POOLED_FIRST, **DOT},
    ),
    "vnl 3x3x3": case(
        caffe2(),
        "vnl",
        {},
        {**w.DENSE, **BATCH},
        **w.I3D,
        inflate="3x3x3",
        options=w.POOLED_FIRST,
    ),
    "lfb pre-trained": case(
        caffe2(),
        "lfb",
        {},
        {**w.PADDED, **BATCH},
        **w.I3D,
        options=w.POOLED_FIRST,
    ),
    "lfb fine-tuned": case(
        caffe2(),
        "lfb",
        {},
        {**w.PADDED, **AFFINE},
        **w.I3D,
        frames=32,
        stage_strides=(1, 2, 2, 1),
        options={**FOUR_GROUPS, **AFFINE},
    ),
    "lfb fine-tuned on Charades, dilated": case(
        caffe2(),
        "lfb",
        {"stage_dilations": [1, 1, 1, 2]},
        {**w.PADDED, **AFFINE},
        **w.I3D,
        frames=32,
        stage_strides=(1, 2, 2, 1),
        stage_dilations=(1, 1, 1, 2),
        options={**FOUR_GROUPS, **AFFINE},
    ),
    "pyslowfast": case(
        torch(names.PySlowFast(), "model_state"),
        "pyslowfast",
        {},
        w.PADDED,
        **w.I3D,
        options=w.POOLED_FIRST,
    ),
    "pyslowfast dot product": case(
        torch(names.PySlowFast(), "model_state"),
        "pyslowfast",
        DOT,
        w.PADDED,
        options={**w.POOLED_FIRST, **DOT},
    ),
    "pyslowfast, as its configuration says": case(
        torch(
            names.PySlowFast(),
            "model_state",
            cfg="NONLOCAL:\n  INSTANTIATION: dot_product\n",
        ),
        "pyslowfast",
        {},
        w.PADDED,
        options={**w.POOLED_FIRST, **DOT},
    ),
    "pyslowfast, pooled in time, groups": case(
        torch(names.PySlowFast(), "model_state"),
        "pyslowfast",
        {"pool_size": (2, 2, 2), "frame_groups": {"res3": 2}},
        w.PADDED,
        options={
            "pool_first": True,
            "pool_size": (2, 2, 2),
            "res3": {"frame_groups": 2},
        },
    ),
    "pyslowfast caffe2": case(
        caffe2(), "pyslowfast", {}, w.PADDED, **w.I3D, options=w.POOLED_FIRST
    ),
    "pyslowfast slow": case(
        torch(names.PySlowFast(), "model_state"),
        "pyslowfast",
        {},
        w.NO_POOL2,
        temporal_kernels={"res4": (3,), "res5": (3,)},
        frames=4,
        options={**w.POOLED_FIRST, **DOT},
    ),
    "pyslowfast without pool2": case(
        caffe2(),
        "pyslowfast",
        {"family": "pyslowfast_nopool"},
        w.NO_POOL2,
        places=None,
    ),
    "pytorchvideo": case(
        torch(names.PyTorchVideo(), "model_state"),
        "pytorchvideo",
        {},
        w.PADDED,
        **w.I3D,
        places=None,
    ),
    "pytorchvideo in PySlowFast": case(
        torch(names.PyTorchVideo(prefix="model."), "model_state"),
        "pytorchvideo",
        {},
        w.PADDED,
        places=None,
    ),
    "pytorchvideo slow": case(
        torch(names.PyTorchVideo(pool2=False), "model_state"),
        "pytorchvideo",
        {},
        w.NO_POOL2,
        temporal_kernels={"res4": (3,), "res5": (3,)},
        places=None,
    ),
    "mmaction2 embedded gaussian": case(
        torch(names.MMAction2(), "state_dict"),
        "mmaction2",
        EMBEDDED,
        w.PADDED_STRIDED,
        **w.I3D,
        frames=16,
        options={**MMCV, "scale": 1.0},
    ),
    "mmaction2 dot product": case(
        torch(names.MMAction2(), "state_dict"),
        "mmaction2",
        DOT,
        w.PADDED_STRIDED,
        **w.I3D,
        frames=16,
        options={**MMCV, **DOT},
    ),
    "mmaction2 gaussian": case(
        torch(names.MMAction2(), "state_dict"),
        "mmaction2",
        {},
        w.PADDED_STRIDED,
        **w.I3D,
        frames=16,
        options={**MMCV, "scale": 1.0, "pairwise": "gaussian"},
    ),
    "mmaction2 concatenation": case(
        torch(names.MMAction2(), "state_dict"),
        "mmaction2",
        {},
        w.PADDED_STRIDED,
        **w.I3D,
        frames=16,
        options={**MMCV, "pairwise": "concatenation"},
    ),
    "mmaction2 without sub-sampling": case(
        torch(names.MMAction2(pooled=False), "state_dict"),
        "mmaction2",
        {**EMBEDDED, "scale": None},
        w.PADDED_STRIDED,
        **w.I3D,
        frames=16,
        options={"output_bias": False},
    ),
    "mmaction2 heavy": case(
        torch(names.MMAction2(), "state_dict"),
        "mmaction2",
        {},
        w.PADDED,
        places=None,
        stem_kernel=(5, 7, 7),
        temporal_kernels={**w.KERNELS, "res3": (3, 3)},
    ),
    "mmaction2 slowonly": case(
        torch(names.MMAction2(), "state_dict"),
        "mmaction2",
        EMBEDDED,
        w.NO_POOL2,
        temporal_kernels={"res4": (3,), "res5": (3,)},
        places={"res3": (0,), "res4": (0,)},
        options=MMCV,
    ),
    "mmaction2 slowonly gaussian has no scale": case(
        torch(names.MMAction2(), "state_dict"),
        "mmaction2",
        {},
        w.NO_POOL2,
        temporal_kernels={"res4": (3,), "res5": (3,)},
        options={**MMCV, "pairwise": "gaussian", "scale": 1.0},
    ),
    "mmaction2 c2d": case(
        torch(names.MMAction2(), "state_dict", flat=True),
        "mmaction2",
        {},
        w.DENSE,
        places=None,
    ),
    "mmaction2 c2d without pooling": case(
        torch(names.MMAction2(), "state_dict", flat=True),
        "mmaction2",
        {"family": "mmaction2_c2d_nopool"},
        w.NO_POOL2,
        places=None,
    ),
    "mmaction2 tsm embedded gaussian": case(
        torch(names.MMAction2TSM(w.PLACES), "state_dict", flat=True),
        "mmaction2",
        EMBEDDED,
        w.SHIFTED,
        options={**MMCV, "scale": 1.0},
    ),
    "mmaction2 tsm dot product": case(
        torch(names.MMAction2TSM(w.PLACES), "state_dict", flat=True),
        "mmaction2",
        {**DOT, "family": "mmaction2_tsm"},
        w.SHIFTED,
        options={**MMCV, **DOT},
    ),
    "mmaction2 tsm gaussian": case(
        torch(names.MMAction2TSM(w.PLACES), "state_dict", flat=True),
        "mmaction2",
        {},
        w.SHIFTED,
        options={**MMCV, "scale": 1.0, "pairwise": "gaussian"},
    ),
    "mmaction2 tsm, another shift": case(
        torch(names.MMAction2TSM({}), "state_dict", flat=True),
        "mmaction2",
        {"shift_div": 4},
        {**w.SHIFTED, "shift_div": 4},
        places=None,
    ),
    "tsm": case(
        torch(names.TSM(w.PLACES), "state_dict", flat=True),
        "tsm",
        {},
        w.SHIFTED,
        options={"pool_size": (1, 2, 2), "scale": 1.0},
    ),
    "gluoncv mxnet": case(
        gluoncv(mxnet=True),
        "gluoncv",
        {},
        w.PADDED_STRIDED,
        **w.I3D,
        frames=16,
    ),
    "gluoncv torch": case(
        gluoncv(mxnet=False),
        "gluoncv",
        {},
        w.PADDED_STRIDED,
        **w.I3D,
        frames=16,
        places={"res3": (0, 1), "res4": (0,)},
    ),
    "narrow blocks": case(
        torch(names.PySlowFast(), "model_state"),
        "pyslowfast",
        {},
        w.PADDED,
        options={**w.POOLED_FIRST, "intermediate_dim": 3},
    ),
}


# Variations of others, for the long run of the tests.
VARIATIONS = (
    "vnl affine, 16 frames, 2 groups",
    "vnl 32x2",
    "lfb fine-tuned on Charades, dilated",
    "pyslowfast, as its configuration says",
    "pyslowfast slow",
    "mmaction2 gaussian",
    "mmaction2 without sub-sampling",
    "mmaction2 heavy",
    "mmaction2 tsm gaussian",
    "mmaction2 tsm, another shift",
    "vnl 8x8 c2d baseline",
    "vnl 32x2 by its frames",
    "vnl affine, 8 frames, one group",
    "vnl affine, groups as asked for",
    "vnl dot product",
    "lfb pre-trained",
    "pyslowfast dot product",
    "pyslowfast, pooled in time, groups",
    "pyslowfast without pool2",
    "pytorchvideo in PySlowFast",
    "pytorchvideo slow",
    "mmaction2 dot product",
    "mmaction2 slowonly gaussian has no scale",
    "mmaction2 c2d without pooling",
    "mmaction2 tsm dot product",
    "narrow blocks",
)


def round_trip(tmp_path, write, source, overrides, network):
    expected = w.network(**network)
    path = tmp_path / "checkpoint"
    path.write_bytes(write(expected))
    model, report = convert.convert(path, source, **overrides)
    return expected, model, report
