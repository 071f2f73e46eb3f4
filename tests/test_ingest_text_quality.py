"""What is taken for glyph soup, and what is not."""

from __future__ import annotations

import random
import tarfile
from pathlib import Path

import pytest

from ingest.letter_bigrams import RUSSIAN_ALPHABET
from ingest.text_quality import count_letters, is_broken, is_second_better, oddness, repair_mojibake

ENGLISH = (
    "Privacy of users in P2P networks goes far beyond their current usage and is a fundamental requirement to the "
    "adoption of P2P protocols for legal usage. In a climate of cold war between these users and anti-piracy groups."
)
FRENCH = (
    "Société d'investissement à capital variable à compartiments multiples. L'apposition du visa ne peut en aucun cas "
    "servir d'argument de publicité. Les élèves français étaient déjà très préoccupés par leurs épreuves d'été."
)
SOUP = (
    "M]heh\\gh_ aZdhgh^Zl_evkl\\h Jhkkbckdhc N_^_jZpbb khklhbl ba gZklhys_]h Dh^_dkZ Gh\\u_ aZdhgu "
    "ij_^mkfZljb\\Zxsb_ m]heh\\gmx hl\\_lkl\\_gghklv ih^e_`Zl \\dexq_gbx \\ gZklhysbc Dh^_dk"
)


@pytest.fixture(scope="module")
def code_of_procedure(data: Path) -> str:
    return (data / "documents/law/gpk_rf.cp1251.txt").read_text(encoding="cp1251")[5_000:105_000]


def test_good_russian_passes_in_any_case(code_of_procedure: str) -> None:
    assert not is_broken(code_of_procedure)
    assert not is_broken(code_of_procedure.upper())


@pytest.mark.parametrize("text", [ENGLISH, FRENCH, "", "  \n ", "Стр. 5"])
def test_other_languages_and_short_texts_pass(text: str) -> None:
    assert not is_broken(text)


def test_other_scripts_pass() -> None:
    assert not is_broken("他们为什么不说中文我能吞下玻璃而不伤身体" * 10)
    assert not is_broken("Μπορώ να φάω σπασμένα γυαλιά χωρίς να πάθω τίποτα. " * 10)


def test_numbers_pass() -> None:
    assert not is_broken("\n".join(f"{n} {n * 17:,} {n / 7:.2f} (12,5 %) А-{n}" for n in range(300)))


@pytest.mark.parametrize("module", ["ingest/text_quality.py", "ingest/paragraphs.py", "core/settings.py"])
def test_code_passes(module: str) -> None:
    assert not is_broken((Path(__file__).parent.parent / module).read_text(encoding="utf-8"))


def test_every_page_of_a_real_knowledge_base_passes(data: Path) -> None:
    with tarfile.open(data / "kb/yandex_cloud_ru.tar.xz") as archive:
        texts = [
            archive.extractfile(member).read().decode()  # type: ignore[union-attr]
            for member in archive
            if member.isfile() and member.name.endswith(".md")
        ]
    flagged = sum(map(is_broken, texts[::5]))
    assert flagged == 0


def test_letters_mapped_to_signs_are_soup() -> None:
    assert is_broken(SOUP)


@pytest.mark.parametrize("seed", range(20))
def test_any_mix_up_of_the_russian_letters_is_soup(code_of_procedure: str, seed: int) -> None:
    letters = list(RUSSIAN_ALPHABET.strip())
    shuffled = random.Random(seed).sample(letters, len(letters))
    mixed = code_of_procedure.lower().translate(str.maketrans(dict(zip(letters, shuffled, strict=True))))
    assert is_broken(mixed)


def test_a_quarter_of_soup_breaks_a_page(code_of_procedure: str) -> None:
    good = code_of_procedure[:2000]
    assert is_broken(good + "\n" + (SOUP + " ") * 6)
    assert not is_broken(good * 5 + "\n" + SOUP)


@pytest.mark.parametrize("bad", ["(cid:12)(cid:7)", "\ue012\ue033", "\ufffd", "\x03\x05"])
def test_characters_without_meaning_are_soup(bad: str) -> None:
    assert is_broken(f"Приказ {bad * 30} об отпусках")


def test_mojibake_of_cp1251_is_undone(code_of_procedure: str) -> None:
    good = code_of_procedure[:3000].replace("\ufffd", "")
    good = "".join(char for char in good if char.encode("cp1251", "ignore"))
    mojibake = good.encode("cp1251").decode("latin-1")
    assert repair_mojibake(mojibake) == good


@pytest.mark.parametrize("text", [ENGLISH, FRENCH, "Ïðèêàç", "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞß" * 3])
def test_what_gives_no_russian_is_not_repaired(text: str) -> None:
    assert repair_mojibake(text) is None


def test_torn_words_are_odder_than_whole_ones() -> None:
    assert oddness(["к", "авалер", "английск", "ий", "ок", "оло"]) > oddness(["кавалер", "английский", "около"])


def test_the_text_with_the_better_spaces_is_taken() -> None:
    good = "республика и Япония в млрд. долл. и другие государства мира"
    glued = "республика иЯпония вмлрд.долл. идругие государства мира"
    assert is_second_better(glued, good)
    assert not is_second_better(good, glued)
    assert not is_second_better(good, good)


def test_the_text_with_the_letters_is_taken() -> None:
    assert is_second_better("", "Приказ")
    assert not is_second_better("Приказ", "")
    assert is_second_better(SOUP, "Уголовное законодательство")


def test_letters_of_any_script_count() -> None:
    assert count_letters("Ёж 12 ab-中") == 5
