"""An error page as a few words, whatever the page is."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.wire.chat import read_error
from tui.wire.html_page import words_of_page

NGINX = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
)


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (NGINX, "Bad Gateway"),
        (NGINX[:55], "Bad Gateway"),
        ("<!DOCTYPE html><html lang=en><title>Error 502 (Server Error)!!1</title>", "(Server Error)!!1"),
        ("<TITLE>HTTP 502 - Bad gateway</TITLE>", "Bad gateway"),
        ("<title>api.test | 502: Bad gateway</title>", "api.test | 502: Bad gateway"),
        ("<title>5021 things</title>", "5021 things"),
        ("<html><title lang='en'>A &amp; B\n  &lt;C&gt;</title>", "A & B <C>"),
        ("<html><title> </title><body><H2 class=x>Sorry, <b>not</b> now</H2>later", "Sorry, not now"),
        ("<html><h1></h1><body><p>The model is loading", "The model is loading"),
        ("<?xml version='1.0'?>\n<!-- hello --><!DOCTYPE html PUBLIC 'x'><head><title>Gone</title>", "Gone"),
        ("<html></html>", ""),
        ("<title>502</title>", ""),
        ("<html><body>cut <a hre", "cut"),
        ("<Error><Code>SlowDown</Code></Error>", None),
        ("the <title>is not</title> first", None),
        ("", None),
    ],
)
def test_the_title_or_heading_of_a_page_is_what_it_says(page: str, words: str | None):
    assert words_of_page(page, 502) == words


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (NGINX.encode(), "Bad Gateway"),
        (b"\xef\xbb\xbf" + NGINX.encode(), "Bad Gateway"),
        (b"<title>502</title>", "Bad Gateway"),
        (b"<html>", "Bad Gateway"),
        ("<title>a\x1b[31m\u202e &#27;&#x9b;b\u2028</title>".encode(), "a\ufffd[31m\ufffd \u203ab"),
        (b"<title>" + b"y" * 100_000, "y" * 200),
    ],
)
def test_an_error_page_becomes_a_clean_bounded_line_without_the_status(body: bytes, message: str):
    assert read_error(502, body).message == message


@pytest.mark.parametrize(
    "unit",
    ["<title ", "<title", "<title>", "<h1>", "<h1 ", "</h1", "<", "< ", "<!doctype ", " ", "&#", "&#9", "&#99999", "&"],
)
def test_a_hostile_page_costs_next_to_nothing(unit: str):
    for page in ("<html>" + unit * 20_000, "<html><title>" + unit * 20_000, "<html>&#" + unit[-1] * 20_000):
        began = time.process_time()
        read_error(502, page.encode())
        assert time.process_time() - began < 0.5  # CPU time: milliseconds, where a quadratic pattern takes many seconds


@given(st.text(alphabet="<>/titlehH1& #;x9\"'\n\x1b502", max_size=80).map("<html>".__add__))
@settings(max_examples=300, deadline=None)
def test_no_page_makes_the_reader_raise_or_leave_a_tag_open(page: str):
    words = words_of_page(page, 502)
    assert words is not None
    message = read_error(502, page.encode()).message
    assert message
    assert "\x1b" not in message
    assert len(message) <= 200
