"""What a browser does while it is shown hostile texts: what runs, what is asked of others, what markup comes of it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

FOREIGN_HOST = "foreign.test"
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    # Foreign names lead to this machine, where the test listens; the last one is a name that a company gives the page.
    f"--host-resolver-rules=MAP *.test 127.0.0.1, MAP {FOREIGN_HOST} 127.0.0.1, MAP znayka.example.com 127.0.0.1",
]

# Elements and attributes that only markup read from a text can have made; shadow roots are entered.
MARKS_JS = """
() => {
  const found = [];
  const never = "iframe,object,embed,base,math,audio[src],video,frame,frameset,marquee,form:not([data-testid])," +
    "picture,xmp,area,map,foreignObject,feImage,animate,meta[http-equiv],.katex";
  const addresses = ["href", "src", "srcset", "poster", "data", "action", "formaction", "background", "ping", "cite",
    "xlink:href", "lowsrc"];
  const ours = (name, value) => {
    const first = name === "srcset" ? value.trim().split(/[\\s,]+/)[0] : value.trim();
    let url;
    try { url = new URL(first, location.origin); } catch { return false; }
    if (["data:", "blob:"].includes(url.protocol)) {
      return url.protocol === "data:" ? /^data:(image|font)/.test(first) : url.origin === location.origin;
    }
    return url.host === location.host && ["http:", "https:"].includes(url.protocol);
  };
  const look = (root) => root.querySelectorAll("*").forEach((element) => {
    if (element.matches(never)) found.push(element.outerHTML.slice(0, 120));
    if (element.content?.querySelector?.("img,script,svg,style,link")) found.push(element.outerHTML.slice(0, 120));
    for (const { name, value } of element.attributes) {
      if (name.startsWith("on")) found.push(`${name}=${value}`);
      if (addresses.includes(name) && !/^#|^$/.test(value) && !ours(name, value)) found.push(`${name}=${value}`);
      if (name === "style" && /url\\(|image-set\\(/.test(value)) found.push(`${name}=${value}`);
    }
    if (element.localName === "style" && element.textContent.includes("foreign.test")) found.push(element.textContent);
    if (element.localName === "script" && !element.src && element.closest("body")) found.push(element.outerHTML);
    if (element.shadowRoot) look(element.shadowRoot);
  });
  look(document);
  document.querySelectorAll('[data-testid="stText"] *').forEach((inner) => {
    if (!["DIV", "SPAN", "P", "PRE"].includes(inner.tagName)) found.push(`in a text: ${inner.outerHTML.slice(0, 120)}`);
  });
  return found;
}
"""


@dataclass
class Watch:
    """Follows one browser context. `home` are the hosts whose requests are the page's own."""

    context: Any
    home: set[str]
    ran: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    popups: int = 0
    violations: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context.expose_binding("pwn", lambda _source, *numbers: self.ran.append(f"pwn {numbers}"))
        self.context.on("request", lambda request: self._see(request.url))
        self.context.on("page", self._follow)
        self.context.on("console", lambda message: self._hear(message.text))
        for page in self.context.pages:
            page.on("dialog", self._answer)

    def _follow(self, page: Any) -> None:
        self.popups += len(self.context.pages) > 1
        page.on("dialog", self._answer)
        page.on("websocket", lambda socket: self._see(socket.url))

    def _answer(self, dialog: Any) -> None:
        self.ran.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def _see(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"data", "blob"} and parts.netloc not in self.home:
            self.asked.append(url)

    def _hear(self, text: str) -> None:
        if "Content Security Policy" in text or "Content-Security-Policy" in text:
            self.violations.append(text)

    def findings(self, page: Any) -> dict[str, Any]:
        """Everything that must not be; empty when all is well."""
        seen = {
            "ran": self.ran,
            "asked of others": self.asked,
            "popups": self.popups,
            "violations": self.violations,
            "markup": [mark for frame in page.frames for mark in frame.evaluate(MARKS_JS)],
        }
        return {name: value for name, value in seen.items() if value}


def chromium_path() -> str | None:
    """The browser of the machine, if it has one."""
    return shutil.which("chromium") or shutil.which("google-chrome")
