"""Kinds of secrets that the rules were developed on."""

# ruff: noqa: E501  (a kind is a line)

from __future__ import annotations

import json
from urllib.parse import quote

from tests.corpus import values as v
from tests.corpus.row import Make, Row, filled, keyed
from tests.corpus.values import Rng

KINDS: dict[str, Make] = {}

_PASSWORD_KEYS = """
password user_password DB_PASSWORD dbPassword passwd pwd user.pwd MYSQL_ROOT_PASSWORD spring.datasource.password smtp-password newPassword
password_confirmation passphrase loginPass admin_pw ldapBindPassword keystorepass passwort kennwort mot_de_passe motdepasse contraseña clave senha
wachtwoord Password2 PGPASSWORD user[password] ansible_become_pass SSHPASS proxy_passwd
"""
_SECRET_KEYS = """
secret client_secret clientSecret CLIENT_SECRET app.secret secret_key SECRET_KEY_BASE jwt_secret webhookSecret signing_secret api_key apiKey
X-Api-Key apikey API_KEY_PROD access_key private_key privateKey encryption_key master-key token auth_token accessToken refresh_token
id_token GITHUB_TOKEN slackBotToken csrf_token XSRF-TOKEN authenticity_token bearer_token session_token sessionToken consumer_secret
aws_secret_access_key AccountKey SharedAccessKey subscription-key oauth_token_secret STRIPE_SECRET vault_token personal_access_token
geheimnis jeton_acces shared_secret
"""
for _key in _PASSWORD_KEYS.split():
    KINDS[f"key_{_key}"] = keyed(_key, v.password)
for _key in _SECRET_KEYS.split():
    KINDS[f"key_{_key}"] = keyed(_key, v.token)
for _key in ("otp_code", "mfa_code", "verification_code", "one_time_password", "totp"):
    KINDS[f"key_{_key}"] = keyed(_key, v.digits)
for _key in ("pin", "pin_code", "cvv", "cvc2", "card.cvv"):
    KINDS[f"key_{_key}"] = keyed(_key, lambda rng: v.digits(rng, 4))
for _key in ("PHPSESSID", "JSESSIONID", "sessionid", "connect.sid", "sid"):
    KINDS[f"key_{_key}"] = keyed(_key, lambda rng: v.text(rng, v.LOWER, 26))

for _name in v.PROVIDERS:
    if _name != "azure_storage":
        KINDS[f"value_{_name}"] = keyed("data", lambda rng, name=_name: v.provider(rng, name))
        KINDS[f"text_{_name}"] = filled(
            "body", "called with {s} twice", lambda rng, name=_name: v.provider(rng, name), "twice"
        )
KINDS["value_jwt"] = keyed("payload", v.jwt)
KINDS["value_pem"] = lambda rng: _pem(rng, "attr", "blob")
KINDS["value_card"] = keyed("field_7", v.card)
KINDS["value_card_spaces"] = keyed(
    "note", lambda rng: " ".join((lambda c: [c[i : i + 4] for i in range(0, 16, 4)])(v.card(rng, "51")))
)
KINDS["value_amex"] = keyed("ref", lambda rng: v.card(rng, "37", 15))
KINDS["value_bcrypt"] = keyed("column_3", v.bcrypt_like)
KINDS["value_basic"] = keyed("setting", lambda rng: "Basic " + v.basic(rng, v.password(rng)))

