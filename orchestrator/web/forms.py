"""The forms of the shell."""

from django import forms


class SignInForm(forms.Form):
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
