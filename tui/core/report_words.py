"""What a report says of its own numbers. The formulas in full stand in the README, "How each number is measured"."""

DEFINITIONS: tuple[tuple[str, str], ...] = (
    ("TTFT", "first token − attempt handed to the transport, of the attempt that delivered"),
    ("server TTFT", "first token − last byte of the request handed to the kernel"),
    ("user TTFT", "first token − when the call was due: queue, back-off and failed attempts included"),
    ("queue", "when every limiter let the call go − when it was due"),
    ("TPOT", "(last token − first token) / (n − 1), with n completion tokens"),
    ("E2E", "end − attempt handed to the transport, of the attempt that delivered"),
    ("tok/s", "all streams: completion tokens / wall time; a stream: (n − 1) / (last token − first token)"),
    ("cost", "~ estimated, ≤ at most (an attempt that died may be billed), ? no price known"),
    ("marks", "late: a stamp that may be off by more than 5 %; shared: its read held a later chunk too"),
)
NOTES = (
    "Warm-up calls are in the charts and the cost, in no other figure. — is absent, never 0.",
    "Tokens over time are spread evenly between the first and the last token of each stream.",
)
CHANGES = "Differences are against A; 5 % or more is called better or worse. How much chance may do is not reckoned."

__all__ = ["CHANGES", "DEFINITIONS", "NOTES"]
