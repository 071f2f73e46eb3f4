"""An answer is in Russian: sentences of the awkward kind pass, those of its neighbours do not."""

from __future__ import annotations

import pytest

from generation.language import is_russian

RUSSIAN = (
    "Отпуск составляет 28 календарных дней.",
    "Да, можно.",
    "Нет, отпуск не переносится.",
    "Не допускается.",
    "- паспорт;",
    "- справка о доходах.",
    "Плата: 1 500 руб.",
    "28 календарных дней.",
    "Приказ № 112 от 01.02.2014 г.",
    "Директор — Иванов И. И.",
    "Контроль возложен на Петрову А. В.",
    "Хаммурапи правил Вавилоном.",
    "Хлорофилл поглощает свет.",
    "Битва при Гастингсе произошла в 1066 году.",
    "Уровень CO2 вырос на 3 %.",
    "Индекс S&P 500 упал.",
    "Файл config.yaml лежит в папке /etc.",
    "Команда `znayka ingest FOLDER` загружает документы.",
    "Служба поддержки Microsoft Exchange Server отвечает в течение часа.",
    "По данным Bloomberg, компания Apple купила Shazam в 2018 году.",
    "Для этого установите параметр max_connections равным 100.",
    "В документе сказано: «The quick brown fox jumps over the lazy dog».",
    "Tesla Motors.",
    "Статья 131 Трудового кодекса Российской Федерации.",
    "2014.",
)
OTHERS = {
    "английский": (
        "The vacation lasts 28 calendar days.",
        "According to the document, the period is five working days.",
        "No answer was found in the passages.",
        "Submit the application to your manager.",
    ),
    "украинский": (
        "Відпустка становить 28 календарних днів.",
        "Заяву подають не пізніше ніж за 14 днів до початку.",
        "Директор підписує наказ.",
        "Контроль покладено на заступника міністра.",
    ),
    "болгарский": (
        "Отпускът е 28 календарни дни.",
        "Молбата се подава не по-късно от 14 дни преди началото.",
        "Срокът е пет работни дни.",
        "Отговорът не е намерен в документите.",
    ),
    "сербский": (
        "Одмор траје 28 календарских дана.",
        "Захтев се подноси најкасније 14 дана пре почетка.",
        "Рок је пет радних дана.",
        "Запослени има право на одмор.",
    ),
    "казахский": (
        "Демалыс 28 күнтізбелік күнді құрайды.",
        "Өтініш 14 күн бұрын беріледі.",
        "Қызметкердің демалуға құқығы бар.",
        "Құжаттарда жауап табылмады.",
    ),
    "белорусский": ("Адпачынак складае 28 каляндарных дзён.", "Дырэктар падпісвае загад."),
    "немецкий": ("Der Urlaub beträgt 28 Kalendertage.", "Ja, das ist möglich."),
    "китайский": ("年假为28个日历日。", "是的，可以。"),
}


@pytest.mark.parametrize("sentence", RUSSIAN)
def test_russian_with_names_code_and_quotations_passes(sentence):
    assert is_russian(sentence)


@pytest.mark.parametrize("sentence", [sentence for sentences in OTHERS.values() for sentence in sentences])
def test_another_language_does_not_pass_for_russian(sentence):
    assert not is_russian(sentence)
