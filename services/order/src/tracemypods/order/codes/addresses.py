"""Exactly one plain e-mail address."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email

from tracemypods.kit.errors import FieldError, InvalidRequest
from tracemypods.mail.addresses import is_address


def plain_address(text: str, *, local_names: bool) -> str:
    """An address in its normal form, in ASCII: a domain with other letters in its IDNA form.

    Lists, display names, comments and quoted parts are no plain addresses. `local_names` allows
    domains that exist on this machine or in documentation only, such as `example.test`.

    Raises InvalidRequest with the field `email`.
    """
    try:
        found = validate_email(
            text,
            check_deliverability=False,
            allow_quoted_local=False,
            allow_domain_literal=False,
            allow_display_name=False,
            test_environment=local_names,
        )
    except EmailNotValidError as error:
        raise _wrong(str(error)) from None
    if found.ascii_email is None:
        raise _wrong("only the part behind the @ may have other letters than ASCII's")
    if not is_address(found.ascii_email):
        raise _wrong("it is too long, or of a kind that no mail is sent to here")
    return found.ascii_email


def same(one: str, other: str) -> bool:
    """Whether two normal addresses are one person's: case makes no difference in practice."""
    return key(one) == key(other)


def key(address: str) -> str:
    """What stands for an address in counters and indexes."""
    return address.casefold()


def _wrong(why: str) -> InvalidRequest:
    message = f"send one plain address: {why}"
    return InvalidRequest(
        f"The request is not valid: email: {message}",
        errors=[FieldError(field="email", message=message)],
    )
