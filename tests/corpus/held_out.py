"""Kinds that the rules were not developed on: other names, notations and harmless texts, written before they were first scored."""

# ruff: noqa: E501  (a kind is a line)

from __future__ import annotations

import base64
import json

from tests.corpus import values as v
from tests.corpus.row import Make, benign, benign_key, filled, keyed

KINDS: dict[str, Make] = {}

for _key, _secret in {
    "sapPassword": v.password, "pw": v.password, "DATABASE_PASS": v.password, "rabbitmq.passwd": v.password, "userPwdHash": lambda r: v.hexadecimal(r, 40),
    "x-auth-token": v.token, "x-access-token": v.token, "HEROKU_API_KEY": v.guid, "DD_API_KEY": lambda r: v.hexadecimal(r, 32), "datadog.app_key": lambda r: v.hexadecimal(r, 40),
    "hmacKey": v.token, "aesKeyBase64": lambda r: base64.b64encode(r.randbytes(32)).decode(), "signingSecret2": v.token, "wpa_psk": v.password,
    "snowflake_private_key_passphrase": v.password, "login.credentials": v.password, "kc_client_secret": v.guid, "clientAssertion": v.jwt, "samlResponse": lambda r: v.text(r, v.BASE64, 400),
    "recoveryCode": lambda r: f"{v.text(r, v.LOWER, 5)}-{v.text(r, v.LOWER, 5)}", "two_factor_code": v.digits, "smsCode": v.digits, "cardSecurityCode": lambda r: v.digits(r, 3), "atmPin": lambda r: v.digits(r, 4),
    "ASP.NET_SessionId": lambda r: v.text(r, v.LOWER, 24), "remember_me_token": v.token, "laravel_session": lambda r: v.token(r, 40), "__Host-session": v.token, "_csrf": v.token,
    "sftp_pass": v.password, "vpn-preshared-key": v.token, "ftpPassword": v.password, "root.passwd.new": v.password, "TF_VAR_db_password": v.password,
    "AZURE_CLIENT_SECRET": lambda r: f"{v.text(r, v.ALNUM, 3)}8Q~{v.text(r, v.URLSAFE, 34)}", "SENTRY_AUTH_TOKEN": v.token, "cloudflare_api_token": v.token, "algoliaAdminKey": lambda r: v.hexadecimal(r, 32),
    "hasło": v.password, "lösenord": v.password, "пароль": v.password, "パスワード": v.password, "geheimnis": v.token, "schluessel": v.token, "clé_api": v.token, "codigo_pin": lambda r: v.digits(r, 4),
    "seed_phrase": lambda r: " ".join(r.choices(("ocean", "ladder", "velvet", "puzzle", "orbit", "canyon", "willow", "ember"), k=12)),
    "unlock_code": v.digits, "encryptedPassword": v.token, "passwordHash": v.bcrypt_like, "salt": lambda r: v.hexadecimal(r, 32), "nonce_secret": v.token, "ssh.private-key": v.token,
    "elastic_password": v.password, "spark.ssl.keyStorePassword": v.password, "sasl.jaas.config": lambda r: v.password(r), "gcm_server_key": v.token, "apns_auth_key": v.token,
}.items():  # fmt: skip
    if _key != "sasl.jaas.config":
        KINDS[f"ho_key_{_key}"] = keyed(_key, _secret)

