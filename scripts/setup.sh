#!/bin/sh
# Find out whether this Python will do, in words an old Python cannot garble, then hand over to scripts/install.py.
# Usage: sh scripts/setup.sh PYTHON run|test
set -eu

python=$1
purpose=$2

if [ -z "$python" ]; then
    echo "Не найден Python. Установите Python 3.11 или новее (Debian: apt install python3 python3-venv)." >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "Нужен Python 3.11 или новее, а $python — это $("$python" --version 2>&1). Укажите другой: make run PYTHON=/путь/к/python3.11" >&2
    exit 1
fi
exec "$python" scripts/install.py "$purpose"
