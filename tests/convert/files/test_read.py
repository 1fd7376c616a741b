"""Claims about the readers of published checkpoint files."""

import hashlib
import io
import pickle
import struct
import zipfile

import ml_dtypes
import numpy as np
import pytest

from nonlocal_keras.convert.files.read import read_tensors
from tests.support.checkpoint_bytes import FLOATS
from tests.support.checkpoint_bytes import GLUONCV
from tests.support.checkpoint_bytes import MMACTION
from tests.support.checkpoint_bytes import PYSLOWFAST
from tests.support.checkpoint_bytes import VNL
from tests.support.checkpoint_bytes import blobs
from tests.support.checkpoint_bytes import call
from tests.support.checkpoint_bytes import history_buffer
from tests.support.checkpoint_bytes import mapping
from tests.support.checkpoint_bytes import mxnet_array
from tests.support.checkpoint_bytes import mxnet_list
from tests.support.checkpoint_bytes import name
from tests.support.checkpoint_bytes import number
from tests.support.checkpoint_bytes import numpy_array
from tests.support.checkpoint_bytes import numpy_dtype
from tests.support.checkpoint_bytes import program
from tests.support.checkpoint_bytes import sequence
from tests.support.checkpoint_bytes import storage
from tests.support.checkpoint_bytes import text
from tests.support.checkpoint_bytes import torch_stream
from tests.support.checkpoint_bytes import torch_tensor
from tests.support.checkpoint_bytes import torch_zip

# Published files.


@pytest.mark.parametrize(
    ("path", "kind", "count", "first", "shape"),
    [
        (VNL, "caffe2", 580, "conv1_w", (8, 3, 5, 7, 7)),
        (MMACTION, "torch-zip", 380, "backbone.conv1.conv.weight", None),
        (GLUONCV, "mxnet", 689, "first_stage.0.weight", (8, 3, 5, 7, 7)),
        (PYSLOWFAST, "torch-zip", 385, "s1.pathway0_stem.conv.weight", None),
    ],
    ids=["vnl", "mmaction2", "gluoncv", "pyslowfast"],
)
def test_golden_file_gives_its_tensors(path, kind, count, first, shape):
    checkpoint = read_tensors(path)
    assert checkpoint.format == kind
    assert len(checkpoint.tensors) == count
    assert next(iter(checkpoint.tensors)) == first
    assert checkpoint.tensors[first].shape == (shape or (8, 3, 5, 7, 7))
    assert checkpoint.opaque == ()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert checkpoint.sha256 == digest
    for array in checkpoint.tensors.values():
        assert array.flags.aligned and not array.flags.writeable
        assert array.dtype.isnative and np.isfinite(array).all()


def test_vnl_file_agrees_with_the_unpickler_of_python():
    # The golden file is our own, so this one may be unpickled.
    expected = pickle.loads(VNL.read_bytes(), encoding="latin1")["blobs"]
    checkpoint = read_tensors(VNL, container="caffe2")
    scalars = {"model_iter": 400000, "lr": float(expected["lr"])}
    assert checkpoint.metadata == scalars
    assert set(expected) == {*checkpoint.tensors, *scalars}
    for key, array in checkpoint.tensors.items():
        np.testing.assert_array_equal(array, expected[key], strict=True)


@pytest.mark.parametrize("path", [MMACTION, PYSLOWFAST])
def test_torch_tensors_are_the_bytes_of_their_storages(path):
    tensors = read_tensors(path, container="torch").tensors
    with zipfile.ZipFile(path) as archive:
        for index, array in enumerate(tensors.values()):
            assert array.tobytes() == archive.read(f"{path.stem}/data/{index}")


def test_mxnet_tensors_are_the_bytes_of_the_file():
    tensors = read_tensors(GLUONCV, container="mxnet").tensors
    contents = GLUONCV.read_bytes()
    assert contents[88:].startswith(tensors["first_stage.0.weight"].tobytes())
    assert contents.find(tensors["fc.weight"].tobytes()) > 0
    assert tensors["fc.weight"].shape == (10, 256)


def test_the_former_name_of_the_container_works_and_warns():
    with pytest.warns(DeprecationWarning, match="called `container` now"):
        checkpoint = read_tensors(GLUONCV, source="mxnet")
    assert checkpoint.format == "mxnet"


