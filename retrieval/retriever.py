"""The search as LangChain knows it, so that its users can plug it into chains of their own."""

from __future__ import annotations

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from core.types import Passage, Principal
from retrieval.searcher import Searcher


class PassageRetriever(BaseRetriever):
    """A `BaseRetriever` that asks for one principal; page and section ride in each document's metadata."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    searcher: Searcher
    principal: Principal
    collection: str | None = None
    top_k: int = 6

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        """Return the passages found, best first; nothing of ours reports to LangChain's callbacks in between."""
        del run_manager
        found = self.searcher.search(query, principal=self.principal, collection=self.collection, top_k=self.top_k)
        return [as_document(passage) for passage in found.passages]


def as_document(passage: Passage) -> Document:
    """Give a passage LangChain's form; `start` and `end` are character offsets in the page's text."""
    return Document(
        id=str(passage.id),
        page_content=passage.text,
        metadata={
            "document_id": passage.document_id,
            "source": passage.document,
            "page": passage.page,
            "section": passage.section,
            "start": passage.start,
            "end": passage.end,
            "score": passage.score,
        },
    )
