#!/bin/sh
# Makes random full-width detectors with the other projects, converts them and
# compares what both find in photos.
#
#     benchmarks/parity/detectors/run.sh PYTHON [FOLDER [PHOTOS]]
#
# PYTHON is one that has nonlocal_keras, PHOTOS a folder of images in place of
# those of scikit-image. PEERS_PYTHON names the interpreter of the other
# projects, DETECTRON2 a checkout of detectron2, without which it is left out.
set -eu
python=$1
folder=${2:-build/parity}
here=$(dirname "$0")

"$here/../environment.sh" "$folder" torch "${PEERS_PYTHON:-python3.11}"
"$folder/torch/bin/python" -W ignore "$here/make.py" "$folder/detectors" \
    ${3:+--images "$3"}
"$python" -W ignore "$here/check.py" "$folder/detectors"
