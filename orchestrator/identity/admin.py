"""Operators' pages. Writes go through the services, so that they are events like any other; secrets are nowhere."""

import uuid
from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from orchestrator.core.errors import OrchestratorError
from orchestrator.identity import services
from orchestrator.identity.actors import SCOPES, Actor
from orchestrator.identity.models import ApiKey, Membership, Organization, Role, TokenFamily, User

admin.site.unregister(Group)  # nothing here asks for groups: roles are per organization


def operator(request: HttpRequest, org_id: uuid.UUID) -> Actor:
    """The signed-in superuser, acting in any org; the event names them."""
    assert isinstance(request.user, User)
    return Actor("user", request.user.pk, org_id, frozenset(SCOPES), Role.OWNER)


class ReadOnlyAdmin(admin.ModelAdmin):
    """Shows rows and changes none."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ActingAdmin(ReadOnlyAdmin):
    """Shows rows and acts on them by services, in the operator's name."""

    def each(
        self, request: HttpRequest, rows: Iterable[Any], done: str, act: Callable[[Actor, Any], object],
        name: Callable[[Any], str] = str,
    ) -> None:  # fmt: skip
        """Act on each row, in a transaction of its own; say how many were ``done``, and name what is refused."""
        acted, refused = 0, []
        for row in rows:
            try:
                act(operator(request, row.org_id), row)
                acted += 1
            except OrchestratorError as error:
                refused.append(f"{name(row)}: {error.message}")
        self.message_user(request, f"{done}: {acted}.")
        for reason in refused:
            self.message_user(request, reason, messages.WARNING)


class ServiceAdmin(admin.ModelAdmin):
    """Shows what a service refuses as a message. The admin's own transaction has rolled back by then."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._guarded(request, lambda: super(ServiceAdmin, self).changeform_view(request, *args, **kwargs))

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._guarded(request, lambda: super(ServiceAdmin, self).delete_view(request, *args, **kwargs))

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._guarded(request, lambda: super(ServiceAdmin, self).changelist_view(request, *args, **kwargs))

    def _guarded(self, request: HttpRequest, view: Callable[[], Any]) -> HttpResponse:
        try:
            return view()
        except OrchestratorError as error:
            sentences = error.details or {"": [error.message]}
            self.message_user(request, " ".join(line for lines in sentences.values() for line in lines), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    add_form = AdminUserCreationForm
    ordering = ("email",)
    list_display = ("email", "name", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("email", "name")
    readonly_fields = ("last_login", "created_at")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        ("What they may do here", {"fields": ("is_active", "is_staff", "is_superuser")}),
        ("When", {"fields": ("last_login", "created_at")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "name", "usable_password", "password1", "password2")}),)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        assert isinstance(request.user, User)
        services.save_user(by=request.user, user=obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # what they did names them: deactivate


@admin.register(Organization)
class OrganizationAdmin(ServiceAdmin):
    list_display = ("name", "slug", "id", "created_at")
    search_fields = ("name", "slug")
    fields = ("name", "slug")

    def save_model(self, request: HttpRequest, obj: Organization, form: Any, change: bool) -> None:
        assert isinstance(request.user, User)
        if change:
            services.rename_organization(actor=operator(request, obj.pk), slug=obj.slug, name=obj.name)
        else:
            services.create_organization(slug=obj.slug, name=obj.name, owner=request.user, org_id=obj.pk)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # it would take the append-only log along


@admin.register(Membership)
class MembershipAdmin(ServiceAdmin):
    list_display = ("user", "org", "role", "created_at")
    list_filter = ("role",)
    list_select_related = ("user", "org")
    search_fields = ("user__email", "org__slug", "org__name")
    autocomplete_fields = ("user", "org")

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> tuple[str, ...]:
        return ("user", "org") if obj else ()

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        actor = operator(request, obj.org_id)
        if change:
            services.change_role(actor=actor, member_id=obj.pk, role=obj.role)
        else:
            obj.pk = services.add_member(actor=actor, email=obj.user.email, role=obj.role).pk

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        services.remove_member(actor=operator(request, obj.org_id), member_id=obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        for member in queryset:
            self.delete_model(request, member)


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ("name", "prefix", "org", "scopes", "runtime_agent_id", "last_used_at", "expires_at", "revoked_at")
    list_select_related = ("org",)
    search_fields = ("name", "prefix", "org__slug")
    fields = (
        "name", "prefix", "org", "scopes", "runtime_agent_id", "created_by", "created_at", "last_used_at", "expires_at",
        "revoked_at",
    )  # fmt: skip
    actions = ("revoke",)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("identity.change_apikey")

    @admin.action(description="Revoke the selected keys", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset:
            services.revoke_api_key(actor=operator(request, key.org_id), key_id=key.pk)
        self.message_user(request, f"{len(queryset)} revoked.")


@admin.register(TokenFamily)
class TokenFamilyAdmin(ReadOnlyAdmin):
    list_display = ("id", "user", "org", "created_at", "expires_at", "revoked_at")
    list_select_related = ("user", "org")
    search_fields = ("user__email",)
    fields = ("id", "user", "org", "created_at", "expires_at", "revoked_at")
