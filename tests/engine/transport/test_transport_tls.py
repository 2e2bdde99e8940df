"""TLS over memory: trusted peers only, whatever size the records come in."""

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest
from transport_servers import CHUNKED, OK, answering, body_of, chunked, post, quiet, read_all, read_request, stalling

from tui.core.errors import UsageError
from tui.engine.transport import MeasuringTransport, StockTransport, make_context

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="the certificate is made with openssl")

HELLO = OK + b"Content-Length: 5\r\n\r\nhello"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost, signed by itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    made, key = folder / "certificate.pem", folder / "key.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        ["openssl", "req", "-x509", *curve, "-nodes", "-keyout", key, "-out", made, "-days", "2", *names],
        check=True,
        capture_output=True,
    )
    return made, key


@pytest.fixture
def server_context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


@pytest.fixture
async def trusting(certificate):
    transport = MeasuringTransport(ssl_context=make_context(str(certificate[0])))
    yield transport
    await transport.aclose()
    assert transport.open_connections == 0


async def test_a_trusted_server_is_talked_to_and_its_connection_used_again(serve, trusting, server_context):
    url = await serve(answering(HELLO), context=server_context)
    for reused in (False, True, True):
        response = await trusting.handle_async_request(post(url))
        assert await read_all(response) == b"hello"
        assert response.extensions["weir.instants"].reused == reused
    assert trusting.open_connections == trusting.idle_connections == 1


async def test_tls_1_2_works_too(serve, trusting, server_context):
    server_context.maximum_version = ssl.TLSVersion.TLSv1_2
    url = await serve(answering(HELLO), context=server_context)
    assert await read_all(await trusting.handle_async_request(post(url))) == b"hello"


async def test_a_body_of_many_records_arrives_whole_and_stamped(serve, trusting, server_context):
    pieces = [bytes([i % 256]) * 50_000 for i in range(40)]
    url = await serve(answering(CHUNKED + chunked(*pieces)), context=server_context)
    body = body_of(await trusting.handle_async_request(post(url)))
    reads = []
    while (read := await body.receive()) is not None:
        reads.append(read)
    assert b"".join(piece for read in reads for piece in read.pieces) == b"".join(pieces)
    assert [read.at for read in reads] == sorted(read.at for read in reads)
    assert all(read.stamped == body.kernel_stamped for read in reads)


async def test_a_large_request_goes_through(serve, trusting, server_context):
    url = await serve(answering(HELLO), context=server_context)
    request = httpx.Request("POST", url, content=b"x" * 3_000_000)
    response = await trusting.handle_async_request(request)
    assert response.extensions["weir.instants"].written_at is not None
    assert await read_all(response) == b"hello"


async def test_an_unknown_certificate_is_refused_and_told_from_other_failures(serve, server_context):
    transport = MeasuringTransport()
    url = await serve(answering(HELLO), context=server_context)
    with pytest.raises(httpx.ConnectError, match=rf"certificate of {url[8:]} was refused: self-signed") as caught:
        await transport.handle_async_request(post(url))
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
    assert transport.open_connections == 0


async def test_a_certificate_for_another_name_is_refused(serve, trusting, server_context):
    url = (await serve(answering(HELLO), context=server_context)).replace("localhost", "127.0.0.1")
    with pytest.raises(httpx.ConnectError, match="was refused") as caught:
        await trusting.handle_async_request(post(url))
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


async def test_a_server_without_tls_is_a_connect_error(serve, trusting):
    async def plain(reader, writer):
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    url = (await serve(plain)).replace("http:", "https:")
    with pytest.raises(
        httpx.ConnectError, match=rf"TLS handshake with {url[8:]} failed: .*does not speak TLS .*\(try http://\)"
    ) as caught:
        await trusting.handle_async_request(post(url))
    assert isinstance(caught.value.__cause__, ssl.SSLError)


async def test_a_server_that_closes_during_the_handshake_is_a_connect_error(serve, trusting):
    async def hang_up(reader, writer):
        await reader.read(10)

    url = (await serve(hang_up)).replace("http:", "https:")
    with pytest.raises(httpx.ConnectError, match=f"{url[8:]} closed the connection during the TLS handshake"):
        await trusting.handle_async_request(post(url))


@pytest.mark.looptime
async def test_a_silent_handshake_meets_the_connect_time_out(serve, trusting):
    url = (await serve(quiet)).replace("http:", "https:")
    with pytest.raises(httpx.ConnectTimeout, match="within 3 s"):
        await trusting.handle_async_request(post(url, timeout={"connect": 3.0}))
    assert trusting.open_connections == 0


