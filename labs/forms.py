"""Forms of people and labs."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, SetPasswordForm
from django.contrib.auth.password_validation import password_validators_help_texts
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from labs.models import Lab, Role, Scope, User

LIFETIMES = [
    ("30", _("30 days")),
    ("90", _("90 days")),
    ("365", _("one year")),
    ("", _("no end")),
]


def new_password_field(label: Any) -> forms.CharField:
    """Return a field for a new password that says the rules."""
    return forms.CharField(
        label=label,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=" ".join(str(text) for text in password_validators_help_texts()),
    )


class SignInForm(AuthenticationForm):
    """Asks for e-mail address and password."""

    error_messages = {
        "invalid_login": _(
            "This e-mail address and password don't belong together. Both mind upper and lower "
            "case in the password; after several wrong tries the site makes you wait."
        ),
        "inactive": _("This account is closed."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].widget.attrs |= {"autocomplete": "username", "type": "email"}


class RegisterForm(forms.Form):
    """A new person's name and password; the address is the invitation's."""

    name = forms.CharField(
        label=_("Your name"),
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        help_text=_("As others of the lab should see it."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"] = new_password_field(_("Password"))


class NameForm(forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )


class ResetPasswordForm(SetPasswordForm):
    """Sets a new password, with the rules in words."""

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        self.fields["new_password1"].help_text = " ".join(
            str(text) for text in password_validators_help_texts()
        )


class TokenForm(forms.Form):
    name = forms.CharField(
        label=_("What is it for"),
        max_length=80,
        widget=forms.TextInput(attrs={"placeholder": _("analysis script on my laptop")}),
    )
    scopes = forms.MultipleChoiceField(
        label=_("It may"),
        choices=Scope.choices,
        initial=[Scope.READ],
        widget=forms.CheckboxSelectMultiple,
    )
    lifetime = forms.ChoiceField(
        label=_("It ends after"), choices=LIFETIMES, required=False, initial="90"
    )

    def expires_at(self) -> datetime | None:
        """Return the end of the last day, or None for a token without end."""
        days = self.cleaned_data["lifetime"]
        if not days:
            return None
        last = timezone.localdate() + timedelta(days=int(days))
        return timezone.make_aware(datetime.combine(last, time.max))


class LabForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120)
    description = forms.CharField(
        label=_("Description"), required=False, widget=forms.Textarea, max_length=4000
    )

    @classmethod
    def of(cls, lab: Lab, data: Any = None) -> LabForm:
        return cls(
            data,
            initial={"name": lab.name, "description": lab.description},
            auto_id="id_lab_%s",
        )


class InviteForm(forms.Form):
    email = forms.EmailField(label=_("E-mail address"))
    role = forms.ChoiceField(
        label=_("Role"),
        choices=Role.choices,
        initial=Role.MEMBER,
        help_text=_("Guests look, members work, managers also invite and remove."),
    )

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).strip().lower()


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices)


class SharedAccountForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120)
    email = forms.EmailField(
        label=_("E-mail address"), help_text=_("Used to sign in; it needn't receive mail.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"] = new_password_field(_("Password"))

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).strip().lower()


class SharedPasswordForm(forms.Form):
    password = forms.CharField(strip=False, max_length=200)
