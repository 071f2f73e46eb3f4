import sys
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.cleaning import _MARKS_END, clean, clean_line


def test_line_ends_of_every_system_become_one():
    assert clean("а\r\nб\rв\u2028г\x0cд") == "а\nб\nв\nг\nд"


def test_what_cannot_be_seen_is_gone():
    assert clean("до\u00adго\u200bвор\ufeff\x00\u202e №\u00a07") == "договор № 7"


def test_letters_typed_in_two_parts_become_one():
    assert clean("и\u0306 е\u0308") == "й ё"


def test_tabs_and_indents_stay_in_text_and_go_from_a_line():
    assert clean("\tа  б") == "\tа  б"
    assert clean_line(" а\n\t б\u00a0 в ") == "а б в"


@settings(deadline=None)
@given(st.text())
def test_cleaning_twice_changes_nothing_more(text):
    assert clean(clean(text)) == clean(text)


@settings(deadline=None)
@given(st.text(), st.text())
def test_pieces_joined_by_a_line_feed_stay_clean_so_that_offsets_hold(a, b):
    joined = f"{clean(a)}\n{clean(b)}"
    assert clean(joined) == joined


@pytest.mark.parametrize("pile", ["\u0301\u0316", "\U0001e944\U0001e8d0"], ids=["plane 0", "plane 1"])
def test_marks_piled_up_by_the_hundred_thousand_are_cut_at_once(pile):
    began = time.process_time()
    assert len(clean("а" + pile * 100_000 + " конец")) < 50
    assert time.process_time() - began < 2, "to put them all in order takes half a minute, and grows squared"


def test_no_mark_lies_where_piles_are_not_looked_for():
    assert not any(unicodedata.combining(chr(code)) for code in range(_MARKS_END, sys.maxunicode + 1))


def test_a_mark_that_stands_for_two_is_counted_as_two():
    once = clean("а" + "\u0344" * 40 + " конец")
    assert clean(once) == once