_TEXTS = (
    ("jaas", 'PlainLoginModule required username="ann" password="{s}";', v.plain_password, 'username="ann"'),
    ("kafka_props", "sasl.jaas.config=org.x.ScramLoginModule required username='a' password='{s}';", v.plain_password, "ScramLoginModule"),
    ("log4j_map", "request params [user=[ann], password=[{s}], lang=[en]]", v.plain_password, "lang=[en]"),
    ("java_tostring", "Credentials{{username='ann', password='{s}'}}", v.plain_password, "ann"),
    ("csharp_record", "LoginRequest {{ User = ann, Password = {s}, Remember = True }}", v.plain_password, "Remember = True"),
    ("rust_debug", 'Config {{ url: "http://x", api_token: "{s}", retries: 3 }}', v.token, "retries: 3"),
    ("go_q", 'level=warn msg="bad login" user=ann pass="{s}" n=2', v.plain_password, "n=2"),
    ("nginx", '10.0.0.7 - - "GET /cb?token={s}&x=1 HTTP/1.1" 200 12', v.token, "HTTP/1.1"),
    ("http_dump", "POST /login HTTP/1.1\r\nHost: a.test\r\nX-Auth-Token: {s}\r\nContent-Length: 12\r\n\r\n", v.token, "Host: a.test"),
    ("terraform", '  + password = "{s}"\n  + port     = 5432', v.plain_password, "5432"),
    ("compose", "environment:\n  - POSTGRES_PASSWORD={s}\n  - POSTGRES_DB=shop", v.plain_password, "POSTGRES_DB=shop"),
    ("compose_map", "environment:\n  POSTGRES_USER: app\n  POSTGRES_PASSWORD: {s}\n", v.plain_password, "POSTGRES_USER: app"),
    ("helm", "helm upgrade x --set db.password={s} --wait", v.plain_password, "--wait"),
    ("docker_e", "docker run -e API_KEY={s} -p 80:80 img", v.token, "80:80"),
    ("psql_env", "PGPASSWORD={s} psql -h db1 -U app", v.plain_password, "psql -h db1"),
    ("git_remote", "fatal: unable to access 'https://ann:{s}@git.test/a.git/'", v.plain_password, "git.test/a.git"),
    ("pip_index", "Looking in indexes: https://__token__:{s}@pypi.test/simple", v.token, "pypi.test/simple"),
    ("smtp", "smtp://mailer:{s}@mail.test:587 timed out", v.plain_password, "timed out"),
    ("ldap", "ldap bind dn=cn=admin password={s} failed", v.plain_password, "failed"),
    ("snmp", "snmpwalk -v2c community_string={s} 10.0.0.1", v.plain_password, "10.0.0.1"),
    ("kube_secret", "apiVersion: v1\nkind: Secret\ndata:\n  password: {s}\n", lambda r: base64.b64encode(v.password(r).encode()).decode(), "kind: Secret"),
    ("vault_write", "vault kv put kv/db username=app password={s}", v.plain_password, "username=app"),
    ("aws_cfg", "[default]\naws_access_key_id = x\naws_secret_access_key = {s}\nregion = eu-west-1", lambda r: v.text(r, v.BASE64, 40), "eu-west-1"),
    ("arrow", "password => {s}, user => ann", v.plain_password, "user => ann"),
    ("walrus", "api_key := {s}", v.token, None),
    ("multi_kv", "a=1;token={s};b=2", v.token, "b=2"),
    ("pipe_kv", "user=ann|password={s}|ip=10.0.0.1", v.plain_password, "ip=10.0.0.1"),
    ("tab_kv", "user\tann\npassword:\t{s}\nhost\tdb1", v.plain_password, "db1"),
    ("prose_temp", "Temporary password: {s} (valid 24 h)", v.password, "24 h"),
    ("prose_login", "Hi Ann, you can sign in with the password {s} now", lambda r: "Kx7!" + v.token(r, 8), "Hi Ann"),
    ("prose_code2", "{s} is your login code", v.digits, "login code"),
    ("prose_pin", "Ihre PIN lautet {s}", lambda r: v.digits(r, 4), "Ihre"),
    ("prose_key", "generated API key {s} for tenant 7", v.token, "tenant 7"),
    ("prose_changed", "user bob changed password from {s} to something else", v.password, "user bob"),
    ("html_input", '<input type="password" name="password" value="{s}">', v.plain_password, "type="),
    ("xml_attr", '<add key="Password" value="{s}"/>', v.plain_password, "<add key="),
    ("appsettings", '"ConnectionStrings": {{"Db": "Server=h;Database=d;User Id=a;Password={s};"}}', v.plain_password, "Database=d"),
    ("mysql_long", "mysqldump --user=root --password={s} shop", v.plain_password, "shop"),
    ("wget", "wget --http-user=a --http-password={s} http://x.test/f", v.plain_password, "x.test/f"),
    ("httpie", "http -a ann:{s} GET a.test/me", v.plain_password, "a.test/me"),
    ("openssl", "openssl rsa -in k.pem -passin pass:{s}", v.plain_password, "k.pem"),
    ("winrm", "net use \\\\srv\\c /user:ann /password:{s}", v.plain_password, "/user:ann"),
    ("gql_vars", '{{"query":"mutation($p:String!){{x}}","variables":{{"password":"{s}"}}}}', v.plain_password, "mutation"),
    ("jsonl", '{{"level":"info","ctx":{{"req":{{"headers":{{"x-api-key":"{s}"}}}}}}}}', v.token, "info"),
    ("py_locals", "    user = 'ann'\n    secret_key = '{s}'\n    n = 3", v.token, "n = 3"),
    ("rich_locals", "│ password = '{s}' │\n│ retries = 3 │", v.plain_password, "retries = 3"),
    ("f_string", 'f"Bearer {{token}}" -> "Bearer {s}"', v.token, None),
    ("curl_data", "curl -d 'user=ann&pass={s}' https://a.test/login", v.plain_password, "a.test/login"),
    ("curl_json", "curl -d '{{\"password\":\"{s}\"}}' https://a.test", v.plain_password, "a.test"),
    ("curl_cookie", "curl -b 'sid={s}; lang=en' https://a.test", lambda r: v.token(r, 32), "lang=en"),
    ("encoded_form", "body: user%3Dann%26password%3D{s}%26x%3D1", v.plain_password, None),
    ("proxy", "HTTPS_PROXY=http://ann:{s}@proxy.test:3128", v.plain_password, "proxy.test:3128"),
    ("celery", "broker: amqps://u:{s}@b.test//", v.plain_password, "b.test"),
    ("kv_space", "password = {s} ; user = ann", v.plain_password, "user = ann"),
    ("telegraf", 'urls = ["http://a:{s}@influx:8086"]', v.plain_password, "influx:8086"),
    ("sas", "https://a.queue.core.windows.net/q?sv=2024&sp=r&sig={s}", lambda r: v.text(r, v.ALNUM, 43) + "%3D", "sp=r"),
    ("teams_hook", "https://x.webhook.office.com/webhookb2/{s}/IncomingWebhook/abc", lambda r: f"{v.guid(r)}@{v.guid(r)}", "office.com"),
    ("zapier", "https://hooks.zapier.com/hooks/catch/123456/{s}/", lambda r: v.text(r, v.LOWER, 16), "hooks.zapier.com"),
    ("gchat", "https://chat.googleapis.com/v1/spaces/AAA/messages?key=x&token={s}", v.token, "spaces/AAA"),
    ("otpauth", "otpauth://totp/App:ann?secret={s}&issuer=App", lambda r: v.text(r, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 32), "issuer=App"),
    ("jwt_cookie", "Cookie: a=1; auth={s}", lambda r: v.jwt(r), "a=1"),
    ("hawk", 'Authorization: Hawk id="d", ts="1", mac="{s}"', lambda r: v.text(r, v.BASE64, 43) + "=", "Hawk"),
    ("token_scheme", "Authorization: Token {s}", lambda r: v.hexadecimal(r, 40), "Token"),
    ("apikey_scheme", "authorization: ApiKey {s}", lambda r: v.text(r, v.ALNUM, 60), "ApiKey"),
    ("hash_shadow", "ann:{s}:19000:0:99999:7:::", lambda r: "$6" + "$" + v.text(r, v.ALNUM, 8) + "$" + v.text(r, v.ALNUM, 86), "ann"),
    ("django_hash", "set {s}", lambda r: "pbkdf2_sha256" + "$600000$" + v.token(r, 22) + "$" + v.text(r, v.BASE64, 43) + "=", None),
    ("ftp_pass", "C: USER ann\nC: PASS {s}\nS: 230 ok", v.plain_password, "USER ann"),
    ("redis_auth", "AUTH {s}", lambda r: v.token(r, 20), None),
    ("smtp_auth", "AUTH PLAIN {s}", lambda r: base64.b64encode(f"\0ann\0{v.password(r)}".encode()).decode(), None),
    ("pgpass", "db1:5432:shop:app:{s}", v.plain_password, "db1:5432"),
    ("assign_js", "const apiSecret = `{s}`;", v.token, "const"),
    ("ts_field", 'readonly clientSecret: string = "{s}";', v.token, "readonly"),
    ("truncated_json", '{{"user": "ann", "password": "{s}', v.plain_password, "ann"),
    ("single_line_pem", "key=-----BEGIN EC PRIVATE KEY-----{s}-----END EC PRIVATE KEY-----", lambda r: v.text(r, v.BASE64, 160), "BEGIN EC PRIVATE KEY"),
)  # fmt: skip
for _name, _template, _secret, _context in _TEXTS:
    KINDS[f"ho_msg_{_name}"] = filled(
        "body", _template.replace("{{", "{").replace("}}", "}"), _secret, _context
    )

