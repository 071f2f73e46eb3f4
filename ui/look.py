"""How the page looks: style, header, notices. Data is shown with `st.text` only, which reads no markup."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from ui.wire import ClientError
from ui.words import failure

NAME = "Знайка"
ICON = ":material/menu_book:"
# A picture of ours: Streamlit's browser code fetches the ready-made ones from the internet.
FAVICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" rx="14"
fill="#1f5fa8"/><path d="M32 19c-6-4-13-5-19-4v31c6-1 13 0 19 4 6-4 13-5 19-4V15c-6-1-13 0-19 4zm0 0v31" fill="none"
stroke="#fff" stroke-width="4" stroke-linejoin="round"/></svg>"""

STYLE = """<style>
[data-testid="stHeader"], [data-testid="stStatusWidget"], [data-testid="stToolbar"],
[data-testid="InputInstructions"] { display: none; }
[data-testid="stMainBlockContainer"] { max-width: 60rem; padding-top: 1rem; padding-bottom: 2rem; }
[data-testid="stBottomBlockContainer"] { max-width: 60rem; padding-bottom: 1rem; }
[data-testid="stText"] { font-family: var(--st-font, inherit); overflow-wrap: anywhere; line-height: 1.55; }
.st-key-header { border-bottom: 1px solid rgba(60, 70, 90, .15); padding-bottom: .5rem; }
.st-key-brand p { font-size: 1.25rem; font-weight: 700; letter-spacing: .01em; }
[data-testid="stMain"] [data-testid="stMarkdownContainer"] h1 { font-size: 1.5rem; padding: .5rem 0 .25rem; }
[data-testid="stMain"] [data-testid="stMarkdownContainer"] h2 { font-size: 1.25rem; padding: .5rem 0 0; }
[class*="st-key-notice-"] { border-radius: .5rem; padding: .75rem 1rem; }
[class*="st-key-notice-error-"] { background: #fdecec; }
[class*="st-key-notice-warning-"] { background: #fff6e0; }
[class*="st-key-notice-info-"] { background: #eaf2fb; }
[class*="st-key-notice-done-"] { background: #eaf6ee; }
[class*="st-key-quiet-"] :is([data-testid="stText"], span) { color: #5b6472; font-size: .875rem; line-height: 1.45; }
[class*="st-key-name-"] [data-testid="stText"] { font-weight: 600; }
[data-testid="stDialog"] [data-testid="stImage"] img { border: 1px solid rgba(60, 70, 90, .2); }
[class*="st-key-source-"] button { min-width: 2.5rem; }
[class*="st-key-source-"] > :last-child { flex: 1; min-width: 0; }
[class*="st-key-row-"] [data-testid="stMarkdownContainer"] p { font-size: .875rem; }
@media (max-width: 640px) {
  .st-key-header { gap: .25rem; }
  .st-key-header [data-testid="stPageLink"] span:has(> [data-testid="stIconMaterial"]) { display: none; }
  [data-testid="stLayoutWrapper"]:has(> [class*="st-key-about-"]) { flex-basis: 100%; }
  [data-testid="stMainBlockContainer"] { padding-left: 1rem; padding-right: 1rem; }
  [data-testid="stBottomBlockContainer"] { padding-left: 1rem; padding-right: 1rem; }
}
</style>"""

Kind = Literal["error", "warning", "info", "done"]


def show_header(pages: Mapping[str, StreamlitPage]) -> None:
    """Name of the service and the way between its views, each under its icon; the same on a laptop and on a phone."""
    st.html(STYLE)
    with st.container(key="header", horizontal=True, vertical_alignment="center", gap="medium"):
        with st.container(key="brand", width="content"):
            st.markdown(f"{ICON} {NAME}")
        for icon, page in pages.items():
            st.page_link(page, icon=icon, width="content")


def notice(kind: Kind, text: str, *, key: str) -> None:
    """A coloured note; `text` may hold data, so it is shown without markup."""
    with st.container(key=f"notice-{kind}-{key}"):
        st.text(text)


def quiet(text: str, *, key: str) -> None:
    """A small grey line that may hold data."""
    with st.container(key=f"quiet-{key}"):
        st.text(text)


@contextmanager
def failures_shown(key: str) -> Iterator[None]:
    """Show what a call to the API failed with instead of breaking the page."""
    try:
        yield
    except ClientError as exc:
        notice("error", failure(exc), key=key)
