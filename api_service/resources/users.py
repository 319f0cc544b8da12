"""GET /api/v1/users/me: who one is; for super users GET and POST /users, GET and PATCH /users/<id>: the accounts."""

from http import HTTPStatus
from typing import Any, Final

from flask import Blueprint, Response, jsonify

from api_service import user_list, users
from api_service.auth.helpers import admin_required, login_required
from api_service.auth.password_rules import PasswordRefusedError, check_password
from api_service.auth.tokens import current_user
from api_service.documented import Answer, Call, Header, Parameter, Tag, documented, list_of
from api_service.models import MAX_USER_ID
from api_service.resources import paging
from api_service.resources.request_parts import json_body
from api_service.resources.schemas import CurrentUserBody, NewUserBody, UserBody, UserChangeBody
from api_service.services import services
from api_service.user_list import UserSummary
from service_kit.problems import Problem

blueprint = Blueprint("users", __name__)
_ME: Final = CurrentUserBody()
_USER: Final = UserBody()
_USERS: Final = UserBody(many=True)
_NEW: Final = NewUserBody()
_CHANGE: Final = UserChangeBody()
_ID: Final = Parameter(
    "user_id",
    "The `id` of the account.",
    {"type": "integer", "minimum": 1, "maximum": MAX_USER_ID},
    place="path",
    required=True,
    example=2,
    refused_as="user-not-found",
)
_LOCATION: Final = Header(
    "Location", "The address of what was made", {"type": "string", "pattern": "^/api/v1/users/[0-9]+$"}
)
_EXAMPLE: Final = {
    "id": 2,
    "username": "johndoe",
    "role": "USER",
    "active": True,
    "created_at": "2026-11-23T09:30:00Z",
}


@blueprint.get("/users/me")
@documented(
    Call(
        "me",
        "Who is calling",
        Tag.USERS,
        (Answer("The user of the token", CurrentUserBody, example={"id": 1, "username": "admin", "role": "ADMIN"}),),
    )
)
@login_required
def me() -> dict[str, Any]:
    answer: dict[str, Any] = _ME.dump(current_user())
    return answer


@blueprint.get("/users")
@documented(
    Call(
        "users",
        "The accounts",
        Tag.SUPER_USERS,
        (
            Answer(
                "The latest account first",
                list_of(UserBody, at_most=paging.MAX_LIMIT),
                headers=(paging.TOTAL_COUNT, paging.LINK),
                example=[_EXAMPLE],
            ),
        ),
        paging.PAGE,
    )
)
@admin_required
def list_users() -> Response:
    page = paging.page_of_query()
    found, total = user_list.page_of_users(page.one_more, page.before)
    shown, following = paging.cut(found, page)
    answer = paging.link_next(jsonify(_USERS.dump(shown)), following)
    answer.headers["X-Total-Count"] = str(total)
    return answer


@blueprint.post("/users")
@documented(
    Call(
        "addUser",
        "A new account",
        Tag.SUPER_USERS,
        (
            Answer(
                "The account; who has the password can log in",
                UserBody,
                headers=(_LOCATION,),
                example=_EXAMPLE,
                status=HTTPStatus.CREATED,
            ),
        ),
        body=NewUserBody,
        body_example={"username": "ann", "password": "pelican orbit tuesday glue", "role": "USER"},
        problems=("password-refused", "username-taken"),
    )
)
@admin_required
def add_user() -> Response:
    body = json_body(_NEW)
    if users.find_credentials(body["username"]):  # also when it is added: here it saves the work for the password
        raise users.UserExistsError(f"User {body['username']} exists already.")
    password_hash = _hash_of_new(body["password"], body["username"])
    user = users.add_user(body["username"], password_hash, body["role"], by=current_user().id)
    answer = jsonify(_USER.dump(user))
    answer.status_code = HTTPStatus.CREATED
    answer.headers["Location"] = f"/api/v1/users/{user.id}"
    return answer


@blueprint.get("/users/<int:user_id>")
@documented(
    Call(
        "user",
        "One account",
        Tag.SUPER_USERS,
        (Answer("As in the list", UserBody, example=_EXAMPLE),),
        (_ID,),
    )
)
@admin_required
def show_user(user_id: int) -> dict[str, Any]:
    answer: dict[str, Any] = _USER.dump(_existing(user_id))
    return answer


@blueprint.patch("/users/<int:user_id>")
@documented(
    Call(
        "changeUser",
        "Another role, password or state of an account",
        Tag.SUPER_USERS,
        (Answer("The account as it is now", UserBody, example=_EXAMPLE | {"active": False}),),
        (_ID,),
        body=UserChangeBody,
        body_example={"active": False},
        problems=("password-refused", "last-super-user"),
        description="All of it is changed, or nothing. Whatever is changed ends the user's tokens, but for letting"
        " somebody in again. What is so already is no change.",
    )
)
@admin_required
def change_user(user_id: int) -> dict[str, Any]:
    """Also of oneself, as far as a super user is left; a new password asks for none that is known."""
    body = json_body(_CHANGE)
    user = _existing(user_id)
    if "password" in body:
        body["password_hash"] = _hash_of_new(body.pop("password"), user.username)
    answer: dict[str, Any] = _USER.dump(users.change_user(user.id, users.Changes(**body), by=current_user().id))
    return answer


def _existing(user_id: int) -> UserSummary:
    user = user_list.find_user(user_id)
    if user is None:
        raise users.UnknownUserError(f"There is no user {user_id}.")
    return user


def _hash_of_new(password: str, username: str) -> str:
    check_password(password, username)
    return services().passwords.hash(password)


@blueprint.errorhandler(users.UnknownUserError)
def _unknown(error: users.UnknownUserError) -> Response:
    return Problem(HTTPStatus.NOT_FOUND, "user-not-found", str(error)).response()


@blueprint.errorhandler(users.UserExistsError)
def _taken(error: users.UserExistsError) -> Response:
    return Problem(HTTPStatus.CONFLICT, "username-taken", str(error)).response()


@blueprint.errorhandler(users.LastAdminError)
def _last_admin(error: users.LastAdminError) -> Response:
    return Problem(HTTPStatus.CONFLICT, "last-super-user", str(error)).response()


@blueprint.errorhandler(PasswordRefusedError)
def _refused(error: PasswordRefusedError) -> Response:
    return Problem(HTTPStatus.BAD_REQUEST, "password-refused", str(error)).response()
