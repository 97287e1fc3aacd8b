"""model_list files: what is read, what is refused, and which key may go where."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from litellm_skill import deployments, modellist, screen, settings, yamlfile
from litellm_skill.deployments import Deployment, Group, Groups
from litellm_skill.faults import BadInput, Forbidden, NotSetUp
from litellm_skill.modellist import Routing
from litellm_skill.settings import Origin, Setting, Settings

ELSEWHERE = "https://elsewhere.example/v1"
OWN = "https://gateway.own.example/v1"
KEY = "key-literal-0123456789abcdef"
ENVIRON = {"OPENAI_API_KEY": "key-of-env-0123456789abcdef", "GITHUB_TOKEN": "ghp-of-the-environment"}
SECRETS = (KEY, *ENVIRON.values())
ENTRY = "model_list: [{model_name: x, litellm_params: {model: a/b}}]\n"


def users_own(text: str) -> None:
    file = settings.user_directory(os.environ) / "models.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)


def foreign(text: str) -> Path:
    """As in a repository."""
    file = Path.cwd() / "models.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def read(text: str, *, own: bool = True, environ: dict[str, str] | None = None) -> Groups:
    environ = {**os.environ, **(ENVIRON if environ is None else environ)}
    path = users_own(text) if own else foreign(text)
    return deployments.read(path, settings.load(environ, Path.cwd()), environ)


def listing(*params: dict[str, Any], **sections: Any) -> str:
    """JSON is YAML, too."""
    rows = [{"model_name": "fast", "litellm_params": {"model": "openai/test-model"} | given} for given in params]
    return json.dumps({"model_list": rows} | sections)


def group(text: str, **how: Any) -> Group:
    found = read(text, **how).find("fast")
    assert found is not None
    return found


def only(text: str, **how: Any) -> Deployment:
    (deployment,) = group(text, **how).deployments
    return deployment


def test_the_format_of_litellm() -> None:
    groups = read(
        f"""
        model_list:
          - model_name: fast
            litellm_params: &shared
              model: openai/test-model      # with a comment
              api_key: os.environ/OPENAI_API_KEY
              api_base: {OWN}/
              rpm: 6
              temperature: 0.5
              weight: 2
            tpm: 9000
            model_info: {{id: mine, base_model: test-model-2, mode: chat}}
          - model_name: fast
            litellm_params:
              <<: *shared
              model: maker/test-model
              custom_llm_provider: openai
              rpm: 7
          - model_name: other
            litellm_params: {{model: anthropic/test-model, api_key: {KEY}, max_parallel_requests: 3}}
            model_info: {{rpm: 4}}
        router_settings: {{routing_strategy: least-busy, cooldown_time: 30, allowed_fails: 1, num_retries: 3}}
        general_settings: {{master_key: sk-of-the-proxy}}
        litellm_settings: {{callbacks: [somewhere]}}
        environment_variables: {{HTTPS_PROXY: "http://proxy.example"}}
        """
    )
    assert groups.names == ("fast", "other")
    assert groups.find("no-such") is None
    assert "router_settings not used: num_retries" in groups.warnings[0]
    fast, other = groups.find("fast"), groups.find("other")
    assert fast is not None
    assert other is not None
    first, second = fast.deployments
    assert (first.id, first.model, first.host) == ("mine", "openai/test-model", "gateway.own.example")
    assert (first.rpm, first.tpm, first.max_parallel_requests) == (6, 9000, None)
    assert (first.base_model, first.mode, first.params) == ("test-model-2", "chat", {"temperature": 0.5, "weight": 2})
    assert (first.access.key, first.access.key_name) == (ENVIRON["OPENAI_API_KEY"], "OPENAI_API_KEY")
    assert (second.model, second.rpm, second.access.address) == ("openai/maker/test-model", 7, OWN)
    assert (other.deployments[0].rpm, other.deployments[0].max_parallel_requests) == (4, 3)
    assert fast.routing == Routing("least-busy", 30, 1)
    assert (fast.limited, fast.warnings, fast.missing) == (True, (), None)
    assert "HTTPS_PROXY" not in os.environ


def test_without_a_file_there_are_no_groups() -> None:
    environ = dict(os.environ)
    groups = deployments.read(None, settings.load(environ, Path.cwd()), environ)
    assert (groups.names, groups.find("fast"), groups.secrets) == ((), None, ())
    with pytest.raises(BadInput, match="no such file"):
        deployments.read(Path("no-such.yaml"), settings.load(environ, Path.cwd()), environ)


@pytest.mark.parametrize(
    ("params", "environ", "model", "key", "address"),
    [
        # LiteLLM's own names
        ({"model": "ollama/test"}, {}, "ollama/test", None, None),
        ({"model": "ollama_chat/test", "api_base": OWN}, {}, "ollama/test", None, OWN),
        ({"model": "azure/mine", "api_key": KEY, "api_base": OWN}, {}, "azure/mine", KEY, OWN),
        ({"model": "groq/a/b", "api_key": KEY}, {}, "groq/a/b", KEY, None),
        ({"model": "openai/a/b", "custom_llm_provider": "openai", "api_key": KEY}, {}, "openai/a/b", KEY, None),
        ({"base_url": OWN, "api_key": KEY}, {}, "openai/test-model", KEY, OWN),
        # a server of one's own may want no key
        ({"api_base": OWN}, {}, "openai/test-model", "none", OWN),
        ({"model": "nebius/test", "api_base": OWN}, {}, "nebius/test", "none", OWN),
        # without either the environment decides, as for -m
        ({}, {"OPENAI_API_KEY": "k-env", "OPENAI_BASE_URL": OWN}, "openai/test-model", "k-env", OWN),
        ({"api_key": KEY}, {"OPENAI_API_KEY": "k-env", "OPENAI_BASE_URL": OWN}, "openai/test-model", KEY, OWN),
        ({"api_base": OWN}, {"OPENAI_API_KEY": "k-env"}, "openai/test-model", "k-env", OWN),
        # nor does a model that is set get in the way
        (
            {"api_key": KEY, "api_base": OWN},
            {"LLM_PROVIDER": "openai", "LLM_MODEL": "test-model", "LLM_PROVIDER_API_KEY": "k-llm"},
            "openai/test-model",
            KEY,
            OWN,
        ),
        ({"model": "anthropic/x", "api_key": KEY}, {"ANTHROPIC_AUTH_TOKEN": "t"}, "anthropic/x", KEY, None),
        ({"model": "bedrock/x", "aws_access_key_id": "a", "aws_secret_access_key": "b"}, {}, "bedrock/x", None, None),
        ({"model": "bedrock/x", "api_key": KEY}, {"AWS_PROFILE": "work"}, "bedrock/x", KEY, None),
        ({"model": "nebius/x", "api_key": "os.environ/MINE"}, {"MINE": "k-mine"}, "nebius/x", "k-mine", None),
    ],
)
def test_the_users_own_file(
    params: dict[str, Any], environ: dict[str, str], model: str, key: str | None, address: str | None
) -> None:
    deployment = only(listing(params), environ=environ)
    way = deployment.access
    assert (deployment.model, way.key, way.address, way.missing) == (model, key, address, None)
    assert KEY not in repr(deployment)


@pytest.mark.parametrize(
    ("params", "environ", "key", "address"),
    [
        # what it gives itself
        ({"api_key": KEY, "api_base": ELSEWHERE}, ENVIRON, KEY, ELSEWHERE),
        ({"api_key": KEY}, ENVIRON, KEY, None),
        ({"api_key": KEY}, {"OPENAI_BASE_URL": OWN}, KEY, OWN),
        # the provider's own key, at the address that -m would take
        ({"api_key": "os.environ/OPENAI_API_KEY"}, ENVIRON, ENVIRON["OPENAI_API_KEY"], None),
        ({"api_key": "os.environ/OPENAI_API_KEY"}, ENVIRON | {"OPENAI_BASE_URL": OWN}, ENVIRON["OPENAI_API_KEY"], OWN),
        ({}, ENVIRON, ENVIRON["OPENAI_API_KEY"], None),
        (
            {"api_key": "os.environ/OPENAI_API_KEY", "api_base": "os.environ/OPENAI_API_BASE"},
            ENVIRON | {"OPENAI_API_BASE": OWN},
            ENVIRON["OPENAI_API_KEY"],
            OWN,
        ),
    ],
)
def test_what_a_file_from_elsewhere_may_say(
    params: dict[str, Any], environ: dict[str, str], key: str, address: str | None
) -> None:
    way = only(listing(params), own=False, environ=environ).access
    assert (way.key, way.address, way.missing) == (key, address, None)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        # no key of the environment goes to an address of the file
        ({"api_key": "os.environ/OPENAI_API_KEY", "api_base": ELSEWHERE}, "names OPENAI_API_KEY beside an address"),
        ({"api_key": "os.environ/OPENAI_API_KEY", "base_url": ELSEWHERE}, "names OPENAI_API_KEY beside an address"),
        ({"api_base": ELSEWHERE}, "gives no key for elsewhere.example"),
        ({"api_key": "", "api_base": ELSEWHERE}, "gives no key for elsewhere.example"),
        ({"model": "anthropic/x", "api_base": ELSEWHERE}, "gives no key for elsewhere.example"),
        ({"model": "bedrock/x", "api_base": ELSEWHERE}, "gives no key for elsewhere.example"),
        ({"model": "bedrock/x", "api_key": KEY, "api_base": ELSEWHERE}, "no key from the same place"),
        ({"model": "ollama/x", "api_base": ELSEWHERE}, "gives no key for elsewhere.example"),
        ({"model": "nebius/x", "api_base": ELSEWHERE}, "whose address is not known here"),
        # nor does any other secret go anywhere
        ({"api_key": "os.environ/GITHUB_TOKEN"}, "names GITHUB_TOKEN, which is no key variable of openai"),
        ({"model": "nebius/x", "api_key": "os.environ/NEBIUS_API_KEY"}, "is no key variable of nebius"),
        ({"model": "nebius/x"}, "would send your key to nebius"),
        ({"api_key": KEY, "api_base": "os.environ/GITHUB_TOKEN"}, "takes its address from GITHUB_TOKEN"),
        ({"api_key": KEY, "api_base": ELSEWHERE, "organization": "os.environ/GITHUB_TOKEN"}, "another organization"),
        ({"api_key": KEY, "api_base": ELSEWHERE, "temperature": ["os.environ/GITHUB_TOKEN"]}, "another temperature"),
        # what would become a part of the address
        ({"model": "vertex_ai/x", "vertex_location": "elsewhere.example/#"}, "another vertex_location"),
        ({"model": "bedrock/x", "aws_region_name": "x@elsewhere.example/"}, "another aws_region_name"),
        ({"model": "huggingface/https://elsewhere.example"}, "other characters than those of a name"),
        ({"model": "openai/../../elsewhere"}, "other characters than those of a name"),
    ],
)
def test_what_a_file_from_elsewhere_may_not_say(params: dict[str, Any], said: str) -> None:
    environ = ENVIRON | {"ANTHROPIC_API_KEY": "k-ant", "AWS_PROFILE": "w", "VERTEXAI_PROJECT": "p"}
    environ |= {"NEBIUS_API_KEY": "k-neb", "HOSTED_VLLM_API_KEY": "k-vllm", "HF_TOKEN": "k-hf"}
    refused = group(listing(params), own=False, environ=environ)
    assert refused.deployments == ()
    assert isinstance(refused.missing, Forbidden)
    assert said in refused.missing.message
    assert "entry 1 (fast)" in refused.missing.message
    assert not any(secret in refused.missing.message for secret in SECRETS)
    one_left = group(listing(params, {"api_key": KEY, "api_base": ELSEWHERE}), own=False, environ=environ)
    assert [one.access.key for one in one_left.deployments] == [KEY]
    assert (one_left.missing, f"left out: {refused.missing.message}" in one_left.warnings) == (None, True)


def test_an_address_of_the_working_directory_gets_no_key_of_the_environment() -> None:
    """Not even where the user's own file names both."""
    Path(".env").write_text(f"OPENAI_BASE_URL={ELSEWHERE}\nGROQ_API_KEY=k-cwd\n", encoding="utf-8")
    both = {"api_key": "os.environ/OPENAI_API_KEY", "api_base": "os.environ/OPENAI_BASE_URL"}
    refused = group(listing(both)).missing
    assert isinstance(refused, NotSetUp)
    assert "has no key from the same place for elsewhere.example" in refused.message
    of_there = only(listing(both | {"api_key": "os.environ/GROQ_API_KEY"})).access
    assert (of_there.key, of_there.address) == ("k-cwd", ELSEWHERE)
    with_param = group(listing({"model": "bedrock/x", "aws_bedrock_runtime_endpoint": "os.environ/OPENAI_BASE_URL"}))
    assert isinstance(with_param.missing, NotSetUp)
    assert "OPENAI_BASE_URL" in with_param.missing.message or "no key" in with_param.missing.message