_NESTED = (
    ("login", lambda s: {"user": "ann", "password": s}, "ann"),
    ("deep", lambda s: {"a": [{"b": {"client_secret": s, "host": "db1"}}]}, "db1"),
    ("name_value", lambda s: [{"name": "password", "value": s}, {"name": "color", "value": "blue"}], "blue"),
    ("pairs", lambda s: [["Accept", "text/html"], ["X-Api-Key", s]], "text/html"),
    ("json_string", lambda s: json.dumps({"login": "ann", "password": s}), "ann"),
    ("json_in_json", lambda s: json.dumps({"body": json.dumps({"token": s, "n": 1}), "ok": True}), "ok"),
    ("env", lambda s: {"PATH": "/usr/bin", "DB_PASSWORD": s}, "/usr/bin"),
    ("argv", lambda s: ["app", "--db-password", s, "--verbose"], "--verbose"),
    ("argv_equals", lambda s: ["app", f"--api-key={s}", "--port", "80"], "--port"),
    ("mysql_argv", lambda s: ["mysql", "-u", "root", f"-p{s}", "shop"], "shop"),
    ("auth_object", lambda s: {"auth": {"username": "ann", "password": s}}, "ann"),
    ("k8s_env", lambda s: {"env": [{"name": "API_TOKEN", "value": s}]}, "API_TOKEN"),
    ("bytes_like", lambda s: {"raw": f"user=ann&password={s}&x=1"}, "x=1"),
    ("dsn_list", lambda s: ["redis://10.1.0.1:6379", f"redis://:{s}@10.1.0.2:6379/0"], "10.1.0.1"),
    (
        "har_headers",
        lambda s: {
            "headers": [
                {"name": "Authorization", "value": f"Bearer {s}"},
                {"name": "Host", "value": "a.test"},
            ]
        },
        "a.test",
    ),
    (
        "pydantic_error",
        lambda s: [{"type": "string_too_short", "loc": ["body", "password"], "msg": "too short", "input": s}],
        "too short",
    ),
)
for _name, _wrap, _context in _NESTED:
    _secret = v.plain_password if _name in ("dsn_list", "bytes_like") else v.password
    _secret = (
        v.token if _name in ("argv_equals", "k8s_env", "har_headers", "json_in_json", "pairs") else _secret
    )
    KINDS[f"nested_{_name}"] = keyed("request.detail", _secret, "nested", _wrap, _context)

