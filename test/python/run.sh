#!/usr/bin/env bash
# run.sh SCRIPT.py ARGUMENTS: runs a script of this folder in a Python with the real transformers and PEFT, which is made
# on first use. On Linux that takes about 6 GB, because the torch of PyPI brings CUDA along; pip heeds its own variables,
# should you have a source of the CPU build. ESPALIER_CACHE moves the place; ESPALIER_PYTHON names a Python that has all
# this already.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
venv="${ESPALIER_CACHE:-$HOME/.cache/espalier}/transformers-venv"

if [ -z "${ESPALIER_PYTHON:-}" ]; then
  ESPALIER_PYTHON="$venv/bin/python"
  # The stamp is written last, so a broken install is completed.
  if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
    python3 -m venv "$venv" >&2
    "$venv/bin/pip" install --quiet --requirement "$here/requirements.txt" >&2
    cp "$here/requirements.txt" "$venv/requirements.txt"
  fi
fi
exec "$ESPALIER_PYTHON" "$here/$1" "${@:2}"
