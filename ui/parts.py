"""Small pieces that Streamlit lacks: a copy button, a text with a mark.

The scripts are constants; what they are given to show goes into `textContent` only, never into HTML.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

COPY_HTML = '<button type="button">Копировать</button>'
COPY_CSS = """
button { font: inherit; font-size: .875rem; color: var(--st-text-color); background: none; cursor: pointer;
  min-height: 2.5rem; padding: .25rem .75rem; border: 1px solid var(--st-border-color); border-radius: .5rem;
  white-space: nowrap; }
button:hover, button:focus-visible { color: var(--st-primary-color); border-color: var(--st-primary-color); }
"""
COPY_JS = """
async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
export default function ({ data, parentElement }) {
  const button = parentElement.querySelector("button");
  button.onclick = async () => {
    await copy(data);
    button.textContent = "Скопировано";
    setTimeout(() => { button.textContent = "Копировать"; }, 2000);
  };
}
"""

MARKED_HTML = '<div class="page"><span></span><mark></mark><span></span></div>'
MARKED_CSS = """
.page { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 60vh; overflow-y: auto; line-height: 1.55;
  font-family: var(--st-font); color: var(--st-text-color); padding: 1rem; border: 1px solid var(--st-border-color);
  border-radius: .5rem; box-sizing: border-box; }
mark { background: #ffe58a; color: inherit; border-radius: .2rem; }
"""
MARKED_JS = """
export default function ({ data, parentElement }) {
  const parts = parentElement.querySelector(".page").children;
  ["before", "marked", "after"].forEach((name, i) => { parts[i].textContent = data[name]; });
  if (data.marked) parts[1].scrollIntoView({ block: "center" });
}
"""


def copy_button(text: str, *, key: str) -> None:
    """A button that puts `text` on the visitor's clipboard."""
    component("copy_button", COPY_HTML, COPY_CSS, COPY_JS)(data=text, key=key, width="content", height="content")


def marked_text(text: str, quote: str, *, key: str) -> None:
    """A text in a scrolling frame, `quote` marked and in view when it stands in the text."""
    before, found, after = text.partition(quote) if quote else (text, "", "")
    data = {"before": before, "marked": found, "after": after}
    component("marked_text", MARKED_HTML, MARKED_CSS, MARKED_JS)(data=data, key=key)


@cache
def component(name: str, html: str, css: str, js: str) -> ComponentRenderer:
    """Register a component of ours and return what draws it."""
    # Registered once a process and only when a page is first drawn: Streamlit warns about a second time.
    return st.components.v2.component(f"znayka_{name}", html=html, css=css, js=js)
