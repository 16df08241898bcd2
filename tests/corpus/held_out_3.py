"""A third set of kinds, written after the first two had been looked at."""

# ruff: noqa: E501  (a kind is a line)

from __future__ import annotations

import json

from tests.corpus import values as v
from tests.corpus.row import Make, Secret, benign, filled, keyed

KINDS: dict[str, Make] = {}


def _text(
    name: str,
    template: str,
    secret: Secret = v.plain_password,
    context: str | None = None,
    where: str = "body",
) -> None:
    KINDS[f"h3_{name}"] = filled(where, template, secret, context)


_KEYS = "admin_pass jdbc.password wp_password kibana_pass userSecret jwtSigningKey hashSecret x_secret MY_APP_KEY GRAFANA_ADMIN_PASSWORD loginToken tokenSecret privateToken auth.secret client.key.password pwd1 passcode secret_token SLACK_WEBHOOK_SECRET facebook_app_secret mailgun_api_key rootPassword svc_acct_pw user_password_plain newPasswd old_pwd TokenValue token2 authKey access_secret refreshToken bearerToken xapikey X-API-TOKEN zoom_jwt_secret"
for k in _KEYS.split():
    KINDS["h3_k_" + k] = keyed(k, v.token if "oken" in k.lower() or "ey" in k.lower() else v.password)