_NESTED = (
    ("basic_tuple", lambda s: {"auth": ["ann", s]}, None, lambda r: "Zk4#" + v.token(r, 8)),
    ("flat_headers", lambda s: ["Host", "a.test", "X-Api-Key", s], "a.test", v.token),
    ("curl_argv", lambda s: ["curl", "-u", f"ann:{s}", "https://a.test"], "a.test", v.plain_password),
    ("redis_argv", lambda s: ["redis-cli", "-a", s, "PING"], "PING", v.plain_password),
    ("env_list", lambda s: ["PATH=/bin", f"DB_PASSWORD={s}"], "/bin", v.plain_password),
    ("secrets_map", lambda s: {"secrets": {"stripe": s, "region": "eu"}}, None, v.token),
    ("k8s_secret", lambda s: {"kind": "Secret", "data": {"db": s}, "metadata": {"name": "x"}}, "metadata", lambda r: base64.b64encode(v.password(r).encode()).decode()),
    ("form_fields", lambda s: [{"field": "newPassword", "value": s}, {"field": "lang", "value": "en"}], "en", v.password),
    ("value_first", lambda s: [{"value": s, "name": "clientSecret"}], None, v.token),
    ("json_bytes", lambda s: {"raw": json.dumps([{"key": "password", "value": s}])}, None, v.plain_password),
    ("jwks", lambda s: {"kty": "RSA", "privateKey": s}, "RSA", v.token),
    ("cookies_map", lambda s: {"cookies": {"theme": "dark", "sessionid": s}}, "dark", lambda r: v.text(r, v.LOWER, 32)),
    ("tuple_pair", lambda s: [["user", "ann"], ["passwd", s]], "ann", v.password),
    ("dsn_map", lambda s: {"databases": {"default": f"mysql://a:{s}@h/db"}}, "@h/db", v.plain_password),
    ("double_json", lambda s: json.dumps(json.dumps({"client_secret": s, "a": 1})), None, v.token),
    ("auth_docker", lambda s: {"auths": {"r.test": {"auth": s}}}, "r.test", lambda r: v.basic(r, v.password(r))),
    ("smtp_conf", lambda s: {"smtp": {"host": "m", "port": 25, "pass": s}}, "25", v.password),
    ("otp_int", lambda s: {"otp": int(s), "n": 1}, None, v.digits),
    ("card_object", lambda s: {"number": s, "exp": "12/27"}, "12/27", v.card),
)  # fmt: skip
for _name, _wrap, _context, _secret in _NESTED:
    KINDS[f"ho_nested_{_name}"] = keyed("input", _secret, "nested", _wrap, _context)

