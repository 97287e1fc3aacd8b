"""Which settings are keys, and that none of them is shown: whole, in pieces, in any usual spelling.

Every secret here is made at run time: no scanner finds one in this file.
"""

from __future__ import annotations

import json
import random
import re
from urllib.parse import quote

import pytest
from litellm_skill import screen
from litellm_skill.screen import Part, Redactor, redact, scan
from litellm_skill.settings import Origin, Setting, Settings


def at_hand(**environment: str) -> tuple[str, ...]:
    return screen.secrets(
        Settings({name: Setting(name, text, Origin.ENVIRONMENT) for name, text in environment.items()})
    )


SERVICE_ACCOUNT = json.dumps(
    {
        "type": "service_account",
        "private_key": "p4ssphrase-in-json",
        "token_uri": "https://oauth.example/token",
        "web": {"client_secret": "s3cond-in-json"},
    }
)


KEYS = [
    ("OPENAI_API_KEY", "plain-words-key", ["plain-words-key"]),
    ("LLM_PROVIDER_API_KEY", "0123456789", ["0123456789"]),
    ("GROQ_API_KEY", 'od"d \\ key/with+all=1', ['od"d \\ key/with+all=1']),
    ("MISTRAL_API_KEY", "schlüssel-123", ["schlüssel-123"]),
    ("HF_TOKEN", "sekritsekrit", ["sekritsekrit"]),
    ("AWS_BEARER_TOKEN_BEDROCK", "bedrock-bearer-1", ["bedrock-bearer-1"]),
    ("AWS_SECRET_ACCESS_KEY", "/slash+first/0123456789", ["/slash+first/0123456789"]),
    ("OPENAI_API_KEY_2", "second-key-2", ["second-key-2"]),
    ("WATSONX_APIKEY", "watson-key-1", ["watson-key-1"]),
    ("PGPASSWORD", "hunter2hunter2", ["hunter2hunter2"]),
    ("db.password", "hunter2hunter2", ["hunter2hunter2"]),
    ("SOME_KEY", "ab12-x", ["ab12-x"]),
    ("ANYTHING", "gs" + "k_" + "Zq81Xw72Vb" * 5, ["gs" + "k_" + "Zq81Xw72Vb" * 5]),
    ("AWS_ACCESS_KEY_ID", "AK" + "IA" + "QWERTYUI23456789", ["AK" + "IA" + "QWERTYUI23456789"]),
    ("DATABASE_URL", "postgres://app" + ":pa%2Fss-1@db/x", ["pa%2Fss-1", "pa/ss-1"]),
    ("OPENAI_BASE_URL", "http://me" + ":t0p-secret@proxy:4000", ["t0p-secret"]),
    ("PIP_INDEX_URL", "https://Zq81Zq81Zq81Zq81@host/simple", ["Zq81Zq81Zq81Zq81"]),
    ("GEMINI_API_BASE", "https://host/v1?key=query-key-1&x=1", ["query-key-1"]),
    ("STORAGE", "Name=a;Account" + "Key=Zm9vYmFyMTIz==;E=b", ["Zm9vYmFyMTIz=="]),
    ("AUTHORIZATION", "Token Zq81Zq81Zq81Zq81Zq", ["Token Zq81Zq81Zq81Zq81Zq", "Zq81Zq81Zq81Zq81Zq"]),
    ("OPENAI_API_KEYS", "Zq81Zq81Zq81Zq81,Yx72Yx72Yx72Yx72", ["Zq81Zq81Zq81Zq81", "Yx72Yx72Yx72Yx72"]),
    ("GCP", SERVICE_ACCOUNT, ["p4ssphrase-in-json", "s3cond-in-json"]),
]


@pytest.mark.parametrize(("name", "value", "hidden"), KEYS, ids=[name for name, *_ in KEYS])  # no value in a report
def test_keys_at_hand(name: str, value: str, hidden: list[str]) -> None:
    found = at_hand(**{name: value, "LLM_MODEL": "openai/test-model"})
    assert set(hidden) <= set(found)
    assert list(found) == sorted(found, key=len, reverse=True)
    for secret in hidden:
        assert secret not in redact(f"it is {secret}: {json.dumps([secret])} {quote(secret)}", found)
        assert scan([Part("x", f"it is {secret}.")], found) or len(secret) < 8 or secret.isalpha()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAI_API_KEY", "EMPTY"),
        ("LM_STUDIO_API_KEY", "lm-studio"),
        ("OLLAMA_API_KEY", "ollama"),
        ("POSTGRES_PASSWORD", "postgres"),
        ("POSTGRES_PASSWORD", "development"),
        ("X_KEY", "abc"),
        ("X_KEY", "1234567"),
        ("X_KEY", "shorty"),
        ("MAX_TOKENS", "4096"),
        ("TOKENIZERS_PARALLELISM", "automatic-1"),
        ("PWD", "/work/place-1"),
        ("OLDPWD", "/work/place-1"),
        ("SSH_AUTH_SOCK", "/tmp/ssh-1/agent.1"),
        ("SSH_KEY_PATH", "keys/deploy-1"),
        ("GIT_CONFIG_KEY_0", "safe.directory"),
        ("GPG_KEY", "0123456789ABCDEF0123456789ABCDEF01234567"),  # a fingerprint, in Python's container images
        ("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/service-account.json"),
        ("TOKEN_URL", "https://login.example/oauth2/token"),
        ("DATABASE_URL", "postgres://postgres:postgres@localhost/postgres"),
        ("KEYBOARD_LAYOUT", "dvorak-1"),
        ("LLM_MODEL", "openai/test-model"),
        ("JSON", "{not json"),
        ("JSON", "[" * 3000),
        ("JSON", '{"a": ' * 3000),
        ("JSON", '{"a": ' * 500 + "1" + "}" * 500),
        ("JSON", '{"a": ' * 100_000 + "1" + "}" * 100_000),
    ],
)
def test_what_is_no_key_stays_readable(name: str, value: str) -> None:
    assert at_hand(**{name: value}) == ()