@pytest.mark.parametrize(
    ("params", "environ", "said"),
    [
        ({"api_key": "os.environ/NO_SUCH"}, {}, "NO_SUCH is not set"),
        ({"api_key": KEY, "api_base": "os.environ/NO_SUCH"}, {}, "NO_SUCH is not set"),
        ({"api_key": "os.environ/A"}, {"A": "os.environ/OPENAI_API_KEY"}, "A (environment) names another variable"),
        ({"api_key": KEY, "extra_headers": {"x": "os.environ/NO_SUCH"}}, {}, "NO_SUCH is not set"),
        ({}, {}, "no key for openai"),
        ({"api_key": "two words"}, {}, "is not a key"),
        ({"api_key": KEY, "api_base": "elsewhere.example"}, {}, "is no address"),
        ({"api_key": KEY, "api_base": "http://u:" + "p-word@h/v1"}, {}, "is no address"),
    ],
)
def test_what_is_missing_is_said(params: dict[str, Any], environ: dict[str, str], said: str) -> None:
    fault = group(listing(params), environ=environ).missing
    assert isinstance(fault, NotSetUp)
    assert said in fault.message
    assert fault.hint
    assert not any(secret in fault.message for secret in (KEY, "two words", "p-word"))


@pytest.mark.parametrize(
    ("own", "params", "kept", "ignored"),
    [
        (True, {"num_retries": 5, "ssl_verify": False, "timeout": 1}, {}, ("num_retries", "ssl_verify", "timeout")),
        (True, {"extra_headers": {"x-team": "os.environ/TEAM"}}, {"extra_headers": {"x-team": "blue"}}, ()),
        (False, {"extra_headers": {"x": "y"}, "temperature": 1}, {"temperature": 1}, ("extra_headers",)),
        (False, {"ssl_verify": False, "success_callback": ["x"]}, {}, ("ssl_verify", "success_callback")),
        (False, {"mock_response": "I am no model", "rpm": 3}, {}, ("mock_response",)),
    ],
)
def test_parameters(own: bool, params: dict[str, Any], kept: dict[str, Any], ignored: tuple[str, ...]) -> None:
    found = group(listing({"api_key": KEY} | params), own=own, environ={"TEAM": "blue"})
    assert (found.deployments[0].params, found.ignored) == (kept, ignored)
    assert bool(found.warnings) == bool(ignored)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it has no model_list"),
        ("[1, 2]", "it has no model_list"),
        ("model_list: {}", "it has no model_list"),
        ("model_list: [1]", "entry 1 of model_list: expected model_name and litellm_params"),
        ("model_list: [{litellm_params: {model: a/b}}]", "entry 1 of model_list: model_name must be a text"),
        ("model_list: [{model_name: x, litellm_params: {}}]", "entry 1 (x): litellm_params.model must be a text"),
        ("model_list: [{model_name: x}]", "entry 1 (x): litellm_params and model_info are mappings"),
        ("model_list: [{model_name: x, litellm_params: {model: a/b, rpm: 0}}]", "rpm must be a whole number above 0"),
        ("model_list: [{model_name: x, litellm_params: {model: a/b, tpm: yes}}]", "tpm must be a whole number above 0"),
        ("model_list: [{model_name: x, litellm_params: {model: a/b, api_key: 12}}]", "api_key must be a text"),
        (ENTRY + "router_settings: 1", "router_settings: expected a mapping"),
        (ENTRY + "router_settings: {routing_strategy: luck}", "routing_strategy is one of simple-shuffle"),
        (ENTRY + "router_settings: {cooldown_time: .nan}", "cooldown_time must be a number of seconds"),
        (ENTRY + "router_settings: {allowed_fails: 0.5}", "allowed_fails must be a whole number"),
        ("a: 1\nb: 2\na: 3", "line 3: the key 'a' is there twice"),
        ("a: 1\nb: !!python/object/apply:os.system ['touch x']", "line 2: the tag tag:yaml.org,2002:python/object"),
        ("a: !mine 1", "line 1: the tag !mine is not read"),
        ("a: [1", "it is not YAML"),
        ("a: 1\n---\na: 2", "line 2: there is a second document"),
        ("a: &a [*a]", "*a has no anchor before it"),
        ("? [a]\n: b", "a key is a list or a mapping"),
        ("a: {<<: 1}", "<< stands for mappings only"),
        ("a: " + "9" * 10_000, "a number that is too long"),
        ("[" * 500_000, "nested deeper than 50"),
        ("a: " + "{a: " * 100_000, "nested deeper than 50"),
        ("- " * 400_000, "nested deeper than 50"),
    ],
)
def test_a_wrong_file_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadInput) as raised:
        read(text, own=False)
    assert said in raised.value.message
    assert raised.value.message.startswith(str(Path.cwd() / "models.yaml"))
    assert raised.value.hint


