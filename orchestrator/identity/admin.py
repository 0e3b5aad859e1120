"""Operators' pages. Writes go through the services, so that they are events like any other; secrets are nowhere."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest

from orchestrator.api.admin.acts import Act, ActingAdmin, Said, operator
from orchestrator.api.admin.base import LargeAdmin, ServiceAdmin
from orchestrator.api.admin.exports import ExportMixin
from orchestrator.api.admin.filters import OrgFilter
from orchestrator.identity import services
from orchestrator.identity.actors import Actor
from orchestrator.identity.models import ApiKey, Membership, Organization, TokenFamily, User

admin.site.unregister(Group)  # nothing here asks for groups: roles are per organization


@admin.register(User)
class UserAdmin(ExportMixin, DjangoUserAdmin):
    add_form = AdminUserCreationForm
    ordering = ("email",)
    list_display = ("email", "name", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("email", "name")
    date_hierarchy = "created_at"
    show_full_result_count = False
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
    date_hierarchy = "created_at"
    ordering = ("slug",)
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
    list_filter = (OrgFilter, "role")
    date_hierarchy = "created_at"
    ordering = ("-id",)
    search_fields = ("user__email", "org__slug", "org__name")
    raw_id_fields = ("user", "org")  # an autocomplete does nothing without JavaScript

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


def _revoke(actor: Actor, key: ApiKey, said: Said) -> None:
    services.revoke_api_key(actor=actor, key_id=key.pk)


@admin.register(ApiKey)
class ApiKeyAdmin(ActingAdmin):
    list_display = ("name", "prefix", "org", "scopes", "runtime_agent_id", "last_used_at", "expires_at", "revoked_at")
    list_filter = (OrgFilter, ("revoked_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "prefix", "org__slug")
    date_hierarchy = "created_at"
    ordering = ("-id",)
    fields = (
        "id", "name", "prefix", "org", "scopes", "runtime_agent_id", "created_by", "created_at", "last_used_at",
        "expires_at", "revoked_at",
    )  # fmt: skip
    acts = (Act("revoke", "Revoke", "Revoked", _revoke, asks="The key stops working at once, and for good."),)


@admin.register(TokenFamily)
class TokenFamilyAdmin(LargeAdmin):
    list_display = ("id", "user", "org", "created_at", "expires_at", "revoked_at")
    list_filter = (OrgFilter, ("revoked_at", admin.EmptyFieldListFilter))
    search_fields = ("user__email",)
    fields = ("id", "user", "org", "created_at", "expires_at", "revoked_at")
