#!/bin/sh
# Everything CI demands besides the tests. Stops at the first thing that is wrong.
set -eu

bin=.venv/bin

say() { echo "== $1"; }

say "formatting";   "$bin/ruff" format --check .
say "lint";         "$bin/ruff" check .
say "types";        "$bin/mypy"
                    MYPYPATH=scripts "$bin/mypy" --strict scripts docker/healthcheck.py
say "import rules"; "$bin/lint-imports"
say "lock files";    "$bin/python" scripts/lock.py
say "settings table"; "$bin/python" scripts/settings_table.py
say "secrets and machine paths"
if git grep -nE '(BEGIN [A-Z ]*PRIVATE KEY|/root/|/home/[a-z])' -- . ':!scripts/check.sh'; then
    echo "The lines above name a private key or somebody's home folder." >&2
    exit 1
fi

say "compose file"
export ZNAYKA_UI_API_KEY=0123456789012345678901234567890123456789012
if command -v docker-compose >/dev/null; then
    docker-compose config --quiet
elif docker compose version >/dev/null 2>&1; then
    docker compose config --quiet
else
    echo "skipped: neither docker-compose nor docker compose is installed"
fi
