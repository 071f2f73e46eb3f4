"""An address that nobody may be made to ask, and who asked it all the same."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self


class Lure:
    """Listens on this machine while the `with` block lasts; `heard` are those who connected."""

    def __init__(self) -> None:
        self.heard: list[object] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self._address: tuple[str, int] = self._server.getsockname()
        self.url = f"http://127.0.0.1:{self._address[1]}/lure"
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()

    def knock(self) -> None:
        """Connect, to show that it would be heard."""
        socket.create_connection(self._address).close()

    def _listen(self) -> None:
        while True:
            try:
                connection, address = self._server.accept()
            except OSError:
                return
            self.heard.append(address)
            connection.close()
