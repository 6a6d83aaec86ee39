"""Sealed secrets: they open where they belong, and nowhere else."""

from __future__ import annotations

import base64
import traceback

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connector.errors import VaultError
from connector.vault import Vault, new_key

OLD, NEW = ("k1", bytes(range(32))), ("k2", bytes(range(32, 64)))
ROW = "connection:7:api_key"
vault = Vault([NEW, OLD])


@given(st.text(), st.text())
def test_what_was_sealed_opens(plain: str, row: str) -> None:
    assert vault.open(vault.seal(plain, bound_to=row), bound_to=row) == plain


@given(st.text(), st.text(), st.text())
def test_a_sealed_secret_moved_to_another_row_stays_shut(plain: str, row: str, other: str) -> None:
    assume(row != other)
    sealed = vault.seal(plain, bound_to=row)

    with pytest.raises(VaultError):
        vault.open(sealed, bound_to=other)


@given(st.text(), st.data())
def test_any_changed_byte_keeps_it_shut(plain: str, data: st.DataObject) -> None:
    sealed = bytearray(vault.seal(plain, bound_to=ROW).encode())
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 127))

    with pytest.raises(VaultError):
        vault.open(sealed.decode(), bound_to=ROW)


@given(st.text(), st.data())
def test_any_cut_keeps_it_shut(plain: str, data: st.DataObject) -> None:
    sealed = vault.seal(plain, bound_to=ROW)

    with pytest.raises(VaultError):
        vault.open(sealed[: data.draw(st.integers(0, len(sealed) - 1))], bound_to=ROW)


@given(st.text())
def test_text_that_was_never_sealed_is_refused(text: str) -> None:
    with pytest.raises(VaultError):
        vault.open(text, bound_to=ROW)
    with pytest.raises(VaultError):
        vault.needs_reseal(text)


def test_another_spelling_of_the_same_bytes_is_refused() -> None:
    """The last sign of unpadded base64 has spare bits, which decoding ignores."""
    sealed = vault.seal("a", bound_to=ROW)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spelled = sealed[:-1] + alphabet[alphabet.index(sealed[-1]) ^ 1]

    with pytest.raises(VaultError):
        vault.open(spelled, bound_to=ROW)


def test_two_seals_of_one_secret_differ() -> None:
    assert vault.seal("secret", bound_to=ROW) != vault.seal("secret", bound_to=ROW)


def test_the_form_names_version_and_key() -> None:
    version, key_id, _ = vault.seal("secret", bound_to=ROW).split(".")

    assert (version, key_id) == ("v1", "k2")


def test_a_new_key_opens_old_seals_and_asks_to_reseal() -> None:
    sealed = Vault([OLD]).seal("secret", bound_to=ROW)

    assert vault.open(sealed, bound_to=ROW) == "secret"
    assert vault.needs_reseal(sealed)
    assert not vault.needs_reseal(vault.seal("secret", bound_to=ROW))


def test_a_missing_key_is_named() -> None:
    sealed = vault.seal("secret", bound_to=ROW)

    with pytest.raises(VaultError, match="'k2'"):
        Vault([OLD]).open(sealed, bound_to=ROW)


def test_another_key_under_the_same_id_does_not_open() -> None:
    sealed = vault.seal("secret", bound_to=ROW)

    with pytest.raises(VaultError, match="another key has this id"):
        Vault([("k2", OLD[1])]).open(sealed, bound_to=ROW)


def test_errors_hold_neither_plain_text_nor_key() -> None:
    sealed = vault.seal("hunter2", bound_to=ROW)

    with pytest.raises(VaultError) as caught:
        vault.open(sealed, bound_to="connection:8:api_key")

    said = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert "hunter2" not in said
    assert repr(NEW[1]) not in said
    assert sealed not in said


@pytest.mark.parametrize("keys", [[], [OLD, OLD], [("", OLD[1])], [("a.b", OLD[1])], [("k1", b"short")]])
def test_a_vault_refuses_unfit_keys(keys: list[tuple[str, bytes]]) -> None:
    with pytest.raises(ValueError, match="key"):
        Vault(keys)


def test_a_new_key_fits_the_vault() -> None:
    key_id, _, encoded = new_key().partition(":")
    fresh = Vault([(key_id, base64.urlsafe_b64decode(encoded + "="))])

    assert fresh.open(fresh.seal("secret", bound_to=ROW), bound_to=ROW) == "secret"
    assert new_key() != new_key()
