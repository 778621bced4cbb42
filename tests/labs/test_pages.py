"""Pages of people and labs, as a browser meets them."""

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from labs.models import Invitation, Lab, Membership, Role, User
from labs.services.invitations import invitation_create
from tests.labs.factories import PASSWORD, make_lab, make_membership, make_user

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"
STRONG = "seven small silicon slabs"


@pytest.fixture
def lab() -> Lab:
    return make_lab("Glass group")


@pytest.fixture
def manager(lab: Lab) -> User:
    return make_user(lab, Role.MANAGER, name="Ada")


@pytest.fixture
def signed_in(client: Client, manager: User) -> Client:
    client.force_login(manager, backend=BACKEND)
    return client


def text(answer) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_signing_in_leads_to_the_page_that_was_asked_for(client: Client, manager: User) -> None:
    answer = client.get("/lab/")
    assert answer.headers["Location"] == "/sign-in/?next=/lab/"
    answer = client.post(
        "/sign-in/?next=/lab/",
        {"username": manager.email.upper(), "password": PASSWORD, "next": "/lab/"},
    )
    assert answer.headers["Location"] == "/lab/"


def test_a_wrong_password_keeps_the_address_and_says_what_to_check(
    client: Client, manager: User
) -> None:
    answer = client.post("/sign-in/", {"username": manager.email, "password": "wrong"})
    assert manager.email in answer.content.decode()
    assert "don't belong together" in answer.content.decode().replace("&#x27;", "'")


def test_many_wrong_passwords_pause_signing_in_and_say_so(
    client: Client, manager: User, settings: Any
) -> None:
    for _ in range(settings.AXES_FAILURE_LIMIT):
        answer = client.post("/sign-in/", {"username": manager.email, "password": "wrong"})
    assert answer.status_code == 429
    assert "Too many tries" in text(answer)
    assert "15 min" in text(answer)
    for address in (manager.email, manager.email.upper()):
        right = client.post("/sign-in/", {"username": address, "password": PASSWORD})
        assert right.status_code == 429
    other = make_user()
    free = client.post("/sign-in/", {"username": other.email, "password": PASSWORD})
    assert free.status_code == 302


def test_signing_out_ends_the_session(signed_in: Client) -> None:
    assert signed_in.post("/sign-out/").status_code == 302
    assert signed_in.get("/account/").status_code == 302


def test_a_forgotten_password_is_set_anew_through_the_mailed_link(
    client: Client, manager: User
) -> None:
    answer = client.post("/password/reset/", {"email": manager.email}, follow=True)
    assert "Look into your mail" in text(answer)
    (message,) = mail.outbox
    link = re.search(r"http://testserver(\S+)", message.body)[1]
    form = client.get(link, follow=True)
    address = form.redirect_chain[-1][0]
    answer = client.post(address, {"new_password1": STRONG, "new_password2": STRONG}, follow=True)
    assert "new password is set" in text(answer)
    manager.refresh_from_db()
    assert manager.check_password(STRONG)
    assert "This link has ended" in text(client.get(link, follow=True))


def test_an_unknown_address_gets_the_same_answer_and_no_mail(client: Client) -> None:
    answer = client.post("/password/reset/", {"email": "nobody@x.example"}, follow=True)
    assert "Look into your mail" in text(answer)
    assert mail.outbox == []


def test_an_invitation_leads_a_new_person_into_the_lab(
    client: Client, lab: Lab, manager: User
) -> None:
    _, secret = invitation_create(lab=lab, actor=manager, email="new@x.example")
    address = f"/invitations/{secret}/"
    assert "Join Glass group" in text(client.get(address))
    refused = client.post(address, {"name": "Grace", "password": "short"})
    assert 'value="Grace"' in refused.content.decode()
    answer = client.post(address, {"name": "Grace", "password": STRONG}, follow=True)
    assert "Welcome to Glass group" in text(answer)
    assert answer.wsgi_request.user.email == "new@x.example"
    assert client.get(address).status_code == 404


def test_an_invitation_takes_the_account_in_use(client: Client, lab: Lab, manager: User) -> None:
    person = make_user(make_lab("Other"))
    _, secret = invitation_create(lab=lab, actor=manager, email="any@x.example")
    client.force_login(person, backend=BACKEND)
    assert f"signed in as {person.email}" in text(client.get(f"/invitations/{secret}/"))
    answer = client.post(f"/invitations/{secret}/", follow=True)
    assert "Welcome to Glass group" in text(answer)
    assert answer.wsgi_request.lab == lab


def test_a_visit_alone_accepts_nothing(client: Client, lab: Lab, manager: User) -> None:
    _, secret = invitation_create(lab=lab, actor=manager, email="any@x.example")
    client.force_login(make_user(), backend=BACKEND)
    client.get(f"/invitations/{secret}/")
    assert Invitation.objects.get().accepted_at is None


def test_a_wrong_link_says_what_may_have_happened(client: Client) -> None:
    answer = client.get("/invitations/mlmd_nothing/")
    assert answer.status_code == 404
    assert "Ask the manager" in text(answer)


def test_a_manager_gets_the_link_to_hand_over_and_the_mail_goes_out(
    signed_in: Client, lab: Lab
) -> None:
    answer = signed_in.post("/lab/invite/", {"email": "New@x.example", "role": "member"})
    link = re.search(r"http://testserver(/invitations/\S+?/)", answer.content.decode())[1]
    assert link in mail.outbox[0].body
    assert mail.outbox[0].to == ["new@x.example"]
    assert "no-store" in answer.headers["Cache-Control"]
    assert link not in signed_in.get("/lab/").content.decode()