async def test_a_cut_in_mid_body_is_an_error(serve, trusting, server_context):
    url = await serve(answering(CHUNKED + b"5\r\nhello\r\n", then_close=True), context=server_context)
    response = await trusting.handle_async_request(post(url))
    with pytest.raises(httpx.RemoteProtocolError, match="before the body's end"):
        await read_all(response)


async def test_cancelling_at_any_step_leaves_no_connection(serve, certificate, server_context):
    url = await serve(stalling(CHUNKED), context=server_context)
    context = make_context(str(certificate[0]))
    for steps in range(0, 60, 3):
        transport = MeasuringTransport(ssl_context=context)

        async def use(transport: MeasuringTransport = transport) -> None:
            response = await transport.handle_async_request(post(url))
            try:
                await read_all(response)
            finally:
                await response.aclose()

        task = asyncio.ensure_future(use())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert transport.open_connections == 0


def chain(error: BaseException) -> list[BaseException]:
    """An error and all that led to it."""
    found = [error]
    while (cause := found[-1].__cause__ or found[-1].__context__) is not None:
        found.append(cause)
    return found


async def test_the_stock_transport_keeps_a_refused_certificate_in_the_chain_of_causes(serve, server_context):
    url = await serve(answering(HELLO), context=server_context)
    stock = StockTransport()
    with pytest.raises(httpx.ConnectError, match=rf"certificate of {url[8:]} was refused: self-signed") as caught:
        await stock.handle_async_request(post(url))
    assert any(isinstance(error, ssl.SSLCertVerificationError) for error in chain(caught.value))
    await stock.aclose()


async def test_behind_a_proxy_a_refused_certificate_is_the_server_s(serve, server_context):
    behind = int((await serve(answering(HELLO), context=server_context)).rsplit(":", 1)[1])

    async def tunnel(reader, writer):
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", behind)

        async def pump(source, sink):
            while data := await source.read(1 << 16):
                sink.write(data)
            sink.close()

        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    proxy = await serve(tunnel)
    stock = StockTransport(proxy=proxy, proxy_shown="proxy.test:1 (HTTPS_PROXY)")
    with pytest.raises(httpx.ConnectError, match="certificate of localhost:443 was refused: self-signed") as caught:
        await stock.handle_async_request(post("https://localhost"))
    assert any(isinstance(error, ssl.SSLCertVerificationError) for error in chain(caught.value))
    await stock.aclose()


async def test_the_stock_transport_tells_a_server_without_tls_too(serve):
    async def plain(reader, writer):
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    url = (await serve(plain)).replace("http:", "https:")
    stock = StockTransport()
    with pytest.raises(httpx.ConnectError, match=rf"{url[8:]} failed: .*does not speak TLS") as caught:
        await stock.handle_async_request(post(url))
    assert any(isinstance(error, ssl.SSLError) for error in chain(caught.value))
    await stock.aclose()


@pytest.mark.parametrize("make", [make_context, StockTransport])
@pytest.mark.parametrize(
    ("content", "why"), [(None, "No such file"), (b"", "no certificate"), (b"not a certificate\n", "no certificate")]
)
def test_trusted_roots_that_cannot_be_read_are_a_usage_error(monkeypatch, tmp_path, make, content, why: str):
    roots = tmp_path / "roots.pem"
    if content is not None:
        roots.write_bytes(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(roots))
    with pytest.raises(UsageError, match=why) as caught:
        make()
    assert caught.value.where == "SSL_CERT_FILE"
    assert "PEM" in caught.value.hint


def test_a_folder_of_trusted_roots_that_is_none_is_a_usage_error(monkeypatch, tmp_path):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "missing"))
    with pytest.raises(UsageError, match="missing is no folder") as caught:
        make_context()
    assert caught.value.where == "SSL_CERT_DIR"
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert make_context().verify_mode == ssl.CERT_REQUIRED


@pytest.mark.parametrize("host", [".foo", "a..b", "a" * 64])
async def test_a_host_that_no_certificate_can_have_is_refused_before_connecting(trusting, host: str):
    with pytest.raises(httpx.LocalProtocolError, match="no name that a certificate can have"):
        await trusting.handle_async_request(post(f"https://{host}/v1"))


def test_a_context_that_checks_nothing_is_refused():
    careless = ssl.create_default_context()
    careless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE
    with pytest.raises(ValueError, match="must require a certificate"):
        MeasuringTransport(ssl_context=careless)
