"""Personal tokens: services and API."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from labs.exceptions import Refused
from labs.models import ApiToken, User
from labs.services.accounts import (
    MOST_TOKENS,
    account_rename,
    account_set_password,
    token_create,
    token_revoke,
)
from tests.labs.factories import PASSWORD, make_lab, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def person() -> User:
    return make_user(make_lab())


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_a_token_is_kept_as_a_hash_and_brings_reading_along(person: User) -> None:
    token, secret = token_create(user=person, name="x", scopes=["run"])
    assert secret not in str(ApiToken.objects.values().get())
    assert secret.startswith(token.prefix)
    assert token.scopes == ["read", "run"]


@pytest.mark.parametrize("scopes", [[], ["root"], ["read", "root"]])
def test_unknown_or_missing_scopes_are_refused(person: User, scopes: list[str]) -> None:
    with pytest.raises(Refused, match="scopes"):
        token_create(user=person, name="x", scopes=scopes)


def test_an_expiry_in_the_past_is_refused(person: User) -> None:
    with pytest.raises(Refused, match="past"):
        token_create(user=person, name="x", scopes=["read"], expires_at=timezone.now())


def test_there_is_an_end_to_tokens(person: User) -> None:
    for _ in range(MOST_TOKENS):
        token_create(user=person, name="x", scopes=["read"])
    with pytest.raises(Refused, match="revoke one"):
        token_create(user=person, name="x", scopes=["read"])


def test_a_token_opens_the_api_until_it_is_revoked(client: Client, person: User) -> None:
    token, secret = token_create(user=person, name="x", scopes=["read"])
    answer = client.get("/api/v1/me/", headers=bearer(secret))
    assert answer.status_code == 200
    assert answer.json()["email"] == person.email
    assert answer.json()["scopes"] == ["read"]
    token_revoke(token=token)
    answer = client.get("/api/v1/me/", headers=bearer(secret))
    assert answer.status_code == 401
    assert "revoked" in answer.json()["detail"]


def test_an_expired_token_and_a_closed_account_are_turned_away(
    client: Client, person: User
) -> None:
    token, secret = token_create(user=person, name="x", scopes=["read"])
    ApiToken.objects.filter(pk=token.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get("/api/v1/me/", headers=bearer(secret)).status_code == 401
    _, secret = token_create(user=person, name="y", scopes=["read"])
    person.is_active = False
    person.save()
    assert client.get("/api/v1/me/", headers=bearer(secret)).status_code == 401


def test_nothing_but_the_first_answer_holds_a_secret(client: Client, person: User) -> None:
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    wanted = {"name": "laptop", "scopes": ["read", "write"]}
    made = client.post("/api/v1/tokens/", wanted, content_type="application/json")
    assert made.status_code == 201
    secret = made.json()["secret"]
    for address in ("/api/v1/tokens/", f"/api/v1/tokens/{made.json()['id']}/", "/account/tokens/"):
        answer = client.get(address)
        assert answer.status_code == 200
        assert secret not in answer.content.decode()
        assert "hash" not in answer.content.decode()


def test_a_token_makes_no_other_token_and_a_reading_one_revokes_none(
    client: Client, person: User
) -> None:
    _, reader = token_create(user=person, name="reader", scopes=["read"])
    token, writer = token_create(user=person, name="writer", scopes=["write"])
    wanted = {"name": "child", "scopes": ["read"]}
    for secret in (reader, writer):
        answer = client.post(
            "/api/v1/tokens/", wanted, content_type="application/json", headers=bearer(secret)
        )
        assert answer.status_code == 403
    address = f"/api/v1/tokens/{token.public_id}/"
    assert client.delete(address, headers=bearer(reader)).status_code == 403
    assert client.delete(address, headers=bearer(writer)).status_code == 204
    assert ApiToken.objects.filter(name="child").count() == 0
    token.refresh_from_db()
    assert token.revoked_at is not None


def test_other_peoples_tokens_do_not_exist(client: Client, person: User) -> None:
    token, _ = token_create(user=make_user(), name="theirs", scopes=["read"])
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(f"/api/v1/tokens/{token.public_id}/").status_code == 404
    assert client.delete(f"/api/v1/tokens/{token.public_id}/").status_code == 404
    assert client.post(f"/account/tokens/{token.public_id}/revoke/").status_code == 404
    token.refresh_from_db()
    assert token.revoked_at is None


def test_a_shared_account_keeps_its_password(person: User) -> None:
    shared = make_user(make_lab(), is_shared=True)
    with pytest.raises(Refused, match="manager"):
        account_set_password(user=shared, password="something else 99")
    shared.refresh_from_db()
    assert shared.check_password(PASSWORD)


def test_a_name_is_needed(person: User) -> None:
    with pytest.raises(Refused):
        account_rename(user=person, name="  ")
    assert account_rename(user=person, name=" Ada ").name == "Ada"