def test_an_invitation_survives_a_mail_server_that_is_down(
    signed_in: Client, settings: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    answer = signed_in.post("/lab/invite/", {"email": "new@x.example", "role": "member"})
    assert "hand the link over yourself" in text(answer)
    assert Invitation.objects.count() == 1


def test_a_refused_invitation_keeps_what_was_typed(signed_in: Client, manager: User) -> None:
    answer = signed_in.post("/lab/invite/", {"email": manager.email, "role": "guest"})
    assert f'value="{manager.email}"' in answer.content.decode()
    assert "already" in text(answer)


def test_members_see_the_lab_but_nothing_of_its_management(
    client: Client, lab: Lab, manager: User
) -> None:
    client.force_login(make_user(lab), backend=BACKEND)
    page = text(client.get("/lab/"))
    assert "Ada" in page
    assert "Invite someone" not in page
    assert client.get("/lab/audit/").status_code == 403
    assert client.post("/lab/invite/", {"email": "a@x.example", "role": "guest"}).status_code == 403


def test_a_manager_changes_roles_and_removes_members(
    signed_in: Client, lab: Lab, manager: User
) -> None:
    membership = Membership.objects.get(user=make_user(lab), lab=lab)
    signed_in.post(f"/lab/members/{membership.pk}/role/", {"role": "guest"})
    membership.refresh_from_db()
    assert membership.role == Role.GUEST
    answer = signed_in.post(f"/lab/members/{membership.pk}/remove/", follow=True)
    assert "stays in the lab" in text(answer)
    assert not Membership.objects.filter(pk=membership.pk).exists()
    own = Membership.objects.get(user=manager, lab=lab)
    answer = signed_in.post(f"/lab/members/{own.pk}/remove/", follow=True)
    assert "last manager" in text(answer)


def test_people_of_other_labs_are_out_of_reach(signed_in: Client) -> None:
    other = make_membership(make_user(), make_lab())
    for action in ("role", "remove", "password"):
        answer = signed_in.post(f"/lab/members/{other.pk}/{action}/", {"role": "guest"})
        assert answer.status_code == 404


def test_switching_the_lab_lasts_and_other_labs_do_not_exist(
    signed_in: Client, manager: User
) -> None:
    second = make_lab("Zirconia group")
    make_membership(manager, second)
    answer = signed_in.post("/lab/switch/", {"lab": second.public_id, "next": "/account/"})
    assert answer.headers["Location"] == "/account/"
    assert signed_in.get("/").wsgi_request.lab == second
    assert signed_in.post("/lab/switch/", {"lab": make_lab().public_id}).status_code == 404
    assert signed_in.post("/lab/switch/", {"lab": "nonsense"}).status_code == 404


def test_switching_leads_nowhere_outside(signed_in: Client, lab: Lab) -> None:
    answer = signed_in.post(
        "/lab/switch/", {"lab": lab.public_id, "next": "https://elsewhere.example/"}
    )
    assert answer.headers["Location"] == "/"


def test_someone_removed_loses_the_lab_at_once(client: Client, lab: Lab, manager: User) -> None:
    person = make_user(lab)
    client.force_login(person, backend=BACKEND)
    assert "Glass group" in text(client.get("/lab/"))
    person.memberships.all().delete()
    assert "don't belong to a lab yet" in text(client.get("/lab/")).replace("&#x27;", "'")


def test_changing_the_password_keeps_this_browser_signed_in(
    signed_in: Client, manager: User
) -> None:
    fields = {"old_password": PASSWORD, "new_password1": STRONG, "new_password2": STRONG}
    assert signed_in.post("/account/password/", fields).status_code == 302
    assert signed_in.get("/account/").status_code == 200
    manager.refresh_from_db()
    assert manager.check_password(STRONG)


def test_the_language_of_the_pages_is_kept_in_the_browser(signed_in: Client) -> None:
    signed_in.post("/account/language/", {"language": "ja"})
    assert signed_in.cookies["django_language"].value == "ja"
    signed_in.post("/account/language/", {"language": "../../etc"})
    assert signed_in.cookies["django_language"].value == "ja"


def test_a_new_token_is_shown_once(signed_in: Client) -> None:
    answer = signed_in.post(
        "/account/tokens/", {"name": "laptop", "scopes": ["read"], "lifetime": "90"}
    )
    secret = re.search(r"mlmd_[\w-]{40,}", answer.content.decode())[0]
    assert signed_in.get("/api/v1/me/", headers={"Authorization": f"Bearer {secret}"}).status_code
    assert secret not in signed_in.get("/account/tokens/").content.decode()
    assert "no-store" in answer.headers["Cache-Control"]


def test_a_name_with_html_in_it_stays_text(signed_in: Client, lab: Lab) -> None:
    make_user(lab, name="<script>alert(1)</script>")
    page = signed_in.get("/lab/").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_operators_find_people_and_labs_in_the_admin_site(client: Client, lab: Lab) -> None:
    operator = make_user(is_staff=True, is_superuser=True)
    client.force_login(operator, backend=BACKEND)
    for model in ("lab", "user", "invitation", "apitoken", "auditevent"):
        assert client.get(f"/admin/labs/{model}/").status_code == 200
    assert client.get(f"/admin/labs/lab/{lab.pk}/change/").status_code == 200
    fields = {
        "email": "made@x.example",
        "name": "Made",
        "usable_password": "true",
        "password1": STRONG,
        "password2": STRONG,
    }
    assert client.post("/admin/labs/user/add/", fields).status_code == 302
    assert User.objects.get(email="made@x.example").check_password(STRONG)