def test_aliases_do_not_multiply() -> None:
    laugh = "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    laugh += "".join(
        f"{name}: &{name} [{','.join([f'*{last}'] * 10)}]\n" for last, name in zip("abcdef", "bcdefg", strict=True)
    )
    merged = "a: &a {" + ",".join(f"k{number}: 1" for number in range(10_000)) + "}\nl:\n" + "- {<<: *a}\n" * 50_000
    for text in (laugh, merged):
        with pytest.raises(BadInput, match="with its aliases it holds more than 200,000 values"):
            yamlfile.parse(text, Path("x.yaml"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: yes\nb: 0x10\nc: 1.5\nd: ~\ne: 2024-02-01\nf: '1'", [True, 16, 1.5, None, "2024-02-01", "1"]),
        ("a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}", [{"k": 1, "l": 2}, {"k": 3, "l": 2}]),
        ("a: &x {k: 1, l: 2}\nb: {k: 3, <<: [*x]}", [{"k": 1, "l": 2}, {"k": 3, "l": 2}]),
        ("a: &x text\nb: *x\nc: {'<<': 1}\nd: |\n  two\n  lines\n", ["text", "text", {"<<": 1}, "two\nlines\n"]),
        ("a: []\nb: {}\nc: ''\nd:", [[], {}, "", None]),
    ],
)
def test_what_yaml_means(text: str, value: list[Any]) -> None:
    assert list(yamlfile.parse(text, Path("x.yaml")).values()) == value


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1, -2, 1.5, 0, true, false, null, "", "yes", "1", "~"], "<<": {"b": {}}, "é": "\\u00e9\\/\\n"}',
        "[1e5, 1.5e3, 1.5e+3, 1E400, 0.1]",
        "[NaN, Infinity, -Infinity]",
        '{"a": 1 # no JSON\n, b: [yes,],}',
        "\n [[], {}]\n",
    ],
)
def test_json_means_what_it_means_as_yaml(text: str) -> None:
    as_yaml = yamlfile.parse("--- " + text, Path("x.yaml"))
    assert repr(yamlfile.parse(text, Path("x.yaml"))) == repr(as_yaml)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1,\n"b": 2,\n"a": 3}', "line 3: the key 'a' is there twice"),
        ('[{"a": {"b": 1,\n"b": 2}}]', "line 2: the key 'b' is there twice"),
        ("[" * 51 + "]" * 51, "nested deeper than 50"),
        ('{"a":' * 51 + "1" + "}" * 51, "nested deeper than 50"),
        ('["\\ud800"]', "it is not YAML"),
        ("[" + "9" * 10_000 + "]", "a number that is too long"),
        ("[" + "1," * 200_000 + "1]", "more than 200,000 values"),
        ("[1] [2]", "it is not YAML"),
    ],
)
def test_json_is_held_to_the_same(text: str, said: str) -> None:
    for same in (text, "--- " + text):
        with pytest.raises(BadInput, match=said):
            yamlfile.parse(same, Path("x.yaml"))


