import json
from typing import Any

import pytest

from tui.wire.chat import WireError, read_error
from tui.wire.chat_errors import find_error


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (
            429,
            {"error": {"message": "Slow down", "type": "tokens", "param": None, "code": "rate_limit_exceeded"}},
            WireError("Slow down", "rate_limit_exceeded", "tokens", 429),
        ),
        (
            429,
            {"error": {"message": "No credit", "type": "insufficient_quota", "code": "insufficient_quota"}},
            WireError("No credit", "insufficient_quota", "insufficient_quota", 429),
        ),
        (404, {"detail": "Not Found"}, WireError("Not Found", None, None, 404)),
        (
            422,
            {
                "detail": [
                    {"type": "missing", "loc": ["body", "messages", 0], "msg": "Field required", "input": {}},
                    "odd",
                ]
            },
            WireError("body.messages.0: Field required; odd", None, None, 422),
        ),
        (400, {"detail": {"error": {"message": "deep", "code": 7}}}, WireError("deep", None, None, 400)),
        (401, {"message": "No key", "request_id": "r"}, WireError("No key", None, None, 401)),
        (
            422,
            {
                "object": "error",
                "message": {"detail": [{"loc": ["body"], "msg": "bad"}]},
                "type": "invalid_request_error",
            },
            WireError("body: bad", None, "invalid_request_error", 422),
        ),
        (400, {"error": "model is required"}, WireError("model is required", None, None, 400)),
        (404, {"status": 404, "error": "Not Found", "path": "/v1"}, WireError("Not Found", None, None, 404)),
        (500, {"error": True, "message": "it broke"}, WireError("it broke", None, None, 500)),
        (403, {"error": "Forbidden", "message": "This key may not"}, WireError("This key may not", None, None, 403)),
        (
            403,
            {"success": False, "errors": [{"code": 9109, "message": "Invalid token"}]},
            WireError("Invalid token", "9109", None, 403),
        ),
        (
            400,
            [{"error": {"code": 400, "message": "API key not valid", "status": "INVALID_ARGUMENT"}}],
            WireError("API key not valid", "400", None, 400),
        ),
        (
            529,
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
            WireError("Overloaded", None, "overloaded_error", 529),
        ),
        (500, {"error": {"odd": 1}}, WireError('{"odd":1}', None, None, 500)),
        (500, {"error": {"message": {"error": {"message": "nested"}}}}, WireError("nested", None, None, 500)),
    ],
)
def test_error_bodies_of_every_shape_are_read(status: int, body: Any, expected: WireError):
    assert read_error(status, json.dumps(body).encode()) == expected


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (503, b"", "Service Unavailable"),
        (503, b" \r\n ", "Service Unavailable"),
        (529, b"", "HTTP status 529"),
        (
            502,
            b"<html>\r\n<head><title>502 Bad Gateway</title></head>",
            "Bad Gateway",
        ),
        (500, b"upstream\x1b[31m failed\n\nat line 3", "upstream�[31m failed at line 3"),
        (500, b"\xef\xbb\xbfplain \xff", "plain �"),
        (500, b'{"odd":1}', '{"odd":1}'),
        (500, b'{"error":{"message":"cut', '{"error":{"message":"cut'),
        (500, b"[]", "[]"),
        (500, b"null", "null"),
        (500, b"y" * 100_000, "y" * 200),
        (500, b"[" * 100_000, "[" * 200),
    ],
)
def test_a_body_without_an_error_object_is_shown_by_its_beginning(status: int, body: bytes, message: str):
    assert read_error(status, body) == WireError(message, None, None, status)


def test_a_provider_s_message_is_one_clean_line_of_bounded_length():
    error = read_error(400, json.dumps({"error": {"message": "a\n\tb\x9b " + "x" * 5000, "code": "c" * 500}}).encode())
    assert error.message.startswith("a b� xxx")
    assert len(error.message) == 1000
    assert error.code == "c" * 100


def test_a_message_buried_in_messages_is_not_dug_for():
    body = b'{"detail":' * 600 + b'"gold"' + b"}" * 600
    assert read_error(500, body).message == body[:200].decode()


@pytest.mark.parametrize("code", [True, None, "", [], {}, 1.5, 10**400])
def test_a_code_that_is_no_name_is_absent(code: Any):
    assert read_error(500, json.dumps({"error": {"message": "m", "code": code}}).encode()).code is None


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_an_error_without_words_still_says_something(blank: str):
    assert read_error(500, json.dumps({"error": {"message": blank}}).encode()).message == json.dumps(
        {"message": blank}, separators=(",", ":")
    )


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"code": 502}, 502),
        ({"code": 502.0}, 502),
        ({"code": "503"}, 503),
        ({"code": 200}, None),
        ({"code": 600}, None),
        ({"code": True}, None),
        ({"code": "4²9"}, None),
        ({"code": 10**5000}, None),
        ({"code": ["429"]}, None),
        ({"code": "rate_limit_exceeded"}, 429),
        ({"type": "rate_limit_error"}, 429),
        ({"type": "RateLimitError"}, 429),
        ({"code": "RateLimitReached"}, 429),
        ({"type": "tokens"}, 429),
        ({"code": "insufficient_quota"}, 429),
        ({"type": "exceeded_current_quota_error"}, 429),
        ({"type": "server_error"}, 500),
        ({"type": "internal_server_error"}, 500),
        ({"type": "InternalServerError"}, 500),
        ({"type": "api_error"}, 500),
        ({"type": "overloaded_error"}, 503),
        ({"type": "service_unavailable"}, 503),
        ({"type": "timeout_error"}, 504),
        ({"type": "invalid_request_error", "code": "weird"}, 400),
        ({"code": "invalid_api_key", "type": "invalid_request_error"}, 401),
        ({"status": "UNAVAILABLE"}, 503),
        ({"status": 429}, 429),
        ({"status_code": 500}, 500),
        ({"type": "error"}, None),
        ({"type": "something_new"}, None),
        ({}, None),
    ],
)
def test_a_status_is_known_from_code_type_or_status_name(error: dict[str, Any], status: int | None):
    found = find_error({"error": {"message": "m", **error}})
    assert found is not None
    assert found.message == "m"
    assert found.status == status
