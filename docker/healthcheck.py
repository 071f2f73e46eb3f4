"""Exit with 0 when the URL given answers 200 within three seconds. Standard library only: it runs every few seconds."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request

TIMEOUT_S = 3.0


def main() -> int:
    """Ask once."""
    try:
        with urllib.request.urlopen(sys.argv[1], timeout=TIMEOUT_S) as answer:  # noqa: S310 - the address is the compose file's
            return int(answer.status != 200)
    except (urllib.error.URLError, TimeoutError):
        return 1


if __name__ == "__main__":
    sys.exit(main())