@pytest.mark.parametrize(
    ("text", "secrets", "shown"),
    [
        ("the key abcd-1234.", ("abcd-1234",), "the key [key]."),
        ("xabcd-1234x", ("abcd-1234",), "x[key]x"),
        ("category cat concatenate", ("cat",), "category [key] concatenate"),
        (r'{"a": "x\nsk-12ab"} x%3Dsk-12ab mask-12ab', ("sk-12ab",), r'{"a": "x\n[key]"} x%3D[key] mask-12ab'),
        ("test-key, test-keys, my-test-key", ("test-key",), "[key], test-keys, my-[key]"),
        ("abcdefgh1 abcdefgh", ("abcdefgh", "abcdefgh1"), "[key] [key]"),
        ("12345678abcdefgh", ("12345678abcd", "5678abcdefgh"), "[key]"),
        ("1234567812345678", ("12345678",), "[key][key]"),
        ("a.c+d(e)f", ("a.c+d(e)f",), "[key]"),
        ("nothing", (), "nothing"),
        ("nothing", ("",), "nothing"),
        ("", ("12345678",), ""),
    ],
)
def test_redacted(text: str, secrets: tuple[str, ...], shown: str) -> None:
    assert redact(text, secrets) == shown


@pytest.mark.parametrize(
    "secret", ['qu"ote\\back', "line\nbreak-1", "sl/ash+plus=eq", "schlüssel-99", "50%&<tag>", "a b c d e f"]
)
def test_every_usual_spelling_is_redacted(secret: str) -> None:
    document = {"error": f"key {secret} refused", secret: [secret]}
    for text in [
        json.dumps(document),
        json.dumps(document, ensure_ascii=False),
        json.dumps({"raw": json.dumps(document)}),
        json.dumps(document).replace("/", "\\/"),
        repr(document),
        f"https://host/?key={quote(secret)}&k={quote(secret, safe='')}&l={quote(secret, safe='').lower()}",
    ]:
        shown = redact(text, (secret,))
        assert "[key]" in shown
        for part in re.findall(r"[\w+=]{4,}", secret):
            assert part not in shown


def test_pieces_give_what_the_whole_gives() -> None:
    """Over alphabets so small that keys begin, overlap and end everywhere."""
    rng = random.Random(20261120)

    def some(letters: str, length: int) -> str:
        return "".join(rng.choice(letters) for _ in range(length))

    for _ in range(1500):
        letters = rng.choice(["ab", "abc-", 'a1\\n"/', "ab %3D\\u0", 'xyzé"/\n'])
        secrets = tuple(some(letters, rng.choice([1, 2, 4, 5, 7, 8, 9, 12, 17])) for _ in range(rng.randint(1, 4)))
        whole = "".join(rng.choice([*secrets, *letters * 2]) for _ in range(rng.randint(0, 30)))
        redactor, at, shown = Redactor(secrets), 0, ""
        while at < len(whole):
            size = rng.choice([0, 1, 1, 2, 3, 7, 20])
            shown += redactor.feed(whole[at : at + size])
            at += size
        assert shown + redactor.flush() == redact(whole, secrets), (secrets, whole)


def test_only_what_may_be_a_key_is_held_back() -> None:
    redactor = Redactor(("abcd-1234", "sk-12"))
    fed = ["Hello ", "a", "b", "out abc", "d-12", "34! sk-", "12", "3 sk-12", ""]
    assert [redactor.feed(piece) for piece in fed] == ["Hello ", "", "", "about ", "", "[key]! ", "", "sk-123 ", ""]
    assert redactor.flush() == "[key]"
    assert redactor.flush() == ""
    assert Redactor(()).feed("abc") == "abc"


def test_a_key_that_never_ends_is_not_kept_in_memory() -> None:
    redactor = Redactor(("a" * 50,))
    shown = "".join(redactor.feed("a" * 1000) for _ in range(200)) + redactor.flush()
    assert shown == "[key]"
    assert len(redactor._text) < 100