for _name, _template, _context in (
    ("pragma", "PRAGMA key = '{s}'", "PRAGMA"),
    ("set_password", "SET PASSWORD FOR 'ann'@'%' = '{s}'", "SET PASSWORD"),
    ("login", "CREATE LOGIN app WITH PASSWORD = N'{s}'", "CREATE LOGIN"),
    ("native", "ALTER USER a IDENTIFIED WITH mysql_native_password BY '{s}'", "ALTER USER"),
    ("copy", "COPY t FROM 's3://b' CREDENTIALS 'aws_access_key_id=x;aws_secret_access_key={s}'", "COPY t"),
    ("dblink", "SELECT dblink_connect('host=h user=a password={s} dbname=d')", "dbname=d"),
    ("sha", "SELECT * FROM users WHERE pwd = SHA2('{s}', 256)", "FROM users"),
    ("like", "SELECT 1 FROM users WHERE password LIKE '{s}%'", "SELECT 1"),
    ("quoted_column", 'UPDATE "users" SET "password" = \'{s}\' WHERE 1=1', "UPDATE"),
    ("backtick", "INSERT INTO `users` (`id`, `pwd`) VALUES (1, '{s}')", "INSERT INTO"),
    ("comment", "SELECT 1 -- password={s}", "SELECT 1"),
):
    KINDS[f"ho_sql_{_name}"] = filled("sql", _template, v.plain_password, _context)
KINDS["ho_sql_no_columns"] = filled(
    "sql", "INSERT INTO s VALUES ('it''s','{s}')", lambda r: "kV#7" + v.token(r, 8)
)

