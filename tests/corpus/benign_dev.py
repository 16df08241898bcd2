"""Harmless kinds that the rules were developed on."""

# ruff: noqa: E501  (a kind is a line)

from __future__ import annotations

import base64

from tests.corpus import values as v
from tests.corpus.row import Make, benign, benign_key

KINDS: dict[str, Make] = {}

_KEYS: dict[str, object] = {
    "token_count": 512, "max_tokens": 4096, "gen_ai.usage.input_tokens": 1834, "tokens_per_second": 41.5, "tokenizer": "bert-base-uncased",
    "author": "Jane Roe", "co_author": "John Doe", "authority": "example.org", "authored_at": "2026-11-21", "passenger": "Ann Lee",
    "passenger_count": 3, "secretary": "Ann Lee", "secretary_general": "Ann Lee", "keyboard": "colemak", "keynote": "opening", "monkey": "capuchin",
    "turkey": "roast", "primary_key": "id", "foreign_key": "fk_orders_user", "sort_key": "created_at", "partition_key": "2026-11-21",
    "cache_key": "user:42:profile", "routing_key": "orders.created", "public_key_path": "/etc/ssl/pub.pem", "key": "color", "keys": ["a", "b"],
    "password_changed_at": "2026-11-21T10:15:30Z", "password_policy.min_length": 12, "password_strength": "strong", "password_reset_required": True,
    "has_password": True, "is_secret": False, "secret_name": "prod/db", "secret_version": 3, "api_key_count": 2, "api_key_id": "k-17",
    "session_count": 7, "session.duration_ms": 5321, "session_timeout": 3600, "session.id": "a1b2c3d4", "auth.method": "oidc", "auth_failures": 3,
    "authentication_type": "saml", "token_type": "Bearer", "token_expires_in": 3600, "csrf_enabled": True, "cookie_consent": "accepted",
    "credential_type": "password", "pin_count": 4, "pinned": True, "spinner": "dots", "opinion": "positive", "compass": "NNE", "bypass": False,
    "pass_rate": 0.97, "passed": 41, "test.pass": "true", "compress_pass": 2, "encryption.algorithm": "AES-256-GCM", "signature_algorithm": "RS256",
    "hash_algorithm": "sha256", "private_key_path": "/etc/ssl/key.pem", "client_id": "web-frontend", "card_type": "visa", "card_count": 2,
    "discard_reason": "queue_full", "cardinality": 1200, "status_code": 200, "error_code": "E1017", "country_code": "DE", "zip": "10115",
    "signal": "SIGTERM", "design": "flat", "assignee": "bob", "oauth.provider": "github", "secrets_manager.region": "eu-west-1", "next_page_token": "CAUQAA",
    "db.namespace": "shop", "db.collection.name": "users", "http.route": "/login/{provider}", "code.function.name": "reset_password",
    "messaging.message.id": "452a7c7c7c7048c2f887f61572b18fc2", "feature_flag.key": "new-token-flow", "exception.type": "InvalidTokenError",
    "mot": "bonjour", "claves_count": 2, "stopwords": "the,a", "bearer_count": 1, "sid_count": 2, "keyspace": "shop", "hotkey": "ctrl+k", "license": "Apache-2.0",
    "otp_enabled": True, "pan_id": 17, "code": "E42", "state": "open", "nonce_count": 2, "ticket": "SUP-1234", "signature": "def f(x) -> int", "digest_count": 2,
}  # fmt: skip
for _key, _value in _KEYS.items():
    KINDS[f"benign_key_{_key}"] = benign_key(_key, _value)

