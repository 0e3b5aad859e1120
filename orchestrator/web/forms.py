"""Forms of the shell, and the base of all forms on pages."""

from django import forms
from django.forms.renderers import DjangoTemplates


class PageForm(forms.Form):
    # The widgets' templates are Django's own; this renderer finds them without an entry in INSTALLED_APPS.
    default_renderer = DjangoTemplates()


class SignInForm(PageForm):
    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    password = forms.CharField(
        max_length=1024,  # what is hashed must have an end
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