for _name, _template, _secret, _context, _key in (
    ("ws", "wss://a.test/ws?auth_token={s}&v=2", v.token, "v=2", "url.full"),
    ("matrix", "https://a.test/x;jsessionid={s}?a=1", lambda r: v.text(r, v.UPPER, 32), "a=1", "url.full"),
    ("double_encoded", "https://a.test/r?u=https%253A%252F%252Fb.test%253Fapi_key%253D{s}", v.token, "a.test", "url.full"),
    ("array_param", "https://a.test/?user%5Bpassword%5D={s}&x=1", v.plain_password, "x=1", "url.full"),
    ("invite", "https://a.test/invite/{s}/accept", v.token, "/accept", "http.url"),
    ("target", "/cb?client_secret={s}&grant_type=x", v.token, "grant_type=x", "http.target"),
    ("relative", "/api/v1/reset?reset_token={s}", v.token, "/api/v1/reset", "url.path"),
    ("referer", "https://a.test/p?otp={s}&k=1", v.digits, "k=1", "http.request.header.referer"),
    ("oauth1", "https://a.test/?oauth_signature={s}&oauth_version=1.0", lambda r: v.text(r, v.ALNUM, 27) + "%3D", "oauth_version=1.0", "url.full"),
    ("saml", "https://a.test/acs?SAMLResponse={s}&x=1", lambda r: v.text(r, v.ALNUM, 200), "x=1", "url.full"),
    ("token_user", "https://{s}@git.test/a/b.git", v.token, "git.test/a/b.git", "url.full"),
    ("hash_password", "postgres://app:pa#{s}@db/x", lambda r: v.token(r, 10), "db/x", "db.connection_string"),
):  # fmt: skip
    KINDS[f"ho_url_{_name}"] = filled("url", _template, _secret, _context, key=_key)

for _name, _template, _secret in (
    ("x-vault-token", "{s}", lambda r: v.provider(r, "vault")),
    ("x-shopify-hmac-sha256", "{s}", lambda r: base64.b64encode(r.randbytes(32)).decode()),
    ("x-twilio-signature", "{s}", lambda r: base64.b64encode(r.randbytes(20)).decode()),
    ("x-functions-key", "{s}", lambda r: v.text(r, v.URLSAFE, 54) + "=="),
    ("x-xsrf-token", "{s}", v.token),
    ("authentication", "{s}", v.token),
    ("x-session-token", "{s}", v.token),
    ("dpop", "{s}", v.jwt),
    ("x-slack-signature", "v0={s}", v.hexadecimal),
    ("apikey", "{s}", v.token),
    ("x-gitlab-token", "{s}", v.token),
    ("x-forwarded-authorization", "Bearer {s}", v.token),
    ("x-plex-token", "{s}", lambda r: v.token(r, 20)),
    ("x-rapidapi-key", "{s}", lambda r: v.text(r, v.LOWER, 50)),
):  # fmt: skip
    KINDS[f"ho_hdr_{_name}"] = filled("header", _template, _secret, key=f"http.request.header.{_name}")

for _name, _template, _secret, _context in (
    ("key_error", "KeyError: {{'api_token': '{s}'}}", v.token, "KeyError"),
    ("requests", "HTTPSConnectionPool(host='a.test', port=443): Max retries exceeded with url: /v1?token={s} (Caused by X)", v.token, "Max retries exceeded"),
    ("asyncpg", 'password authentication failed (dsn "postgres://u:{s}@h/d")', v.plain_password, "@h/d"),
    ("login_call", 'client.login("ann", "{s}")', lambda r: "Wq7$" + v.token(r, 8), "client.login("),
    ("basic_auth", 'requests.get(url, auth=("ann", "{s}"))', lambda r: "Wq7$" + v.token(r, 8), "requests.get(url"),
    ("header_line", 'headers = {{"Authorization": "Bearer {s}"}}', v.token, "headers"),
    ("marshmallow", "ValidationError: {{'password': ['Too short: {s}']}}", None, None),
    ("assert", "assert user.password == '{s}'", v.plain_password, "assert"),
    ("env_missing", "os.environ['DB_PASSWORD'] = '{s}'", v.plain_password, "os.environ"),
    ("pydantic_dict", "validation error for Settings\napi_key\n  Extra inputs are not permitted [type=extra_forbidden, input_value='{s}', input_type=str]", v.token, "extra_forbidden"),
    ("params_tuple", "[SQL: UPDATE t SET token=%s WHERE id=%s]\n[parameters: ('{s}', 7)]", v.token, "UPDATE t"),
    ("params_list", "[SQL: INSERT INTO u (n, passwd) VALUES (%s, %s)]\n[parameters: [('a', '{s}'), ('b', 'x')]]", v.plain_password, "INSERT INTO u"),
):  # fmt: skip
    if _secret:
        KINDS[f"ho_exc_{_name}"] = filled(
            "exception", _template.replace("{{", "{").replace("}}", "}"), _secret, _context
        )

