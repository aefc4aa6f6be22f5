import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.crypto import Undecipherable, decrypt, encrypt, from_text, keyed_digest, new_key, to_text

KEY, OTHER = new_key(), new_key()


@given(st.binary(max_size=200), st.text(max_size=40), st.integers(1, 255))
def test_what_is_encrypted_opens_under_the_same_key_and_context(value: bytes, context: str, version: int) -> None:
    sealed = encrypt(KEY, value, context=context, version=version)
    assert sealed[0] == version
    assert decrypt({version: KEY}, from_text(to_text(sealed)), context=context) == value


@given(st.binary(min_size=1, max_size=60), st.data())
def test_any_altered_byte_is_noticed(value: bytes, data: st.DataObject) -> None:
    sealed = bytearray(encrypt(KEY, value, context="c"))
    position = data.draw(st.integers(0, len(sealed) - 1))
    sealed[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Undecipherable):
        decrypt({sealed[0]: KEY}, bytes(sealed), context="c")


@pytest.mark.parametrize(
    ("keys", "context"), [({1: OTHER}, "name|per_1"), ({1: KEY}, "name|per_2"), ({2: KEY}, "name|per_1"), ({}, "x")]
)
def test_another_key_person_or_label_opens_nothing(keys: dict[int, bytes], context: str) -> None:
    sealed = encrypt(KEY, b"Ada", context="name|per_1")
    with pytest.raises(Undecipherable):
        decrypt(keys, sealed, context=context)


def test_equal_values_do_not_look_equal() -> None:
    assert encrypt(KEY, b"Ada", context="c") != encrypt(KEY, b"Ada", context="c")


@pytest.mark.parametrize("text", ["é", "a=b", "a b", "+/+/", "A", "abc\n"])
def test_other_text_is_not_base64url(text: str) -> None:
    with pytest.raises(Undecipherable):
        from_text(text)


def test_digests_are_keyed_and_framed() -> None:
    assert keyed_digest(KEY, "ssn", "1") == keyed_digest(KEY, "ssn", "1")
    assert keyed_digest(KEY, "ssn", "1") != keyed_digest(OTHER, "ssn", "1")
    assert keyed_digest(KEY, "ab", "c") != keyed_digest(KEY, "a", "bc")


def test_a_key_has_32_bytes_and_a_version_fits_its_byte() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        encrypt(b"short", b"", context="c")
    with pytest.raises(ValueError, match="version"):
        encrypt(KEY, b"", context="c", version=256)
