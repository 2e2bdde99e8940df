"""What to do about an error that calls met: one hint for each kind, for people. Knows words, not types."""

_ADVICE: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("HTTP 401", "HTTP 403"),
        "the key was not accepted: set OPENAI_API_KEY, or name its variable with --api-key-env",
    ),
    (("certificate",), "if the server's certificate is your own, name its authority in SSL_CERT_FILE"),
    (("does not speak TLS", "WRONG_VERSION_NUMBER"), "try http:// in --base-url"),
    (("plain HTTP request was sent to HTTPS",), "try https:// in --base-url"),
    (("proxy",), "the proxy comes from the environment; NO_PROXY can leave this host out"),
    (("refused",), "is the server running, and is --base-url its address?"),
    (("not known", "not resolve", "No address"), "check the host in --base-url"),
    (("HTTP 404",), "check --base-url (it ends before /chat/completions) and the model's name, -m"),
    (("web page",), "--base-url should name the API, often with /v1 at its end"),
    (("quota",), "the account's quota or credit is used up; waiting will not help"),
    (("oncurrent", "at once", "imultaneous"), "fewer streams at once: --concurrency at the provider's limit"),
    (("HTTP 429", "ate limit"), "send less: --rpm or --tpm at the provider's limit"),
    (
        ("first-byte time-out", "idle time-out"),
        "a server that queues may need longer: --first-byte-timeout, --idle-timeout",
    ),
    (("(--timeout)",), "give calls more time with --timeout"),
)


def advice(error: str) -> str | None:
    """A hint for an error's message; None when there is nothing useful to say."""
    return next((hint for words, hint in _ADVICE if any(word in error for word in words)), None)
