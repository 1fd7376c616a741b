#!/bin/sh
# Makes the environment of the other projects for `benchmarks`.
#
#     benchmarks/peers.sh FOLDER
#
# PEERS_PYTHON names its interpreter, a Python 3.11.
set -eu
folder=$1
here=$(dirname "$0")
[ -e "$folder/.done" ] && exit
"${PEERS_PYTHON:-python3.11}" -m venv "$folder"
"$folder/bin/pip" install --quiet -r "$here/requirements-peers.txt"
# Of its requirements none is used here.
"$folder/bin/pip" install --quiet --no-deps gluoncv==0.10.5.post0
touch "$folder/.done"
