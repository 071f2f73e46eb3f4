"""Which model server answers: our own process with a model of the catalogue, or another by one setting."""

from __future__ import annotations

from core.settings import Settings
from generation.adapters import scales_of
from generation.catalogue import load_catalogue
from generation.hub import chosen
from generation.language_model import ModelServer

UNNAMED = "default"


def server_of(settings: Settings) -> ModelServer:
    """Describe the server that the settings choose.

    Another server's model is taken to follow instructions; ZNAYKA_MODEL is the name it knows the model by.
    Raises `NotFound` or `Misconfigured` for a name that our own process could not serve.
    """
    if settings.llm_url:
        return ModelServer(
            url=settings.model_url,
            name=settings.model or UNNAMED,
            answers="prose",
            context_tokens=settings.llm_context_tokens,
            answer_max_tokens=settings.answer_max_tokens,
            temperature=settings.answer_temperature,
            timeout_s=settings.llm_timeout_s,
            api_key=settings.llm_api_key.get_secret_value(),
        )
    model = load_catalogue().find(chosen(settings))
    return ModelServer(
        url=settings.model_url,
        name=model.name,
        answers=model.answers,
        context_tokens=model.context_for(settings.llm_context_tokens),
        answer_max_tokens=settings.answer_max_tokens,
        temperature=settings.answer_temperature,
        timeout_s=settings.llm_timeout_s,
        # The cards advise 1.1 for talk; where documents are quoted a penalty spoils copied numbers.
        repeat_penalty=1.0,
        scales=scales_of(model, settings.adapter),
    )
