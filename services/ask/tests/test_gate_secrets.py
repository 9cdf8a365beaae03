"""What looks like a secret, and what does not. All of them are made up."""

from __future__ import annotations

import pytest

from tracemypods.ask.semantic.secret_patterns import has_secret

LETTERS = "aB3dE6gH9jK2mN5pQ8sT1vW4xY7z"


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
        "-----BEGIN PRIVATE KEY-----",
        "my key is AKIA" + "ABCDEFGHIJKLMNOP",
        "use ghp_" + LETTERS,
        "github_pat_" + LETTERS,
        "glpat-" + LETTERS,
        "sk-" + LETTERS,
        "sk-proj-" + LETTERS,
        "sk_live_" + LETTERS,
        "rzp_test_" + LETTERS,
        "xoxb-" + "1234567890-abc",
        "AIza" + LETTERS + "abcdef",
        "hf_" + LETTERS,
        "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxIn0.abc",
        "postgres://app:hunter2@db:5432/app",
        "Authorization: Bearer " + LETTERS,
        "Authorization: Basic dXNlcjpwYXNzd29yZA==",
        "password=hunter2",
        "My password is Tr0ub4dor",
        'api_key = "abc123def"',
        "DB_PASSWORD: s3cret!",
        "the secret was opensesame",
        '{"token": "abcd1234"}',
        "PIN: 4711",
        "What does " + "f3a9c1e07b6d4285f3a9c1e07b6d4285 mean?",
        "Why does 0123456789abcdef0123456789abcdef01234567 fail?",
        "decode " + "aGVsbG8gd29ybGQsIHRoaXMgaXMgNDI=",
    ],
)
def test_what_is_found(text: str) -> None:
    assert has_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "How do I reset my password?",
        "What is a secret in Kubernetes?",
        "What is a token?",
        "The token is invalid",
        "My password is not accepted",
        "password: <your password>",
        "API_KEY=your-api-key",
        "export TOKEN=$TOKEN",
        "How do I set spec.template.spec.containers?",
        "kubectl logs my-application-deployment-7f9c5d6b8-x2k4p",
        "/usr/local/share/applications/something",
        "internationalisation of telecommunications",
        "supercalifragilisticexpialidocious",
        "version 10.2.31 of 2026-11-24",
        "What is 12345678901234567890 + 1?",
        "The key is under the mat, said the pin",
    ],
)
def test_what_is_not(text: str) -> None:
    assert not has_secret(text)