@pytest.mark.parametrize("text", ["[" * 50 + "]" * 50, '{"a":' * 50 + "1" + "}" * 50])
def test_the_deepest_that_is_read(text: str) -> None:
    assert yamlfile.parse(text, Path("x.yaml")) == yamlfile.parse("--- " + text, Path("x.yaml")) == json.loads(text)


def test_a_file_that_others_may_write_is_not_the_users_own() -> None:
    users_own(listing({"api_key": KEY}))
    file = settings.user_directory(os.environ) / "models.yaml"
    for place, mode, back in ((file, 0o666, 0o600), (file.parent, 0o777, 0o700)):
        place.chmod(mode)
        with pytest.raises(Forbidden, match="may write") as raised:
            modellist.read(None, os.environ)
        assert raised.value.exit_code == 13
        place.chmod(back)
    assert modellist.read(file, os.environ).trusted


def test_whose_file_it_is_depends_on_where_it_lies() -> None:
    """A link out of the user's folder is the user's own doing; a path that only looks as if it led there is not."""
    users_own(listing({}))
    own = settings.user_directory(os.environ)
    repository = foreign(listing({}))
    repository.chmod(0o600)
    (own / "linked.yaml").symlink_to(repository)
    Path("way").symlink_to(own)
    looks = own / ".." / ".." / "work" / "models.yaml"
    trusted = {path: modellist.read(path, os.environ).trusted for path in (own / "linked.yaml", repository, looks)}
    assert list(trusted.values()) == [True, False, False]
    assert modellist.read(Path("way/models.yaml"), os.environ).trusted


