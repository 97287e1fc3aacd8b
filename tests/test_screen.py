"""What is taken for a secret and what is not, which files are refused, and that no key is shown.

Every secret here is made at run time: no scanner finds one in this file.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from litellm_skill import screen, secret_rules
from litellm_skill.faults import SecretFound
from litellm_skill.screen import Finding, Part, scan

ROOT = Path(__file__).resolve().parent.parent
ALNUM, URLSAFE = string.ascii_letters + string.digits, string.ascii_letters + string.digits + "-_"
BASE64, HEX, UPPER = string.ascii_letters + string.digits + "+/", "0123456789abcdef", string.ascii_uppercase + "234567"
rng = random.Random(20261120)


def some(alphabet: str, length: int) -> str:
    return "".join(rng.choice(alphabet) for _ in range(length))


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def pem(kind: str, lines: int = 3) -> str:
    body = "\n".join(some(BASE64, 64) for _ in range(lines))
    return f"-----{'BEGIN'} {kind}-----\n{body}\n-----{'END'} {kind}-----\n"


def planted() -> list[tuple[str, str]]:
    """A secret of every kind, by the rule that must find it."""
    return [
        ("Anthropic key", "sk-ant-" + "api03-" + some(URLSAFE, 93) + "AA"),
        ("Anthropic key", "sk-ant-" + "oat01-" + some(URLSAFE, 80)),
        ("Anthropic key", "sk-ant-" + "admin01-" + some(URLSAFE, 93) + "AA"),
        ("OpenAI key", "sk-" + "proj-" + some(URLSAFE, 74) + "T3Blbk" + "FJ" + some(URLSAFE, 74)),
        ("OpenAI key", "sk-" + "proj-" + some(ALNUM, 48)),
        ("OpenAI key", "sk-" + "svcacct-" + some(URLSAFE, 120)),
        ("OpenAI key", "sk-" + "admin-" + some(URLSAFE, 120)),
        ("key (sk-…)", "sk-" + some(ALNUM, 20) + "T3Blbk" + "FJ" + some(ALNUM, 20)),
        ("key (sk-…)", "sk-" + some(HEX, 32)),
        ("key (sk-…)", "sk-" + "A1" + some(URLSAFE, 20)),
        ("OpenRouter key", "sk-" + "or-v1-" + some(HEX, 64)),
        ("Google API key", "AI" + "za" + "Sy" + some(URLSAFE, 33)),
        ("Google OAuth token", "ya" + "29." + some(URLSAFE, 120)),
        ("Google OAuth token", "GOC" + "SPX-" + some(URLSAFE, 28)),
        ("Groq key", "gs" + "k_" + some(ALNUM, 52)),
        ("xAI key", "xa" + "i-" + some(ALNUM, 80)),
        ("Hugging Face token", "h" + "f_" + some(string.ascii_letters, 34)),
        ("Replicate token", "r" + "8_" + some(ALNUM, 37)),
        ("Perplexity key", "pp" + "lx-" + some(ALNUM, 48)),
        ("Fireworks key", "f" + "w_" + "3Z" + some(ALNUM, 22)),
        ("Together key", "tgp" + "_v1_" + some(URLSAFE, 43)),
        ("Cerebras key", "cs" + "k-" + some(string.ascii_lowercase + string.digits, 48)),
        ("NVIDIA key", "nva" + "pi-" + some(URLSAFE, 64)),
        ("LangSmith key", "ls" + "v2_pt_" + some(HEX, 32) + "_" + some(HEX, 10)),
        ("API key beside its name", "MISTRAL_API" + "_KEY=" + some(ALNUM, 32)),
        ("API key beside its name", "CO_API" + '_KEY: "' + some(ALNUM, 40) + '"'),
        ("API key beside its name", '"azure_api' + '_key": "' + some(HEX, 32) + '"'),
        ("API key beside its name", "x-api" + "-key: " + some(ALNUM, 40)),
        ("authorization header", "Authorization: Bear" + "er " + some(ALNUM, 48)),
        ("AWS access key id", "AK" + "IA" + some(UPPER, 16)),
        ("AWS access key id", "AS" + "IA" + some(UPPER, 16)),
        ("AWS secret access key", "aws_secret_access_key = " + some(BASE64, 40)),
        ("AWS secret access key", '"SecretAccessKey": "' + some(BASE64, 40) + '"'),
        ("AWS session token", "IQoJb3Jp" + "Z2luX2Vj" + some(BASE64, 200)),
        ("Azure storage key", "Account" + "Key=" + some(BASE64, 86) + "=="),
        ("Azure client secret", "Ab1" + "8Q~" + some(ALNUM, 34)),
        ("DigitalOcean token", "dop" + "_v1_" + some(HEX, 64)),
        ("Databricks token", "da" + "pi" + some(HEX, 32)),
        ("HashiCorp Vault token", "hv" + "s." + some(ALNUM, 90)),
        *(("GitHub token", "gh" + kind + "_" + some(ALNUM, 36)) for kind in "pousr"),
        ("GitHub token", "github" + "_pat_" + some(ALNUM, 22) + "_" + some(ALNUM, 59)),
        ("GitLab token", "glp" + "at-" + some(URLSAFE, 20)),
        ("npm token", "np" + "m_" + some(ALNUM, 36)),
        ("PyPI token", "py" + "pi-AgEIcHlwaS5vcmc" + some(URLSAFE, 120)),
        ("Docker token", "dck" + "r_pat_" + some(URLSAFE, 27)),
        ("Slack token", "xo" + "xb-" + some(string.digits, 12) + "-" + some(string.digits, 12) + "-" + some(ALNUM, 24)),
        ("Slack token", "xa" + "pp-1-A" + some(UPPER, 10) + "-" + some(string.digits, 13) + "-" + some(HEX, 64)),
        ("Slack webhook", "https://hooks.slack" + ".com/services/T" + some(UPPER, 9) + "/B2" + some(ALNUM, 34)),
        (
            "Discord webhook",
            "https://discord.com/api" + "/webhooks/" + some(string.digits, 19) + "/" + some(URLSAFE, 68),
        ),
        ("Telegram bot token", some("123456789", 10) + ":A" + "A" + some(URLSAFE, 33)),
        *(("Stripe key", kind + "_" + some(ALNUM, 24)) for kind in ("sk" + "_live", "rk" + "_live", "sk" + "_test")),
        ("Stripe webhook secret", "wh" + "sec_" + some(ALNUM, 32)),
        ("SendGrid key", "S" + "G." + some(URLSAFE, 22) + "." + some(URLSAFE, 43)),
        ("Twilio key", "S" + "K" + some(HEX, 32)),
        ("Twilio auth token", "TWILIO_AUTH" + "_TOKEN=" + some(HEX, 32)),
        ("Mailgun key", "ke" + "y-" + some(HEX, 32)),
        ("Shopify token", "shp" + "at_" + some(HEX, 32)),
        ("Notion token", "nt" + "n_" + some(ALNUM, 46)),
        ("Linear key", "lin" + "_api_" + some(ALNUM, 40)),
        ("Atlassian token", "ATA" + "TT3" + some(URLSAFE, 180)),
        ("Grafana token", "gls" + "a_" + some(ALNUM, 32) + "_" + some(HEX, 8)),
        *(("private key", pem(kind)) for kind in ("PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY")),
        ("private key", pem("EC PRIVATE KEY", lines=2)),
        ("private key", pem("PGP PRIVATE KEY BLOCK").replace("-----\n", "-----\nVersion: GnuPG v2\n\n", 1)),
        ("private key", pem("ENCRYPTED PRIVATE KEY").replace("\n", "\\n")),  # in JSON
        ("private key", pem("RSA PRIVATE KEY").replace("\n", "\n+")),  # in a diff
        ("private key", pem("RSA PRIVATE KEY").replace("\n", '\\n"\n    "')),  # in source code
        ("private key", "-----" + "BEGIN OPENSSH PRIVATE KEY-----\n"),  # the rest was cut off
        ("age private key", "AGE-SECRET" + "-KEY-1" + some(UPPER, 58)),
        ("JSON Web Token", f"{encoded({'alg': 'HS256'})}.{encoded({'sub': 'me', 'exp': 1})}.{some(URLSAFE, 43)}"),
        (
            "JSON Web Token",
            f"{encoded({'typ': 'JWT', 'alg': 'ES256'})}.{encoded({'a': 'b' * 900})}.{some(URLSAFE, 86)}",
        ),
        ("password in a URL", "postgres://app:" + "S3cr3t-Pw" + "@db.example.com:5432/app"),
        ("password in a URL", "redis://:" + some(ALNUM, 16) + "@cache:6379"),
        ("password in a URL", "mongodb+srv://app:" + "p%40ss%2Fw0rd" + "@cluster0.example.net"),
        ("password in a URL", "https://deploy:" + some(ALNUM, 12) + "@${HOST}/simple"),
    ]


PLANTED = planted()


def test_the_corpus_has_a_secret_for_every_rule() -> None:
    assert {rule for rule, _ in PLANTED} == {rule.name for rule in secret_rules.rules()}
    assert len(PLANTED) > 30


AROUND = ["{}", "one\ntwo {} and more\n", '  "it": "{}",', "`{}`.", "url?k={}&x=1", "({})", "\u4f60\u597d{}\u3002"]


@pytest.mark.parametrize(("rule", "secret"), PLANTED, ids=[f"{n}-{rule}" for n, (rule, _) in enumerate(PLANTED)])
def test_planted_secrets_are_found(rule: str, secret: str) -> None:
    for text in (around.format(secret) for around in AROUND):
        found = scan([Part("a.py", text)])
        assert Finding(rule, "a.py", text[: text.index(secret)].count("\n") + 1) in found
        assert secret not in repr(found)


@pytest.mark.parametrize("before", [r"\n", r"\t", "%3D", r"\u003d", "+", "-"])
def test_escapes_and_diffs_do_not_hide_a_secret(before: str) -> None:
    missed = [rule for rule, secret in PLANTED if not scan([Part("x", f'say = "key:{before}{secret}"')])]
    assert missed == []


def test_a_found_secret_is_named_by_rule_source_and_line_only() -> None:
    found = PLANTED[0][1]
    parts = [
        Part("the system prompt", "x"),
        Part("the prompt", f"a\nb\n{found} {found}\n"),
        Part("f.py", f"File: f.py\n```py\n{found}\n```", heading=2),
        Part("the diff", f"Changes:\n```diff\n{found}\n\n{PLANTED[3][1]}\n```", heading=2),
        Part(f"{found}.txt", f"File: {found}.txt\n```\n\n```", heading=2),
    ]
    findings = scan(parts)
    assert findings[:4] == [
        Finding("Anthropic key", "the prompt", 3),
        Finding("Anthropic key", "f.py", 1),
        Finding("Anthropic key", "the diff", 1),
        Finding("OpenAI key", "the diff", 3),
    ]
    with pytest.raises(SecretFound) as caught:
        screen.refuse(findings[:4])
    fault = caught.value
    assert fault.exit_code == 12
    assert fault.message == (
        "a secret would have been sent: Anthropic key in the prompt, line 3; Anthropic key in f.py, line 1; "
        "Anthropic key in the diff, line 1; and 1 more"
    )
    assert fault.hint == "take it out, or add --allow-secrets if it may be sent"
    assert [one.line for one in findings[4:]] == [1]  # a file's name is sent, too
    screen.refuse([])


def test_a_message_is_short_and_shows_no_secret_that_is_a_name() -> None:
    secret = "gh" + "p_" + some(ALNUM, 36)
    for name in (f"{secret}.txt", f"{'deep/' * 100}{secret}.txt", "deep/" * 100):
        with pytest.raises(SecretFound) as caught:
            screen.refuse(scan([Part(f"{name}{n}", secret) for n in range(5)]))
        assert len(caught.value.message) <= 400
        assert secret[10:] not in caught.value.message


# What must pass

EXAMPLES = [
    "set OPENAI_API"
    + "_KEY=sk-... or sk-xxxx, sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx, sk-proj-xxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "api_key: your-api-key, YOUR_API_KEY, <your-api-key>, sk-your-openai-api-key-goes-here-1, sk-ant-your-key-000001",
    "ANTHROPIC_API" + "_KEY=sk-ant-api03-...; GROQ_API" + "_KEY=gsk_" + "x" * 48 + "; sk-ant-" + "a" * 90,
    "AKIA" + "IOSFODNN7EXAMPLE with wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY as the AWS secret",
    "token: xox" + "b-your-token, ghp_" + "x" * 36 + ", ghp_" + "0" * 36 + " hf_xxx gsk_... glpat-" + "*" * 20,
    'api_key=os.environ["MISTRAL_API' + '_KEY"], api_key=settings.providers.mistral.credentials.api_key_of_the_user',
    "api_key = get_api_key_from_the_environment_or_raise_an_error(provider)  # sk-learn-contrib-project-template",
    "Authorization: Bear" + "er $OPENAI_API" + "_KEY, Bearer {token}, Bearer <access-token-of-your-account-goes-here>",
    "postgres://user:password@localhost, http://postgres:postgres@db, redis://:${REDIS_PASSWORD}@cache:6379",
    "https://user:<password>@host, https://u:{pw}@h, ftp://me:***@h, http://x:$PASS@h, amqp://guest:guest@mq, s3://a:b@c",
    'f"{scheme}://{user}:{password}@{host}" and r"://[^:]+:[^@]+@" and git@github.com:me/x.git and docker://a:1.2.3@sha256:0',
    "https://example.com:8080/@scope/package and http://host/a:b@c and mailto:me@example.com",
    'if text.startswith("-----' + 'BEGIN RSA PRIVATE KEY-----"): return Pem  # then base64 lines follow',
    "-----" + "BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----",
    "-----"
    + "BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQQG\n-----END CERTIFICATE-----",
    "eyJhbGciOiJIUzI1NiJ9 alone, eyJ0b29sIjoieCJ9.eyJhIjoxfQ.c2lnbmF0dXJlb2Ygc29tZXRoaW5n has no alg; a.b.c",
    "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com,sk-ssh-ed25519-cert-v01@openssh.com",
    "hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
    "arn:aws:policy/AWSEC2CapacityReservationFleetRolePolicy, AllowEc2InstancesWithEncryptedEbsVolumes",
    "aws commit 9fceb02d0ae598e95dc970b74767f19372d61af8, secret of da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "http://docs.aws.amazon.com/AmazonS3/latest/dev/UploadingObjects.html is about the secret access key",
    "npm_config_registry, npm_package_json, pypi-attestations, hf_hub_download, gsk_window_surface, SK_ALL, key-value",
    '.sk-folding-cube .sk-cube{-webkit-transform:rotateZ(45deg)}.sk-fading-circle .sk-circle12:before{transform:"x"}',
]


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_placeholders_and_look_alikes_pass(text: str) -> None:
    assert scan([Part("x", text)]) == []


LOOK_ALIKES: dict[str, Callable[[], str]] = {
    "uuid": lambda: str(uuid.UUID(int=rng.getrandbits(128))),
    "git hash": lambda: f"secret {some(HEX, 40)} aws",
    "sha256": lambda: f"    --hash=sha256:{some(HEX, 64)} \\",
    "npm integrity": lambda: f'"integrity": "sha512-{base64.b64encode(rng.randbytes(64)).decode()}",',
    "base64 image": lambda: f"data:image/png;base64,{base64.b64encode(rng.randbytes(30_000)).decode()}",
    "go.sum": lambda: f"golang.org/x/text v0.3.0 h1:{base64.b64encode(rng.randbytes(32)).decode()}",
    "RECORD": lambda: f"pip/x.py,sha256={base64.urlsafe_b64encode(rng.randbytes(32)).decode().rstrip('=')},160",
    "ssh public key": lambda: (
        f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{base64.b64encode(rng.randbytes(32)).decode()} me@x"
    ),
    "minified": lambda: "".join(
        f"function {some(ALNUM, 2)}(){{return {some(ALNUM, 3)}.{some(ALNUM, 1)}}}," for _ in range(200)
    ),
}


@pytest.mark.parametrize("kind", LOOK_ALIKES)
def test_random_look_alikes_pass(kind: str) -> None:
    rng.seed(20261120)  # whatever ran before
    text = "\n".join(LOOK_ALIKES[kind]() for _ in range(200))
    assert scan([Part("x", text)]) == []


def test_this_repository_passes() -> None:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout.split("\0")
    paths = [ROOT / name for name in names if name and (ROOT / name).is_file()]
    assert ROOT / "scripts/litellm_skill/screen.py" in paths
    assert scan([Part(str(path), path.read_text(encoding="utf-8")) for path in paths]) == []
    assert [path for path in paths if screen.refused(str(path))] == []


HOSTILE = [
    *(
        "a",
        "A1",
        "sk-",
        "sk-a",
        "sk-ant-",
        "sk-proj-",
        "eyJ",
        "eyJ.",
        "eyJhbGciOiJIUzI1NiJ9.",
        "://",
        "://a:",
        "a://b:cd",
    ),
    *(
        "-----" + "BEGIN ",
        "-----" + "BEGIN PRIVATE KEY-----",
        "-----" + "BEGIN PRIVATE KEY-----\nA: b\n",
        "AKIA",
        "aws ",
    ),
    *(
        "AKIA" + "QWERTYUIOPASDFGH ",
        "api_key=",
        "api_key = '",
        "Bearer ",
        "ghp_",
        "AIza",
        "AIza-",
        "xoxb-",
        "hf_",
        "SK",
        "\n",
    ),
    *(
        "aws" + "Ab1/" * 10 + " ",
        "secret ",
        "12345678:AA",
        "1" * 8 + ":AA" + "x" * 33,
        " ",
        "\\n",
        "%3D",
        "=",
        "/",
        "@",
        "Q~",
    ),
    *(
        "Aa1" * 15 + "@",
        "://user:" + "x" * 100,
        "hooks.slack.com/services/",
        "SG.",
        "SG.aaaaaaaaaaaaaaaaaaaaaa.",
        "é",
        "😀",
    ),
]


@pytest.mark.parametrize("piece", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_makes_the_scan_slow(piece: str) -> None:
    """400 kB: done in a fraction of a second, where a pattern that goes back would take an hour; and a key behind all
    of it is still found."""
    gate = "aws secret api_key sk- AKIA "  # so that the rules apply
    key = "own-" + "Zq8Lw2Xc9Vb4Nm7Kj1Hg5"
    text = gate + piece * (400_000 // len(piece)) + f"\n{key}\n"
    assert text.count("\n", 0, text.index(key)) + 1 in {finding.line for finding in scan([Part("x", text)], [key])}


# Files


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/w/.env", ".env*"),
        ("/w/.ENV.Local", ".env*"),
        ("/w/.envrc", ".env*"),
        ("/w/prod.env", "*.env"),
        ("/w/id_rsa", "id_rsa"),
        ("/w/ID_ED25519", "id_ed25519"),
        ("/w/tls/server.key", "*.key"),
        ("/w/a.p12", "*.p12"),
        ("/w/A.PFX", "*.pfx"),
        ("/w/a.jks", "*.jks"),
        ("/w/a.keystore", "*.keystore"),
        ("/w/a.kdbx", "*.kdbx"),
        ("/home/me/.ssh/config", ".ssh/"),
        ("/home/me/.SSH/id_rsa.pub", ".ssh/"),
        ("/home/me/.aws/credentials", ".aws/"),
        ("/home/me/.gnupg/pubring.kbx", ".gnupg/"),
        ("/home/me/.kube/config", ".kube/"),
        ("/home/me/.docker/config.json", ".docker/config.json"),
        ("/home/me/.config/gcloud/properties", ".config/gcloud/"),
        ("/w/application_default_credentials.json", "application_default_credentials.json"),
        ("/home/me/.netrc", ".netrc"),
        ("/w/.npmrc", ".npmrc"),
        ("/home/me/.pypirc", ".pypirc"),
        ("/home/me/.git-credentials", ".git-credentials"),
        ("/w/terraform.tfstate", "*.tfstate"),
        ("/w/terraform.tfstate.backup", "*.tfstate.*"),
        ("/home/me/.bash_history", ".*_history"),
        ("/home/me/.python_history", ".*_history"),
        ("/home/me/.local/share/fish/fish_history", "fish_history"),
        ("/home/me/.codex/auth.json", ".codex/auth.json"),
        ("/home/me/.claude/.credentials.json", ".claude/.credentials.json"),
        ("/proc/self/environ", "/proc/*/environ"),
        ("/w/.env.example", None),
        ("/w/.env.sample", None),
        ("/w/.env.template", None),
        ("/w/.ENV.Example", None),
        ("/w/.env/lib/python3.12/site.py", None),  # a virtual environment
        ("/w/environment.py", None),
        ("/w/id_rsa.pub", None),
        ("/w/keyboard.py", None),
        ("/w/src/ssh/config.py", None),
        ("/w/aws/credentials.py", None),
        ("/w/docker/config.json", None),
        ("/w/src/auth.json", None),
        ("/w/cert.pem", None),  # by its content, if it holds a private key
        ("/w/history.py", None),
    ],
)
def test_refused_names(path: str, why: str | None) -> None:
    assert screen.refused(path) == why


def test_a_digest_of_a_secret_is_none() -> None:
    digest = hashlib.sha256(PLANTED[0][1].encode()).hexdigest()
    assert scan([Part("x", digest)], [PLANTED[0][1]]) == []


def test_a_password_in_a_url_may_hold_an_at_sign() -> None:
    text = "postgres://user" + ":pa@ssW0rd9x" + "@db.example/x"
    assert [finding.rule for finding in scan([Part("the prompt", text)])] == ["password in a URL"]
    assert scan([Part("the prompt", "https://registry:8080/@scope/pkg")]) == []
