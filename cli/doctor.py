"""`znayka doctor`: everything a user may have got wrong, one line each, with how to mend it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from cli import machine_checks, service_checks
from cli.console import say
from cli.finding import Finding, Level, error, ok
from core.errors import Misconfigured
from core.settings import Settings, load_settings


def examine() -> bool:
    """Show every finding as it is made; True when none is an error."""
    logging.disable(logging.WARNING)  # what a check finds is said once, as a finding
    levels = []
    for finding in _findings():
        levels.append(finding.level)
        say(f"[{finding.level}] {finding.title}: {finding.detail}")
        if finding.remedy:
            say(f"    → {finding.remedy}")
    errors, warnings = levels.count(Level.ERROR), levels.count(Level.WARNING)
    say(f"\nОшибок: {errors}, предупреждений: {warnings}.")
    return errors == 0


def _findings() -> Iterator[Finding]:
    yield machine_checks.check_python()
    yield machine_checks.check_processor()
    yield machine_checks.check_libreoffice()
    yield machine_checks.check_tesseract()
    yield machine_checks.check_chromium()
    try:
        settings = load_settings()
    except Misconfigured as exc:
        yield error("Настройки", exc.detail, "исправьте переменные окружения; остальное проверить нельзя")
        return
    yield ok("Настройки", "верны")
    yield from _of_service(settings)


def _of_service(settings: Settings) -> Iterator[Finding]:
    yield machine_checks.check_disk(settings.data_dir, settings.disk_reserve_bytes)
    yield service_checks.check_data_dir(settings)
    yield service_checks.check_database(settings)
    yield service_checks.check_index(settings)
    yield service_checks.check_backup(settings)
    yield service_checks.check_memory(settings)
    yield service_checks.check_model(settings)
    yield service_checks.check_encoder(settings)
    yield service_checks.check_reranker(settings)
    yield from service_checks.check_parts(settings)
    yield service_checks.check_readiness(settings)
