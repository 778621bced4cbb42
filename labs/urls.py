"""Pages of the room."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from labs.views import account, lab, sign_in

app_name = "labs"
urlpatterns = [
    path("sign-in/", sign_in.SignIn.as_view(), name="sign-in"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("password/reset/", sign_in.PasswordReset.as_view(), name="password-reset"),
    path("password/reset/sent/", sign_in.PasswordResetDone.as_view(), name="password-reset-done"),
    path(
        "password/reset/<uidb64>/<token>/",
        sign_in.PasswordResetConfirm.as_view(),
        name="password-reset-confirm",
    ),
    path("invitations/<str:secret>/", sign_in.invitation, name="invitation"),
    path("account/", account.account, name="account"),
    path("account/password/", account.password, name="password"),
    path("account/language/", account.language, name="language"),
    path("account/tokens/", account.tokens, name="tokens"),
    path("account/tokens/<uuid:public_id>/revoke/", account.token_end, name="token-revoke"),
    path("lab/", lab.lab_page, name="lab"),
    path("lab/switch/", lab.switch, name="switch"),
    path("lab/edit/", lab.edit, name="lab-edit"),
    path("lab/invite/", lab.invite, name="invite"),
    path(
        "lab/invitations/<uuid:public_id>/withdraw/", lab.invitation_end, name="invitation-revoke"
    ),
    path("lab/members/<int:pk>/role/", lab.member_role, name="member-role"),
    path("lab/members/<int:pk>/remove/", lab.member_end, name="member-remove"),
    path("lab/members/<int:pk>/password/", lab.shared_password, name="shared-password"),
    path("lab/shared-account/", lab.shared_account, name="shared-account"),
    path("lab/audit/", lab.audit, name="audit"),
]
