import pytest

from benchmarks.http_answers import body_end


@pytest.mark.parametrize(
    ("received", "end"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Le", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{", None),
        (b"HTTP/1.1 200 OK\r\ncontent-length:2\r\n\r\n{}", 39),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 38),
    ],
)
def test_an_answer_ends_where_its_length_says(received: bytes, end: int | None) -> None:
    assert body_end(received) == end


def test_an_answer_of_unknown_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="Content-Length"):
        body_end(b"HTTP/1.1 200 OK\r\n\r\n")