_VALUES = {
    "uuid": v.guid,
    "git_sha": lambda r: v.hexadecimal(r, 40),
    "short_sha": lambda r: v.hexadecimal(r, 7),
    "md5": lambda r: v.hexadecimal(r, 32),
    "digest": lambda r: f"sha256:{v.hexadecimal(r)}",
    "etag": lambda r: f'W/"{v.hexadecimal(r, 16)}"',
    "epoch_ms": lambda r: str(r.randrange(1_795_300_000_000, 1_795_400_000_000)),
    "epoch_ns": lambda r: str(r.randrange(1_795_300_000 * 10**9, 1_795_400_000 * 10**9)),
    "iso_date": lambda r: f"2026-1{r.randrange(3)}-2{r.randrange(9)}T10:15:30.{v.digits(r)}Z",
    "version": lambda r: f"{r.randrange(20)}.{r.randrange(99)}.{r.randrange(99999)}.{r.randrange(9999)}",
    "path": lambda r: f"/var/lib/app/{v.text(r, v.LOWER, 6)}/data.json",
    "order_16_digits": lambda r: v.not_a_card(r, "4"),
    "order_luhn_no_issuer": lambda r: v.card(r, "9", 16),
    "ean13": lambda r: "4006381" + v.digits(r, 6),
    "ulid": lambda r: "01" + v.text(r, "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 24),
    "nanoid": lambda r: v.text(r, v.URLSAFE, 21),
    "object_id": lambda r: v.hexadecimal(r, 24),
    "request_id": lambda r: f"req_{v.token(r, 24)}",
    "chat_id": lambda r: f"chatcmpl-{v.token(r, 29)}",
    "customer_id": lambda r: f"cus_{v.token(r, 14)}",
    "pod": lambda r: f"checkout-{v.hexadecimal(r, 10)}-{v.text(r, v.LOWER, 5)}",
    "arn": lambda r: f"arn:aws:iam::{v.digits(r, 12)}:role/deploy",
    "host": lambda r: f"ip-10-0-{r.randrange(255)}-{r.randrange(255)}.ec2.internal",
    "money": lambda r: f"EUR {r.randrange(1, 99999)}.{r.randrange(10, 99)}",
    "image": lambda r: "data:image/png;base64," + base64.b64encode(r.randbytes(120)).decode(),
    "base64": lambda r: base64.b64encode(r.randbytes(60)).decode(),
    "sri": lambda r: "sha512-" + base64.b64encode(r.randbytes(64)).decode(),
    "geo": lambda r: f"{r.random() * 90:.6f},{r.random() * 180:.6f}",
    "user_agent": lambda r: f"Mozilla/5.0 (X11; Linux x86_64) Chrome/{r.randrange(90, 140)}.0.{r.randrange(9999)}.{r.randrange(99)}",
    "cron": lambda r: f"*/{r.randrange(2, 30)} * * * 1-5",
    "color": lambda r: f"#{v.hexadecimal(r, 6)}",
    "mime": lambda r: "application/vnd.oai.openapi+json;version=3.1",
    "model": lambda r: r.choice(("gpt-4o-mini-2024-07-18", "claude-3-5-sonnet-20241022", "text-embedding-3-small")),
    "isbn": lambda r: f"978-3-16-{v.digits(r, 6)}-0",
    "ref": lambda r: f"ORD-2026-{v.digits(r, 6)}",
    "phone_like": lambda r: f"{v.digits(r, 3)}-{v.digits(r, 6)}",
}  # fmt: skip
for _name, _make in _VALUES.items():
    KINDS[f"benign_value_{_name}"] = benign_key("item.ref", _make)
    KINDS[f"benign_text_{_name}"] = benign("body", "processed {s} in 12 ms", _make)

_TEXTS = """
password reset email sent to user 42
invalid password for user bob
wrong password, 2 attempts left
password must be at least 12 characters long
password is required
the password is too short
password changed successfully
forgot password link clicked
passwords do not match
token expired 3 minutes ago
token is invalid or expired
unexpected token } in JSON at position 17
token_count=512 model=small
used 1834 input tokens and 201 output tokens
refresh token rotation enabled
bearer token missing
missing bearer token in Authorization header
the secret to success is testing
secret santa list updated
secret prod/db rotated
loaded 3 secrets from vault
api key created by ann
no API key found for tenant 7
public key fingerprint verified
primary key violation on table orders
keyboard interrupt received
press any key to continue
cookies disabled by client
cookie banner shown
session started for user ann
session expired after 30 minutes
session_timeout=3600 retries=3
authentication failed: unknown user
authorization required for /admin
author=Jane title="Keys to Success"
credentials provider chain exhausted
credentials not found in environment
signature verification passed
signature algorithm RS256 not supported
pin board updated
passing test suite in 12 s
passenger 12 checked in at gate A4
csrf protection enabled
otp disabled for user 7
code: 404 message: not found
exit code 137
status: ok, code: 200
compass heading NNE
bypass enabled: false
key=color value=blue
sort_key=created_at limit=50
cache_key=user:42:profile hit=true
GET /password/reset 200 12ms
user=ann role=admin action=login ok=true
retry in 5s: connection to db1:5432 refused
connected to postgresql://db.internal:5432/orders
redis://10.0.0.1:6379 is up
see https://docs.test/auth/tokens for details
rate limit: 100 requests per minute per token
tokenizer loaded in 1.2 s
worker 7 passed health check
hash join on key (user_id)
finished at 2026-11-21T10:15:30.123456Z
trace_id=d9f6b682fbc7d0136fee69c62a9f6426 span_id=e267806bc10d12da
meeting with the secretary at 10:30
passwort wurde geändert
mot de passe oublié
contraseña incorrecta
password field is hidden
please enter your password to continue
Password: ********
password=<hidden> user=ann
api_key=${API_KEY} region=eu
connect(user=user, password=password)
token = get_token(request)
headers={'Authorization': '***'}
SELECT ok, password rotated 3 days ago
""".strip().splitlines()  # fmt: skip
for _number, _text in enumerate(_TEXTS):
    KINDS[f"benign_msg_{_number:02d}"] = benign("body", _text)

_SQL = """
SELECT id, password_hash IS NOT NULL FROM users WHERE id = ?
UPDATE sessions SET last_seen = now() WHERE user_id = %(uid)s
ALTER TABLE orders ADD PRIMARY KEY (id)
SELECT count(*) FROM api_keys
SELECT * FROM orders WHERE status = 'open' AND country = 'DE'
INSERT INTO colors (name, code) VALUES ('dark blue', '#00008b')
UPDATE users SET password = ? WHERE id = ?
CREATE INDEX ix_token ON tokens (token_type)
INSERT INTO events VALUES (1, 'order created', '2026-11-21')
SELECT token_type, count(*) FROM tokens GROUP BY token_type
DELETE FROM sessions WHERE expires_at < now()
""".strip().splitlines()
for _number, _text in enumerate(_SQL):
    KINDS[f"benign_sql_{_number:02d}"] = benign("sql", _text)

_URLS = """
https://a.test/authors/12?page=2
https://a.test/search?q=secret+garden&lang=en
https://a.test/password/reset
https://a.test/auth/google/callback?state=open
https://git.test/a/b/commit/1a5ebfd0475d9e24ab8cc4ca58e484a72c75910b
https://a.test/users/fcfd8bef-05c1-4377-a4ec-f36e94653dd1/keys
https://a.test/items?sort_key=price&cursor=12
https://cdn.test/app.3f9a1b2c.js?v=1.2.3
https://a.test/tokens?limit=10&token_type=access
https://docs.test/api-keys#creating-an-api-key
https://a.test/map?lat=52.52&lng=13.40&zoom=11
https://a.test/v1/orders?from=2026-11-01&to=2026-11-30&code=DE
""".strip().splitlines()
for _number, _text in enumerate(_URLS):
    KINDS[f"benign_url_{_number:02d}"] = benign("url", _text)

for _name, _value in {
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64)", "content-type": "application/json; charset=utf-8", "accept": "text/html,application/xml;q=0.9",
    "traceparent": "00-1c41afad9890b2a4e78dfa9cac6cccce-2f672f8a926bd216-01", "etag": '"33a64df551425fcc55e4d42a148795d9f25f89d4"', "cache-control": "max-age=3600",
    "x-request-id": "fcfd8bef-05c1-4377-a4ec-f36e94653dd1", "idempotency-key": "8e03978e-40d5-43dd-bc93-6894a57f9324", "cookie": "theme=dark; lang=en; _ga=GA1.2.1234567890.1795300000",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", "x-ratelimit-remaining": "41", "www-authenticate": 'Bearer realm="api", error="invalid_token"',
}.items():  # fmt: skip
    KINDS[f"benign_hdr_{_name}"] = benign("header", _value, key=f"http.request.header.{_name}")

