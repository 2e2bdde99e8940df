import pytest

from tui.core.advice import advice


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("HTTP 401: Incorrect API key provided", "--api-key-env"),
        ("certificate verify failed: self-signed certificate", "SSL_CERT_FILE"),
        ("cannot connect to 127.0.0.1:1: Connection refused (after 3 attempts)", "is the server running"),
        ("cannot connect to the proxy 127.0.0.1:9 (HTTP_PROXY): Connection refused", "NO_PROXY"),
        ("HTTP 429: Rate limit reached", "--rpm"),
        ("HTTP 429: Too many concurrent requests for m: limit 4", "--concurrency"),
        ("HTTP 429: You exceeded your current quota", "waiting will not help"),
        ("not done within 20 s (--timeout)", "--timeout"),
    ],
)
def test_each_kind_of_trouble_has_its_hint(error: str, words: str) -> None:
    assert words in (advice(error) or "")


def test_what_we_know_nothing_about_gets_no_hint() -> None:
    assert advice("HTTP 400: 'max_tokens' must be 1 or more.") is None
