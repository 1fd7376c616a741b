#!/bin/sh
# Makes an environment of other projects, unless it is there already.
#
#     benchmarks/parity/environment.sh FOLDER NAME INTERPRETER
#
# FOLDER/NAME gets what `requirements-NAME.txt` and `peers-NAME.txt` list.
set -eu
folder=$1/$2
here=$(dirname "$0")
[ "$folder/.done" -nt "$here/requirements-$2.txt" ] &&
    [ "$folder/.done" -nt "$here/peers-$2.txt" ] && exit
"$3" -m venv "$folder"
"$folder/bin/pip" install --quiet -r "$here/requirements-$2.txt"
"$folder/bin/pip" install --quiet --no-deps -r "$here/peers-$2.txt"
touch "$folder/.done"
