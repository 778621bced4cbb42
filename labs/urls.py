"""Pages of the room."""

from django.contrib.auth import views as auth
from django.urls import path
from django.views.generic import TemplateView

page = TemplateView.as_view(template_name="portal/home.html")
app_name = "labs"
urlpatterns = [
    path("sign-in/", auth.LoginView.as_view(template_name="labs/sign_in.html"), name="sign-in"),
    path("sign-out/", auth.LogoutView.as_view(), name="sign-out"),
    path("account/", page, name="account"),
    path("account/tokens/", page, name="tokens"),
    path("lab/", page, name="lab"),
    path("labs/switch/", page, name="switch"),
]
