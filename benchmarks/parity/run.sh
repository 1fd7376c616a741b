#!/bin/sh
# Makes random full-width video models with the other projects, each in an
# environment of its own, converts them and compares logits.
#
#     benchmarks/parity/run.sh PYTHON [FOLDER]
#
# PYTHON is one that has nonlocal_keras. PEERS_PYTHON and MXNET_PYTHON name
# the interpreters of the two environments, of which MXNet needs a 3.8.
set -eu
python=$1
folder=${2:-build/parity}
here=$(dirname "$0")
mkdir -p "$folder/pairs"

"$here/environment.sh" "$folder" torch "${PEERS_PYTHON:-python3.11}"
"$folder/torch/bin/python" -W ignore "$here/make_torch.py" "$folder/pairs"
if command -v "${MXNET_PYTHON:-python3.8}" >/dev/null; then
    "$here/environment.sh" "$folder" mxnet "${MXNET_PYTHON:-python3.8}"
    "$folder/mxnet/bin/python" -W ignore "$here/make_mxnet.py" "$folder/pairs"
else
    echo "no Python 3.8 for MXNet: its models are left out" >&2
fi
"$python" "$here/check.py" "$folder/pairs"
# The zoo loads one of them by its name, from a server on this machine.
[ ! -e "$folder/pairs/i3d_nl5_resnet101_v1_kinetics400.zip" ] ||
    "$python" "$here/zoo_load.py" "$folder/pairs"