_TEXTS = (
    ("kv", "login failed user=ann password={s} ip=10.1.2.3", v.password, "ip=10.1.2.3"),
    ("colon", "connecting with password: {s} to host db1", v.password, "db1"),
    ("quoted", "set secret_key = '{s}' for app", v.token, "for app"),
    ("prose_is", "your new password is {s} and expires soon", v.password, "expires soon"),
    ("prose_set", "password for ann set to {s}", v.password, "password for ann"),
    ("code_is", "Your verification code is {s}.", v.digits, "verification"),
    ("otp_colon", "OTP: {s} sent by sms", v.digits, "sent by sms"),
    ("bearer", "sent Authorization: Bearer {s}", v.token, "Bearer"),
    ("curl_header", "curl -H 'Authorization: Bearer {s}' https://a.test/me", v.token, "a.test/me"),
    ("curl_user", "curl -u admin:{s} https://a.test/x", v.plain_password, "a.test/x"),
    ("curl_key", 'curl -H "X-Api-Key: {s}" https://a.test', v.token, "a.test"),
    ("repr", "User(name='ann', password='{s}', active=True)", v.password, "active=True"),
    ("dict_repr", "{'host': 'db1', 'api_key': '{s}', 'port': 5432}", v.token, "5432"),
    ("dataclass", "Config(url='http://x', client_secret='{s}')", v.token, "http://x"),
    ("json", '{"user": "ann", "password": "{s}", "n": 3}', v.plain_password, '"n": 3'),
    ("yaml", "db:\n  host: db1\n  password: {s}\n  port: 5432", v.plain_password, "port: 5432"),
    ("toml", '[auth]\ntoken = "{s}"\nname = "x"', v.token, 'name = "x"'),
    ("env", "export API_SECRET={s}\nexport HOME=/root", v.token, "HOME=/root"),
    ("ini", "[db]\nuser = app\npassword = {s}\n", v.plain_password, "user = app"),
    ("cookie", "Cookie: theme=dark; sessionid={s}; lang=en", lambda r: v.text(r, v.LOWER, 32), "theme=dark"),
    ("set_cookie", "Set-Cookie: sid={s}; Path=/; HttpOnly", lambda r: v.token(r, 32), "HttpOnly"),
    ("form", "grant_type=password&username=ann&password={s}&scope=read", v.plain_password, "scope=read"),
    ("pg", "connect postgresql://app:{s}@db1:5432/shop", v.plain_password, "db1:5432/shop"),
    ("mongo", "mongodb+srv://u:{s}@c0.example.net/db?w=majority", v.plain_password, "w=majority"),
    ("amqp", "amqp://guest:{s}@mq:5672/%2f down", v.plain_password, "mq:5672"),
    ("jdbc", "jdbc:mysql://h/db?user=a&password={s}&useSSL=true", v.plain_password, "useSSL=true"),
    ("odbc", "Driver={SQL Server};Server=h;Uid=sa;Pwd={s};", v.plain_password, "Server=h"),
    ("ado", "Data Source=h;User ID=sa;Password={s};Encrypt=True", v.plain_password, "Encrypt=True"),
    ("azure_storage", "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={s};EndpointSuffix=core.windows.net", lambda r: v.provider(r, "azure_storage"), "AccountName=a"),
    ("servicebus", "Endpoint=sb://n.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={s}", lambda r: v.text(r, v.BASE64, 43) + "=", "SharedAccessKeyName=Root"),
    ("libpq", "host=h dbname=x user=a password={s} sslmode=require", v.plain_password, "sslmode=require"),
    ("npmrc", "//registry.test/:_authToken={s}", lambda r: v.guid(r), None),
    ("graphql", 'mutation { login(email: "a@b.test", password: "{s}") { id } }', v.plain_password, "mutation"),
    ("xml", "<login><user>ann</user><password>{s}</password></login>", v.plain_password, "<user>ann</user>"),
    ("sshpass", "sshpass -p {s} ssh root@h", v.plain_password, "root@h"),
    ("mysql_cli", "running mysql -uroot -p{s} shop", v.plain_password, "shop"),
    ("redis_cli", "redis-cli -h r1 -a {s} PING", v.plain_password, "PING"),
    ("docker_login", "docker login -u ann -p {s} reg.test", v.plain_password, "reg.test"),
    ("slack_hook", "POST https://hooks.slack.com/services/T0AB12CD3/B0AB12CD3/{s} -> 200", lambda r: v.token(r, 24), "-> 200"),
    ("discord_hook", "https://discord.com/api/webhooks/123456789012345678/{s} ok", lambda r: v.text(r, v.URLSAFE, 68), "ok"),
    ("netrc", "machine h login ann password {s}", v.plain_password, "login ann"),
    ("digest", 'Authorization: Digest username="ann", response="{s}"', lambda r: v.hexadecimal(r, 32), None),
    ("sigv4", "Authorization: AWS4-HMAC-SHA256 Credential=x/20261121/us-east-1/s3/aws4_request, SignedHeaders=host, Signature={s}", v.hexadecimal, None),
    ("wireguard", "[Interface]\nPrivateKey = {s}\nAddress = 10.0.0.2/32", lambda r: v.text(r, v.BASE64, 43) + "=", "10.0.0.2"),
    ("htpasswd", "admin:{s}", lambda r: "$apr1" + "$" + v.text(r, v.ALNUM, 8) + "$" + v.text(r, v.ALNUM, 22), "admin"),
    ("german", "Passwort lautet {s} bitte ändern", v.password, "bitte"),
    ("spanish", "contraseña: {s} guardada", v.password, "guardada"),
    ("go_struct", "{User:ann Password:{s} Port:5432}", v.plain_password, "Port:5432"),
    ("ruby_hash", '{:user=>"ann", :password=>"{s}"}', v.plain_password, "ann"),
    ("php_array", "['user' => 'ann', 'password' => '{s}']", v.plain_password, "ann"),
    ("asgi_scope", "headers: [(b'host', b'a.test'), (b'authorization', b'Bearer {s}')]", v.token, "a.test"),
    ("escaped_json", 'payload="{\\"user\\": \\"ann\\", \\"password\\": \\"{s}\\"}"', v.plain_password, "ann"),
)  # fmt: skip
for _name, _template, _secret, _context in _TEXTS:
    KINDS[f"msg_{_name}"] = filled("body", _template, _secret, _context)
KINDS["msg_jwt"] = filled("body", "decoded {s} for user 42", v.jwt, "user 42", part=v.signature_of)
KINDS["msg_card"] = filled("body", "card={s} declined", v.card, "declined")
KINDS["msg_basic"] = filled(
    "body", "Authorization: Basic {s}", lambda rng: v.basic(rng, v.password(rng)), "Basic"
)