_BENIGN_KEYS: dict[str, object] = {
    "passport_control": "lane 4", "authorize_url": "https://a.test/authorize", "keyframe": 12, "donkey": "grey", "tokenized_text": "hello world", "password_attempts": 2,
    "secret_rotation_days": 30, "passkey_supported": True, "signin_method": "google", "auth_provider_name": "okta", "session_state": "active", "keyword": "sale",
    "sessions_per_user": 2.5, "card_brand": "amex", "pin_code_enabled": False, "cookie_policy_version": "2026-01", "jwt_algorithm": "HS256", "bearer_format": "JWT",
    "access_token_ttl": 900, "oauth_scopes": "read write", "credential_count": 2, "compassion": "high", "passive": True, "surpass": 3, "trespass": False, "hockey.team": "Wings",
    "whiskey": "rye", "jockey": "Ann", "pineapple": 3, "spin_rate": 2200, "panel": "left", "span_kind": "client", "company": "Acme", "discount_code": "SPRING20", "zip_code": "94107",
    "author_email_count": 3, "token_bucket_size": 100, "tokens": ["hello", "world"], "private_key_exists": True, "keychain_name": "login", "encryption_key_rotation": "monthly", "password_hash_algorithm": "argon2id",
    "unauthenticated_count": 4, "authenticity_score": 0.93, "designation": "engineer", "signup_source": "ads", "significant": True, "assignment": "task-7", "cascade": "on delete",
    "k8s.pod.uid": "275ecb36-5aa8-4c2a-9c47-d8bb681b9aff", "service.instance.id": "627cc493-f310-47de-96bd-71410b7dec09", "http.request.header.content-length": ["312"], "gen_ai.response.id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
    "code.stacktrace": "at f (app.js:3)", "db.operation.name": "SELECT", "messaging.destination.name": "auth-events", "rpc.method": "GetSecretMetadata", "url.path": "/api/tokens", "exception.message": "Token is expired",
    "cache.key": "session:count:2026", "object_key": "img/2026/11/cat.png", "idempotency_key": "order-7-try-2", "sorting_keys": ["a", "b"], "kafka.key": "customer-7", "hash_key": "tenant#7", "map_key": "de-DE",
}  # fmt: skip
for _key, _value in _BENIGN_KEYS.items():
    KINDS[f"hb_key_{_key}"] = benign_key(_key, _value)

for _number, _text in enumerate(
    """
the password policy requires 12 characters
password rotation scheduled for 2026-12-01
user ann updated the password for bob
password: field required
password -> ensure this value has at least 8 characters
Password authentication failed for user "app"
2 failed password attempts from 10.0.0.7
no password supplied
API key not valid. Please pass a valid API key.
token validation took 12 ms
tokens: 512 prompt, 20 completion
got token of type access for client web
issued a refresh token to client web-frontend
token bucket refilled at 100/s
secrets synced: 12
secret not found: prod/db/main
keys: 12, misses: 3
key not found: user_id
keyed by tenant and day
cookie expired for visitor 7
session 42 closed by peer
authorization: granted
authorization denied for role viewer
auth: ok
login: ann from web
signing in with google
signed in as ann
pin: GPIO4 state: high
pinning requirements to pip==24.0
passed: 41, failed: 2
pass 2 of 3 complete
bypassing cache for key user:42
sort key is created_at
the key is under the mat
access key rotation is due in 3 days
private key loaded from /etc/ssl/key.pem
public key: RSA 2048 bit
signature is valid
certificate fingerprint matches
credentials loaded from ~/.aws/config
hash: 5f4dcc3b
checksum sha256 ok
OTP sent to user 7
otp verification failed
your code was merged
code review requested
status code is 404
card accepted
card ending in 4242 was declined
credit card form rendered
csrf token mismatch
nonce reused
jwt expired
seed is 42
salted caramel
PIN entry cancelled
--password is required
usage: app --token TOKEN --url URL
set the PASSWORD environment variable
os.environ["API_KEY"] is not set
password = os.environ["DB_PASSWORD"]
if token is None: raise ValueError("token")
def login(user: str, password: str) -> bool:
self.token = token
WHERE token = $1
db.password is deprecated, use db.credentials.file
GET /v1/secrets/prod%2Fdb 200
mailto:ann@a.test
see ticket SUP-1234: password prompt loops
order 4111-2222 shipped
image 1024x768 resized
commit 1a5ebfd0475d9e24ab8cc4ca58e484a72c75910b by ann
build 20261121.4 passed
took 0.53s (p99 1.2s) at 41.2 rps
Basic plan upgraded
basic authentication disabled
digest computed
bearer of bad news
secret: <redacted>
token=None user=7
session=None
""".strip().splitlines()
):
    KINDS[f"hb_msg_{_number:02d}"] = benign("body", _text)