for _number, _text in enumerate(
    ("'author'", "[Errno 13] Permission denied: '/etc/app/keyboard.conf'", "expected 512 tokens, got 498", "password too short", "Token has expired",
     "AuthenticationError: invalid credentials", "401 Client Error: Unauthorized for url: https://a.test/v1?page=2", "object has no attribute 'password'",
     "missing 1 required positional argument: 'api_key'", "could not connect to server: postgresql://db1:5432/shop")
):  # fmt: skip
    KINDS[f"benign_exc_{_number:02d}"] = benign("exception", _text)

for _name, _value in {
    "book": {"author": {"name": "Ursula"}}, "features": {"password_login": True, "sso": False}, "keyboard": {"keymap": "colemak", "keys": 104},
    "metrics": {"auth_failures": 3, "auth_latency_ms": 12}, "cart": {"card_count": 2, "skus": ["4006381333931"]}, "headers": [["Accept", "*/*"], ["Host", "a.test"]],
    "args": ["app", "--token-ttl", "30", "--verbose"], "pairs": [{"name": "color", "value": "blue"}], "policy": {"password": {"min_length": 12, "required": True}},
    "usage": {"prompt_tokens": 12, "completion_tokens": 40}, "spec": {"kind": "Deployment", "data": {"replicas": "3"}}, "words": ["token", "secret", "password"],
}.items():  # fmt: skip
    KINDS[f"benign_nested_{_name}"] = benign_key("detail", _value, "nested")

PERSONAL: dict[str, Make] = {
    "benign_email_off": benign(
        "body", "sent to {s}", lambda r: f"ann.{v.text(r, v.LOWER, 5)}@example-corp.test"
    ),
    "benign_phone_off": benign("body", "call +49 151 {s}", lambda r: v.digits(r, 8)),
}