_SQL = (
    ("update", "UPDATE users SET password='{s}' WHERE id=7", "UPDATE users"),
    ("create_user", "CREATE USER app WITH PASSWORD '{s}'", "CREATE USER"),
    ("alter_role", "ALTER ROLE app WITH ENCRYPTED PASSWORD '{s}' VALID UNTIL '2027-01-01'", "2027-01-01"),
    ("identified", "CREATE USER 'a'@'%' IDENTIFIED BY '{s}'", "CREATE USER"),
    ("insert", "INSERT INTO users (email, password) VALUES ('x', '{s}')", "INSERT INTO users"),
    ("in_list", "SELECT 1 FROM t WHERE api_token IN ('abc', '{s}')", "SELECT 1"),
    ("function", "UPDATE users SET password = crypt('{s}', gen_salt('bf'))", "UPDATE users"),
)
for _name, _template, _context in _SQL:
    KINDS[f"sql_{_name}"] = filled(
        "sql", _template, v.token if "token" in _template else v.plain_password, _context
    )


def _bound(statement: str, parameters: object) -> Make:
    def make(rng: Rng) -> Row:
        secret = v.password(rng)
        text = json.dumps(parameters).replace("SECRET", json.dumps(secret)[1:-1])
        return Row(
            "sql", {"statement": statement, "parameters": json.loads(text)}, secret, statement.split()[0]
        )

    return make


KINDS["sql_named"] = _bound(
    "UPDATE users SET password=:password WHERE id=:id", {"password": "SECRET", "id": 7}
)
KINDS["sql_positional"] = _bound("UPDATE users SET name=?, password=? WHERE id=?", ["ann", "SECRET", 7])
KINDS["sql_insert_positional"] = _bound(
    "INSERT INTO users (name, password) VALUES (%s, %s)", ["ann", "SECRET"]
)
KINDS["sql_many"] = _bound(
    "INSERT INTO users (name, password) VALUES (?, ?)", [["ann", "SECRET"], ["bob", "x"]]
)

_URLS = (
    ("userinfo", "https://ann:{s}@a.test/v1?page=2", v.plain_password, "page=2"),
    ("access_token", "https://a.test/cb?access_token={s}&state=1", v.token, "state=1"),
    ("api_key", "https://a.test/v1?q=x&api_key={s}", v.token, "q=x"),
    ("fragment", "https://a.test/#id_token={s}&expires_in=3600", v.token, "expires_in=3600"),
    ("code", "https://a.test/cb?code={s}&scope=openid", v.token, "scope=openid"),
    (
        "sig",
        "https://x.blob.core.windows.net/c/b?sv=2024-01-01&se=2026-12-01&sr=b&sig={s}",
        lambda r: quote(v.text(r, v.BASE64, 43) + "=", safe=""),
        "sr=b",
    ),
    (
        "sigv4",
        "https://b.s3.amazonaws.com/k?X-Amz-Expires=600&X-Amz-Signature={s}",
        v.hexadecimal,
        "X-Amz-Expires=600",
    ),
    (
        "cloudfront",
        "https://d1.cloudfront.net/f.mp4?Expires=1795300000&Signature={s}",
        lambda r: v.text(r, v.URLSAFE, 180),
        "Expires=1795300000",
    ),
    ("nested", "https://sso.test/login?next=https%3A%2F%2Fa.test%2F%3Ftoken%3D{s}", v.token, "sso.test"),
    (
        "google_key",
        "https://maps.test/api?address=x&key={s}",
        lambda r: v.provider(r, "google_api"),
        "address=x",
    ),
    ("reset_link", "https://a.test/reset-password/{s}", v.token, "a.test"),
    ("bot_path", "https://api.telegram.org/bot{s}/getMe", lambda r: v.provider(r, "telegram"), "getMe"),
    ("magic", "https://a.test/magic-link?token={s}&utm_source=mail", v.token, "utm_source=mail"),
)
for _name, _template, _secret, _context in _URLS:
    KINDS[f"url_{_name}"] = filled("url", _template, _secret, _context)
KINDS["url_query"] = filled("url", "user=ann&password={s}", v.plain_password, "user=ann", key="url.query")