for _name, _make in {
    "k8s_uid": v.guid, "trace": lambda r: v.hexadecimal(r, 32), "aws_req": lambda r: v.text(r, v.UPPER, 16), "cf_ray": lambda r: f"{v.hexadecimal(r, 16)}-FRA",
    "s3_key": lambda r: f"exports/2026/11/{v.guid(r)}/part-{v.digits(r, 5)}.parquet", "docker_id": lambda r: v.hexadecimal(r, 64), "msg_id": lambda r: f"<{v.token(r, 24)}@mail.test>",
    "ksuid": lambda r: v.token(r, 27), "snowflake": lambda r: v.digits(r, 19), "stripe_pi": lambda r: f"pi_{v.token(r, 24)}", "evt": lambda r: f"evt_{v.token(r, 24)}", "tool": lambda r: f"toolu_{v.token(r, 24)}",
    "npm_integrity": lambda r: "sha512-" + base64.b64encode(r.randbytes(64)).decode(), "svg": lambda r: "data:image/svg+xml;base64," + base64.b64encode(r.randbytes(90)).decode(), "wheel": lambda r: "numpy-2.1.3-cp311-cp311-manylinux_2_17_x86_64.whl",
    "semver": lambda r: f"v{r.randrange(9)}.{r.randrange(99)}.0-rc.{r.randrange(9)}+build.{v.hexadecimal(r, 7)}", "js_chunk": lambda r: f"vendors~main.{v.hexadecimal(r, 20)}.chunk.js", "duration": lambda r: f"PT{r.randrange(59)}M{r.randrange(59)}S",
    "isin": lambda r: f"US{v.digits(r, 9)}5", "imei_like": lambda r: v.digits(r, 15)[:14] + "0x", "tracking": lambda r: f"1Z{v.text(r, v.UPPER, 16)}", "vin": lambda r: f"WVWZZZ1JZ3W{v.digits(r, 6)}",
    "coords": lambda r: f"POINT({r.random() * 90:.5f} {r.random() * 90:.5f})", "range": lambda r: f"bytes=0-{r.randrange(10**6)}", "dates": lambda r: "2026-11-01/2026-11-30", "class": lambda r: "com.example.auth.TokenServiceImpl$Inner",
    "sid_win": lambda r: f"S-1-5-21-{v.digits(r, 10)}-{v.digits(r, 9)}-1001", "interned": lambda r: f"0x{v.hexadecimal(r, 12)}", "jira": lambda r: f"AUTH-{r.randrange(9999)}", "k8s_job": lambda r: f"nightly-export-{r.randrange(10**7, 10**8)}-{v.text(r, v.LOWER, 5)}",
}.items():  # fmt: skip
    KINDS[f"hb_value_{_name}"] = benign_key("ref", _make)
    KINDS[f"hb_text_{_name}"] = benign("body", "handled {s} ok", _make)

for _number, _text in enumerate(
    (
        "SELECT u.id FROM users u JOIN tokens t ON t.user_id = u.id WHERE t.kind = 'refresh'", "INSERT INTO audit (action, actor) VALUES ('password.reset', 'ann')", "UPDATE keys SET label = 'main key' WHERE id = 3",
        "SELECT * FROM pg_stat_activity WHERE state = 'active'", "CREATE TABLE users (id int, password text, token varchar(40))", "SELECT secret_name FROM vault.secrets WHERE name LIKE 'prod/%'", "SELECT md5(name) FROM t WHERE city = 'Berlin'",
        "INSERT INTO t VALUES ('2026-11-21', 'Berlin', 'fcfd8bef-05c1-4377-a4ec-f36e94653dd1')", "DELETE FROM api_keys WHERE revoked_at < '2026-01-01'", "UPDATE users SET password = %(password)s WHERE id = %(id)s",
    )
):  # fmt: skip
    KINDS[f"hb_sql_{_number:02d}"] = benign("sql", _text)