def test_both_names_of_the_container_are_refused():
    with pytest.raises(ValueError, match="`source` is the old name"):
        read_tensors(GLUONCV, container="torch", source="mxnet")


def test_training_state_is_metadata_by_name():
    metadata = read_tensors(PYSLOWFAST).metadata
    assert metadata["epoch"] == 195
    assert metadata["cfg"].startswith("MODEL:")
    assert read_tensors(MMACTION).metadata["meta"]["epoch"] == 100


# Containers, one small file each.


def test_reads_python_2_pickle(read):
    scalar = call(
        name("numpy.core.multiarray", "scalar"),
        numpy_dtype("f8"),
        b"U\x08" + struct.pack("<d", 0.25),
    )
    file = blobs(w_w=numpy_array(), model_iter=number(7), lr=scalar)
    checkpoint = read(file)
    np.testing.assert_array_equal(checkpoint.tensors["w_w"], FLOATS)
    assert checkpoint.metadata == {"model_iter": 7, "lr": 0.25}


def test_reads_bare_blobs_without_the_wrapper(read):
    checkpoint = read(program(mapping(conv1_w=numpy_array())))
    assert list(checkpoint.tensors) == ["conv1_w"]


@pytest.mark.parametrize("protocol", range(6))
def test_reads_every_pickle_protocol(read, protocol):
    value = {"blobs": {"w": FLOATS, "b": FLOATS[0], "steps": [1, 2.5, None]}}
    checkpoint = read(pickle.dumps(value, protocol))
    np.testing.assert_array_equal(checkpoint.tensors["w"], FLOATS)
    np.testing.assert_array_equal(checkpoint.tensors["b"], FLOATS[0])
    assert checkpoint.metadata == {"steps": [1, 2.5, None]}


def test_reads_fortran_and_big_endian_arrays(read):
    swapped = numpy_array(FLOATS.astype(">f4"), numpy_dtype(order=">"))
    file = blobs(a=numpy_array(fortran=True), b=swapped)
    tensors = read(file).tensors
    np.testing.assert_array_equal(tensors["a"], FLOATS)
    np.testing.assert_array_equal(tensors["b"], FLOATS)
    assert tensors["b"].dtype.isnative


def test_reads_torch_stream_of_old_pytorch(read):
    file = torch_stream(mapping(state_dict=mapping(w=torch_tensor())))
    checkpoint = read(file, container="torch")
    assert checkpoint.format == "torch-stream"
    np.testing.assert_array_equal(checkpoint.tensors["w"], FLOATS)


@pytest.mark.parametrize("wrapper", ["model_state", "state_dict"])
def test_unwraps_torch_state(read, wrapper):
    inner = mapping(w=torch_tensor())
    outer = mapping(**{wrapper: inner, "epoch": number(3)})
    checkpoint = read(torch_zip(outer))
    assert list(checkpoint.tensors) == ["w"]
    assert checkpoint.metadata == {"epoch": 3}


def test_nested_tensors_get_dotted_names(read):
    checkpoint = read(torch_zip(mapping(net=mapping(w=torch_tensor()))))
    assert list(checkpoint.tensors) == ["net.w"]


def test_reads_strided_views_of_a_storage(read):
    turned = torch_tensor(size=(3, 2), stride=(1, 3))
    column = torch_tensor(offset=1, size=(2,), stride=(3,))
    tensors = read(torch_zip(mapping(t=turned, c=column))).tensors
    np.testing.assert_array_equal(tensors["t"], FLOATS.T)
    np.testing.assert_array_equal(tensors["c"], FLOATS[:, 1])


def test_half_stays_half_and_bfloat16_becomes_float32(read):
    half, brain = FLOATS.astype("<f2"), FLOATS.astype(ml_dtypes.bfloat16)
    body = mapping(
        half=torch_tensor(storage("0", 6, "HalfStorage")),
        brain=torch_tensor(storage("1", 6, "BFloat16Storage")),
    )
    file = torch_zip(body, {"0": half.tobytes(), "1": brain.tobytes()})
    tensors = read(file).tensors
    assert tensors["half"].dtype == np.float16
    assert tensors["brain"].dtype == np.float32
    np.testing.assert_array_equal(tensors["brain"], FLOATS)