_HEADERS = (
    ("authorization", "Bearer {s}", v.token),
    ("proxy-authorization", "Basic {s}", lambda r: v.basic(r, v.password(r))),
    ("x-api-key", "{s}", v.token),
    ("cookie", "theme=dark; session={s}", lambda r: v.token(r, 32)),
    ("x-csrf-token", "{s}", v.token),
    ("x-amz-security-token", "{s}", lambda r: v.token(r, 300)),
    ("x-hub-signature-256", "sha256={s}", v.hexadecimal),
    ("stripe-signature", "t=1795300000,v1={s}", v.hexadecimal),
    ("x-goog-api-key", "{s}", lambda r: v.provider(r, "google_api")),
    ("ocp-apim-subscription-key", "{s}", lambda r: v.hexadecimal(r, 32)),
    ("private-token", "{s}", lambda r: v.provider(r, "gitlab")),
)
for _name, _template, _secret in _HEADERS:
    KINDS[f"hdr_{_name}"] = filled("header", _template, _secret, key=f"http.request.header.{_name}")
KINDS["hdr_set_cookie"] = filled(
    "header",
    "sid={s}; Path=/; Secure",
    lambda r: v.token(r, 32),
    "Secure",
    key="http.response.header.set-cookie",
)

_EXCEPTIONS = (
    ("dsn", "could not connect: postgresql://app:{s}@db1/x refused", v.plain_password, "refused"),
    ("url", "401 Client Error for url: https://a.test/v1?api_key={s}", v.token, "401 Client Error"),
    (
        "pydantic",
        "1 validation error for Login\npassword\n  Value error [type=value_error, input_value='{s}', input_type=str]",
        v.plain_password,
        "value_error",
    ),
    (
        "integrity",
        "UniqueViolation\n[SQL: INSERT INTO users (email, password) VALUES (?, ?)]\n[parameters: ('a@b.test', '{s}')]",
        v.plain_password,
        "UniqueViolation",
    ),
    ("source_line", 'connect(user="root", password="{s}")', v.plain_password, "connect(user="),
    ("positional_call", 'set_password("{s}")', v.plain_password, "set_password("),
)
for _name, _template, _secret, _context in _EXCEPTIONS:
    KINDS[f"exc_{_name}"] = filled("exception", _template, _secret, _context)


def _locals(rng: Rng) -> Row:
    secret = v.password(rng)
    where = {
        "type": "ZeroDivisionError",
        "message": "division by zero",
        "stacktrace": "Traceback...\n",
        "locals": {"password": secret, "n": 0},
    }
    return Row("exception", where, secret, "division by zero")


def _pem(rng: Rng, where: str, key: str) -> Row:
    block = v.pem(rng)
    return Row(where, {"key": key, "value": block}, block.splitlines()[2], None)


KINDS["exc_locals"] = _locals

PERSONAL: dict[str, Make] = {
    "pii_email": filled("body", "receipt sent to {s} today", lambda r: f"ann.{v.text(r, v.LOWER, 5)}@example-corp.test", "today"),
    "pii_email_key": keyed("user.email", lambda r: f"{v.text(r, v.LOWER, 8)}@mail.test"),
    "pii_phone": filled("body", "call {s} back", lambda r: f"+49 151 {v.digits(r, 8)}", "back"),
    "pii_phone_us": filled("body", "caller (555) {s} waits", lambda r: f"{v.digits(r, 3)}-{v.digits(r, 4)}", "waits"),
    "pii_phone_key": keyed("phone_number", lambda r: f"0171 {v.digits(r, 7)}"),
    "pii_iban": filled("body", "transfer to {s} done", v.iban, "done"),
    "pii_ssn": filled("body", "ssn {s} checked", lambda r: f"{r.randrange(100, 600)}-{r.randrange(10, 99)}-{v.digits(r, 4)}", "checked"),
    "pii_dob": keyed("date_of_birth", lambda r: f"19{r.randrange(50, 99)}-0{r.randrange(1, 9)}-1{r.randrange(0, 9)}"),
    "pii_ip": filled("body", "request from {s} served", lambda r: f"203.0.113.{r.randrange(1, 250)}", "served"),
    "pii_name": keyed("first_name", lambda r: v.text(r, v.LOWER, 7).capitalize()),
}  # fmt: skip