for _number, _text in enumerate(
    (
        "https://a.test/keys/12/rotate?force=true", "https://a.test/o?next=%2Fhome%3Ftab%3Dkeys", "https://a.test/s?q=password+manager&page=3", "https://a.test/session/new", "https://a.test/token/introspect?active=true",
        "https://youtu.be/dQw4w9WgXcQ?t=42", "https://a.test/f/7d4b9c6f5?hash=abc", "https://a.test/#section-tokens", "https://img.test/a.png?w=640&h=480&s=2", "https://a.test/e/0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0?code=E42",
        "https://hub.docker.com/_/postgres/tags?page=1", "https://a.test/webhooks/list", "https://a.test/verify?status=done", "s3://bucket/logs/2026/11/21/app.log.gz", "file:///etc/ssl/private/",
    )
):  # fmt: skip
    KINDS[f"hb_url_{_number:02d}"] = benign("url", _text)

for _name, _value in {
    "oauth_meta": {"token_endpoint": "https://a.test/token", "scopes_supported": ["openid"]}, "login_form": {"fields": ["username", "password"], "submit": "Sign in"}, "acl": {"key": "read", "value": "all"},
    "schema": {"properties": {"password": {"type": "string", "minLength": 8}}}, "flags": [{"name": "new-login", "value": "on"}], "kv": [["region", "eu"], ["tier", "gold"]], "usage": {"tokens": {"in": 12, "out": 40}},
    "cli": ["pytest", "-k", "test_token", "--maxfail", "1"], "mkdir": ["mkdir", "-p", "/tmp/x"], "ssh": ["ssh", "-p", "2222", "host"], "docker": ["docker", "run", "-p", "8080:80", "nginx"], "errors": [{"loc": ["body", "email"], "msg": "bad", "input": "ann"}],
}.items():  # fmt: skip
    KINDS[f"hb_nested_{_name}"] = benign_key("detail", _value, "nested")

for _number, _text in enumerate(
    (
        "ExpiredSignatureError: Signature has expired", "password must contain a digit", "'NoneType' object has no attribute 'token'", "Login.__init__() missing 1 required keyword-only argument: 'password'",
        "1 validation error for User\nname\n  Field required [type=missing, input_value={'age': 3}, input_type=dict]", "1 validation error for Login\npassword\n  Field required [type=missing, input_value={'user': 'ann'}, input_type=dict]",
        "relation \"api_keys\" does not exist", "invalid literal for int() with base 10: 'token'", "Unknown key: color", "FOREIGN KEY constraint failed",
    )
):  # fmt: skip
    KINDS[f"hb_exc_{_number:02d}"] = benign("exception", _text)

PERSONAL: dict[str, Make] = {
    "ho_pii_email_json": filled("body", '{"to": "{s}", "n": 1}', lambda r: f"{v.text(r, v.LOWER, 7)}+news@mail.example.test", '"n": 1'),
    "ho_pii_phone_intl": filled("body", "sms to {s} failed", lambda r: f"+1-202-555-{v.digits(r, 4)}", "failed"),
    "ho_pii_iban_spaces": filled("body", "refund {s} booked", lambda r: " ".join((lambda s: [s[i : i + 4] for i in range(0, len(s), 4)])(v.iban(r))), "booked"),
    "ho_pii_iban_fr": keyed("note", lambda r: v.iban(r, "FR", 23)),
    "ho_pii_ssn_key": keyed("customer.ssn", lambda r: f"{r.randrange(100, 600)}{r.randrange(10, 99)}{v.digits(r, 4)}"),
    "ho_pii_mobile": keyed("mobileNumber", lambda r: f"+44 7{v.digits(r, 9)}"),
    "ho_pii_birthday": keyed("birthday", lambda r: f"1{r.randrange(0, 9)}.0{r.randrange(1, 9)}.19{r.randrange(50, 99)}"),
    "ho_pii_surname": keyed("customer.lastName", lambda r: v.text(r, v.LOWER, 8).capitalize()),
    "ho_pii_ip_key": keyed("client.address", lambda r: f"198.51.100.{r.randrange(1, 250)}", context=None),
    "ho_pii_ipv6": filled("body", "peer {s} left", lambda r: f"2a02:8109:{v.hexadecimal(r, 4)}:{v.hexadecimal(r, 4)}::1", "left"),
    "ho_pii_passport": keyed("passport_number", lambda r: f"C{v.digits(r, 8)}"),
    "ho_pii_street": keyed("street_address", lambda r: f"{r.randrange(1, 99)} {v.text(r, v.LOWER, 8).capitalize()} Street"),
}  # fmt: skip
