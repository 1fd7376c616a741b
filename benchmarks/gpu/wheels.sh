#!/bin/sh
# Downloads what `python -m benchmarks.gpu` needs beside PyTorch, JAX, NumPy,
# pytest, and their own requirements, for a machine without a package index.
#
#     benchmarks/gpu/wheels.sh FOLDER [VERSION_OF_PYTHON]
#
# Some MB; there, `pip install --no-index --no-deps FOLDER/*.whl`. PyTorch and
# JAX stay as they are. What else a machine lacks is named after the version.
set -eu
folder=$1
version=${2:-3.12}
[ $# -gt 2 ] && shift 2 || shift $#
mkdir -p "$folder"
platforms=
for glibc in 2_28 2_27 2_17; do
    platforms="$platforms --platform manylinux_${glibc}_x86_64"
done
# Keras; then mmcv and PySlowFast with what they import.
# shellcheck disable=SC2086
python3 -m pip download --quiet --no-deps --only-binary=:all: \
    --implementation cp --python-version "$version" \
    $platforms --platform manylinux2014_x86_64 --dest "$folder" \
    'keras>=3.15,<4' namex optree \
    mmcv-lite==2.1.0 addict mmengine platformdirs yapf \
    termcolor yacs "$@"
# They have no wheels of their own.
python3 -m pip wheel --quiet --no-deps --wheel-dir "$folder" \
    fvcore==0.1.5.post20221221 iopath==0.1.10
