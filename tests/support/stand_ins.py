"""What stands for the models that pages and docstrings name.

It is smaller than what it stands for, and needs no network.
"""

import shutil

import zoo
from tests.support import zoo_files
from tests.support.paths import GOLDEN
from zoo import artifacts
from zoo import checksums

MODEL = "nl_i3d_r101_kinetics"
GLUONCV = "i3d_nl5_resnet101_v1_kinetics400.params"
VNL = "i3d_nonlocal_32x2_IN_pretrain_400k.pkl"


def write_zoo(root, **changes):
    """Puts a small model into a zoo, under the name that examples load.

    Args:
        root: `pathlib.Path` of the user's zoo.
        **changes: Fields of the record of the small model.
    """
    name = zoo.info(MODEL).name
    url = f"https://example.org/{GLUONCV}"
    zoo_files.write(root, zoo_files.record(url, name=name, **changes))
    file = root / "downloads" / name / GLUONCV
    file.parent.mkdir(parents=True)
    file.write_bytes(zoo_files.file_bytes())
    with zoo_files.twin_alone():
        folder = zoo.download(name, cache_dir=root, offline=True)
    # No example serves it.
    (folder / artifacts.SAVED_MODEL).touch()
    checksums.write_sums(folder)


def write_checkpoints(folder):
    """Puts small checkpoints into a folder, under the names of large ones."""
    shutil.copy(GOLDEN / "vnl_i3d_nonlocal_8x8_r50_width8.pkl", folder / VNL)
    (folder / GLUONCV).write_bytes(zoo_files.file_bytes())