@pytest.mark.parametrize("kind", ["fifo", "folder", "large", "binary", "socket"])
def test_what_is_no_readable_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "m"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listening, pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path)
            listening.bind("m")
    else:
        path.write_bytes(b"\xff\xfe" if kind == "binary" else b"#" * 1_000_001)
    with pytest.raises(BadInput):
        modellist.read(path, os.environ)


def test_secrets_are_known_by_value() -> None:
    hidden = "v" + KEY[3:]
    params = {"api_key": KEY, "extra_headers": {"authorization-key": hidden}, "organization": "org-of-mine"}
    text = listing(params, {"api_key": "os.environ/MINE"}, {"api_key": "none"})
    found = read(text, environ={"MINE": "k-mine-93847"}).secrets
    assert {KEY, hidden, "k-mine-93847"} <= set(found)
    assert not {"none", "org-of-mine"} & set(found)
    elsewhere = read(listing({"api_key": KEY}, {"api_key": "os.environ/HOME"}), own=False, environ={"HOME": "/root"})
    assert elsewhere.secrets == (KEY,)


@pytest.mark.parametrize(
    "keys",
    [
        ("sk-" + "aB3" * 10, "short-7", "secret-of-8", "sk-no-key-required", "CHANGEME", "7f3a", "abcdefgh"),
        ("Bearer sk-" + "aB3" * 10, "https://u:" + "p4ssw0rd-x@h.example/v1", '{"private_key": "' + "zY9" * 8 + '"}'),
        ("proxy.AKIA" + "Q7RZ" * 4, "gsk_" + "aB3d" * 8, "gsk_" + "aB3d" * 8, "ends-with.ghp_" + "aB3d" * 9),
    ],
)
def test_each_key_is_hidden_as_if_it_were_the_only_one(keys: tuple[str, ...]) -> None:
    """As a variable of that name would be."""
    alone = {secret for key in keys for secret in screen.secrets(one_setting(key))}
    found = read(listing(*({"api_key": key} for key in keys)), own=False).secrets
    assert set(found) == alone
    assert list(found) == sorted(found, key=len, reverse=True)