KINDS["h3_k_session"] = keyed("session", lambda r: v.token(r, 32))
KINDS["h3_k_sid_cookie"] = keyed(
    "cookies", lambda r: v.text(r, v.HEX, 32), "nested", lambda s: {"sessionid": s, "theme": "x"}, "theme"
)
KINDS["h3_k_pin_int"] = keyed("pin", lambda r: v.digits(r, 4), "nested", lambda s: int(s))
KINDS["h3_k_cvc_int"] = keyed(
    "card", lambda r: v.digits(r, 3), "nested", lambda s: {"cvc": int(s), "exp": "12/27"}, "12/27"
)
_text("a1", "Login attempt: username=ann, password={s}, result=FAIL", context="result=FAIL")
_text(
    "a2",
    "DEBUG auth payload: {'grant_type': 'client_credentials', 'client_id': 'x', 'client_secret': '{s}'}",
    v.token,
    "'client_id': 'x'",
)
_text("a3", "Set new password '{s}' for user ann", v.password, "user ann")
_text("a4", "ENV: DB_HOST=db1 DB_PASS={s} DB_PORT=5432", context="DB_PORT=5432")
_text("a5", "Authorization header was: Bearer {s}", v.token)
_text("a6", "key: {s}", lambda r: v.provider(r, "openai"))
_text("a7", "got 403 with token={s}... retrying", v.token, "retrying")
_text("a8", "mysql://root:{s}@127.0.0.1/test?charset=utf8", context="charset=utf8")
_text("a9", "rediss://default:{s}@x.upstash.io:6379", context="x.upstash.io")
_text("a10", "ssh ann@h with password {s} failed", lambda r: "Aa1!" + v.token(r, 6), "failed")
_text("a11", "Bot token: {s}", lambda r: v.provider(r, "telegram"))
_text("a12", "PRIVATE-TOKEN: {s}", lambda r: v.provider(r, "gitlab"))
_text("a13", 'curl -X POST -d \'{"api_key": "{s}", "q": 1}\' https://a.test', v.token, "a.test")
_text("a14", "curl https://a.test -H 'Cookie: sid={s}'", lambda r: v.token(r, 32), "a.test")
_text("a15", "wget --header='Authorization: Bearer {s}' https://a.test/f", v.token, "a.test/f")
_text("a16", "java -Ddb.password={s} -jar app.jar", context="app.jar")
_text("a17", "node app.js --db-pass {s} --port 80", context="--port 80")
_text("a18", "args: ['--user', 'ann', '--password', '{s}']", context="ann")
_text("a19", "<Password>{s}</Password><Host>h</Host>", context="<Host>h</Host>")
_text("a20", "PWD={s};UID=sa;SERVER=h", context="SERVER=h")
_text("a21", "the PIN for card is {s}", lambda r: v.digits(r, 4))
_text("a22", "Your OTP is {s}. Do not share.", v.digits, "Do not share")
_text("a23", "G-{s} is your Google verification code", v.digits, "verification code")
_text("a24", "Use code {s} to sign in", v.digits, "to sign in")
_text("a25", 'csrf_token: "{s}"', v.token)
_text("a26", "x-amz-security-token: {s}", lambda r: v.token(r, 200))
_text(
    "a27",
    "AWS_SECRET_ACCESS_KEY={s} AWS_REGION=eu-west-1",
    lambda r: v.text(r, v.BASE64, 40),
    "AWS_REGION=eu-west-1",
)
_text("a29", "paid with {s} (visa)", v.card, "(visa)")
_text("a30", "amex {s} ok", lambda r: (lambda c: f"{c[:4]} {c[4:10]} {c[10:]}")(v.card(r, "37", 15)), "ok")
_text("a31", "pass: {s}", v.password)
_text("a32", "pw={s}", v.password)
_text("a33", "pwd is {s}", v.password)
_text("a34", "secret={s}&ts=1", v.token, "ts=1")
_text("a35", "hmac={s}", v.hexadecimal)
_text("a36", "api-key:{s}", v.token)
_text("a37", "client_secret%3D{s}", v.token)
_text("a38", '{"data":{"attributes":{"password":"{s}"}},"type":"u"}', context='"type"')
_text("a40", "user ann / pass {s}", lambda r: "Xy7!" + v.token(r, 6), "user ann")
_text("a41", "admin:{s}@10.0.0.5:8080", lambda r: "Xy7" + v.token(r, 8), "10.0.0.5:8080")
_text("a42", "DATABASE_URL: postgres://u:{s}@h:5432/d", context="@h:5432/d")
_text("a43", '"token":"{s}","n":1', v.token, '"n":1')
_text("a44", "Token {s} revoked", v.token, "revoked")
_text("a45", "sessionid={s}; csrftoken=x", lambda r: v.text(r, v.LOWER, 32))
_text("a46", "https://a.test/login?username=ann&passwd={s}&next=/x", v.plain_password, "next=/x", "url")
_text("a47", "https://a.test/download?t={s}", lambda r: v.token(r, 43), "a.test", "url")
_text("a48", "https://user:{s}@a.test:8443/p?q=1#f", v.plain_password, "q=1", "url")
_text("a49", "https://a.test/confirm/{s}", lambda r: v.token(r, 32), "a.test", "url")
_text(
    "a50",
    "https://hooks.slack.com/workflows/T01/A02/123/{s}",
    lambda r: v.token(r, 24),
    "hooks.slack.com",
    "url",
)
_text("a51", "SELECT * FROM t WHERE api_key='{s}' LIMIT 1", v.token, "LIMIT 1", "sql")
_text("a52", "insert into accounts(login,passwd) values('ann','{s}')", v.plain_password, "accounts", "sql")
_text("a53", "UPDATE t SET secret=X'{s}'", lambda r: v.hexadecimal(r, 32), "UPDATE t", "sql")
_text("a54", "SELECT login('ann','{s}')", lambda r: "Xy7!" + v.token(r, 6), "SELECT", "sql")
_text("a55", "auth failed for user 'ann' using password: '{s}'", v.plain_password, "auth failed", "exception")
_text("a56", "InvalidToken: {s}", v.jwt, "InvalidToken", "exception")
_text(
    "a57",
    '    raise ConnectionError(f"cannot reach redis://:{s}@r1")',
    v.plain_password,
    "cannot reach",
    "exception",
)
_text("a58", 'self.api_key = "{s}"', v.token, "self.api_key", "exception")
_text("a59", "headers={'X-Token': '{s}'}, timeout=3", v.token, "timeout=3", "exception")
KINDS["h3_n1"] = keyed(
    "body", v.password, "nested", lambda s: json.dumps({"credentials": {"login": "a", "pass": s}}), "login"
)
KINDS["h3_n2"] = keyed(
    "config", v.token, "nested", lambda s: {"providers": [{"name": "x", "apiKey": s}]}, "providers"
)
KINDS["h3_n3"] = keyed(
    "request",
    v.token,
    "nested",
    lambda s: {"headers": {"authorization": f"Bearer {s}", "accept": "*/*"}},
    "*/*",
)
KINDS["h3_n4"] = keyed("kwargs", v.password, "nested", lambda s: {"host": "h", "passwd": s}, "host")
KINDS["h3_n5"] = keyed(
    "event",
    v.plain_password,
    "nested",
    lambda s: {"queryStringParameters": {"password": s}, "path": "/x"},
    "/x",
)
KINDS["h3_n6"] = keyed(
    "process.command_line", v.plain_password, "attr", lambda s: f"app --db-password {s} -v", "-v"
)
KINDS["h3_n7"] = keyed(
    "http.request.body", v.plain_password, "attr", lambda s: f"login=ann&pass={s}", "login=ann"
)
KINDS["h3_n8"] = keyed(
    "messaging.message.body", v.token, "attr", lambda s: json.dumps({"secret": s, "a": 1}), "a"
)
for i, t in enumerate(
    """token usage: 812 of 4096
prompt_tokens=12 completion_tokens=30 total_tokens=42
The token limit was reached
authorised by manager
Author: Jane Roe <jane>
pass the salt
Passing 3 arguments
secretary Ann Lee called
key performance indicator up 3%
key-value store opened
keys and values loaded
cookies: 3, sessions: 7
password strength meter updated
password length must be between 8 and 64
password: minimum length is 8
no such key: 'color'
KeyError: 'password'
session 7f3a started
session duration 35 min
api_key_id=ak_17 rotated
user_id=42 auth=true
auth: method=oidc provider=okta
pin=off
otp required
code=E42 state=open
state=running key=none
hash=none
signature_version=4
token_type=bearer expires_in=3600
Retry-After: 30
Content-Length: 512
ETag: "33a64df5"
X-Request-ID: 275ecb36-5aa8-4c2a-9c47-d8bb681b9aff
build-id: 9d59409acf479dfa0df1aa568182e43e43df8bbe
sha256:04acd40410460194817a17c79a0f86d83aa2be9271f8e3e8ef29d3a6a6e9d0bb pulled
pod checkout-5c9f7d8b6d-9kq2m evicted
GET /api/v1/tokens?page=2 200
POST /oauth/token 200 31ms
commit 9d59409 "rotate keys"
at 2026-11-21T10:15:30+01:00
order #4711-2026-000123
phone support: ext. 1234
ratio 0.1234567890123456
lat=52.520008 lon=13.404954
in 1234567890123 ns
port 5432 user postgres
uuid fcfd8bef-05c1-4377-a4ec-f36e94653dd1 done
model=gpt-4o-mini temperature=0.7 max_tokens=512
license: MIT
passport check at gate 4
passenger: Ann Lee
monkey see
secret ballot held
credentials valid until 2026-12-31
credential helper not found
login: ok
pwd: /home/ann/project
PWD=/home/ann OLDPWD=/tmp
cd $PWD
SSH_AUTH_SOCK=/tmp/ssh-abc/agent.12
GPG_KEY=A035C8C19219BA821ECEA86B64E628F8D684696D
PASSWORD_STORE_DIR=/home/ann/.password-store
DB_PASSWORD_FILE=/run/secrets/db
TOKEN_URL=https://a.test/token
AWS_PROFILE=dev
HOSTNAME=web-1
key_file=/etc/ssl/key.pem cert=/etc/ssl/cert.pem
hits=12 misses=3 keys=104
x = tokens[0]
self.password.set_visible(False)
assert token is not None
return jsonify(token=token)
password=None
PASSWORD: str = Field(min_length=8)
ALTER TABLE users ADD COLUMN password_hash text
""".strip().splitlines()
):
    KINDS[f"b3_{i:02d}"] = benign("body", t)