def test_reads_big_endian_torch_archive(read):
    contents = {"0": FLOATS.astype(">f4").tobytes()}
    file = torch_zip(mapping(w=torch_tensor()), contents, byteorder="big")
    np.testing.assert_array_equal(read(file).tensors["w"], FLOATS)


def test_reads_parameters_and_untyped_storages(read):
    parameter = call(
        name("torch._utils", "_rebuild_parameter"),
        torch_tensor(),
        b"\x88",
        call(name("collections", "OrderedDict")),
    )
    untyped = call(
        name("torch._utils", "_rebuild_tensor_v3"),
        storage("1", 4, "UntypedStorage"),
        number(0),
        call(name("torch", "Size"), sequence(number(2))),
        sequence(number(1)),
        b"\x89N",
        name("torch", "uint16"),
    )
    contents = {"0": FLOATS.tobytes(), "1": b"\x01\x00\x02\x00"}
    tensors = read(torch_zip(mapping(p=parameter, u=untyped), contents)).tensors
    np.testing.assert_array_equal(tensors["p"], FLOATS)
    assert tensors["u"].tolist() == [1, 2]


@pytest.mark.parametrize("version", [None, 0xF993FAC8, 0xF993FAC9, 0xF993FACA])
def test_reads_every_version_of_mxnet_arrays(read, version):
    file = mxnet_list(["arg:w"], mxnet_array(version=version))
    np.testing.assert_array_equal(read(file).tensors["w"], FLOATS)


@pytest.mark.parametrize(
    ("flag", "dtype"),
    list(enumerate("f4 f8 f2 u1 i4 i1 i8 ? i2 u2 u4 u8".split())),
)
def test_reads_every_mxnet_number_type(read, flag, dtype):
    array = np.array([[0, 1]], dtype)
    tensors = read(mxnet_list(["w"], mxnet_array(array, flag=flag))).tensors
    np.testing.assert_array_equal(tensors["w"], array, strict=True)


def test_reads_mxnet_zip_with_one_file(read):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.params", mxnet_list(["w"], mxnet_array()))
        archive.writestr("../../evil.txt", "never unpacked")
    checkpoint = read(file.getvalue())
    assert checkpoint.format == "mxnet-zip"
    assert checkpoint.metadata == {"zip_members": ["../../evil.txt"]}
    np.testing.assert_array_equal(checkpoint.tensors["w"], FLOATS)


def test_sparse_mxnet_array_is_named(refused):
    file = mxnet_list(["w"], mxnet_array(storage_type=1))
    assert "row-sparse" in refused(file)


# Objects of other libraries.
def test_unknown_classes_of_torch_files_are_listed_and_not_read(read):
    hub = mapping(message_hub=mapping(log=history_buffer()), seed=number(1))
    lists = name("collections", "defaultdict") + name("__builtin__", "list")
    defaults = lists + b"\x85R(" + text("a") + b"K\x01u"
    body = mapping(
        state_dict=mapping(w=torch_tensor()),
        meta=hub,
        optimizer=defaults,
        names=numpy_array(dtype=call(name("numpy", "dtype"), text("O8"))),
    )
    checkpoint = read(torch_zip(body))
    np.testing.assert_array_equal(checkpoint.tensors["w"], FLOATS)
    assert checkpoint.opaque == (
        "mmengine.logging.history_buffer.HistoryBuffer",
        "collections.defaultdict",
        "__builtin__.list",
        "numpy.dtype 'O8'",
    )
    assert checkpoint.metadata["optimizer"] == "<collections.defaultdict>"
    assert checkpoint.metadata["meta"]["seed"] == 1


def test_placeholder_is_never_a_tensor(read, refused):
    fake = call(name("evil", "tensor"), torch_tensor())
    body = mapping(state_dict=mapping(w=torch_tensor(), fake=fake))
    checkpoint = read(torch_zip(body))
    assert list(checkpoint.tensors) == ["w"]
    assert checkpoint.metadata == {"fake": "<evil.tensor>"}
    assert "evil.tensor" in refused(torch_zip(fake))


def test_attributes_of_a_state_dict_are_kept_as_metadata(read):
    state = call(name("collections", "OrderedDict"))
    state += b"(" + text("w") + torch_tensor() + b"u"
    state += mapping(_metadata=mapping(version=number(1))) + b"b"
    metadata = read(torch_zip(state)).metadata
    expected = {"state_dict_attributes": {"_metadata": {"version": 1}}}
    assert metadata == expected