def one_setting(value: str) -> Settings:
    return Settings({"API_KEY": Setting("API_KEY", value, Origin.USER)})


def test_the_same_entry_has_the_same_id_everywhere() -> None:
    params = {"api_key": "os.environ/OPENAI_API_KEY", "api_base": OWN, "rpm": 5}
    here = only(listing(params))
    there = only(listing(params | {"rpm": 9}), environ={"OPENAI_API_KEY": "another"})
    assert here.id == there.id
    assert here.id != only(listing(params | {"api_base": OWN + "/2"})).id
    assert len(group(listing(params, params)).deployments) == 1
    rows = json.loads(listing(params, params | {"seed": 1}))["model_list"]
    named = json.dumps({"model_list": [row | {"model_info": {"id": "one"}} for row in rows]})
    with pytest.raises(BadInput, match="another entry has its model_info.id"):
        group(named)


def test_a_model_without_provider() -> None:
    from litellm_skill import catalog

    names = catalog.load().table.bare
    name, id = next((name, id) for name, id in names.items() if id == f"openai/{name}")
    assert only(listing({"model": name})).model == id
    with pytest.raises(BadInput, match="'no-such-model' does not tell its provider"):
        group(listing({"model": "no-such-model"}))


def test_wildcards_are_a_proxys() -> None:
    rows = [{"model_name": name, "litellm_params": {"model": model}} for name, model in (("*", "a/b"), ("x", "a/*"))]
    groups = read(json.dumps({"model_list": rows}))
    assert (groups.names, len(groups.warnings)) == ((), 1)
