"""A second set of kinds that the rules were not developed on, written after the first one had been looked at."""

# ruff: noqa: E501  (a kind is a line)

from __future__ import annotations

import base64
import json

from tests.corpus import values as v
from tests.corpus.row import Make, benign, benign_key, filled, keyed

KINDS: dict[str, Make] = {}

for _key, _secret in {
    "jenkins.api.token": v.token, "nexusPassword": v.password, "ARTIFACTORY_PASS": v.password, "pg_pass": v.password, "sa_password": v.password, "dbCredentials.pwd": v.password,
    "x-goog-iam-authorization-token": v.token, "cf-access-client-secret": v.token, "linear_webhook_signing_secret": v.token, "PADDLE_API_SECRET": v.token, "twilio.authToken": lambda r: v.hexadecimal(r, 32),
    "paypalClientSecret": v.token, "adyenHmacKey": lambda r: v.hexadecimal(r, 64), "firebase_private_key": v.token, "MAPBOX_ACCESS_TOKEN": v.token, "kubeconfig_token": v.token,
    "ssoTicket": lambda r: f"ST-{v.token(r, 32)}", "cas.ticket": lambda r: f"ST-{v.digits(r, 4)}-{v.token(r, 24)}", "oauth2_refresh": v.token, "rememberMe": v.token, "auth_cookie": v.token, "sessionKey": v.token,
    "login_token": v.token, "magicToken": v.token, "invite_token": v.token, "email_verification_token": v.token, "resetPasswordToken": v.token, "unsubscribeToken": v.token, "device_token": v.token,
    "totpSecret": lambda r: v.text(r, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 32), "backup_codes": lambda r: f"{v.digits(r, 8)}", "smsVerificationCode": v.digits, "authenticatorCode": v.digits,
    "cvv2": lambda r: v.digits(r, 3), "securityCode": lambda r: v.digits(r, 3), "ccNumber": v.card, "creditCardNo": v.card, "paymentCardNumber": lambda r: v.card(r, "54"),
    "codeSecret": v.password, "mdp_utilisateur": v.password, "nuevaContraseña": v.password, "wachtwoord_hash": v.bcrypt_like, "Passwort_neu": v.password, "zugangsdaten": v.password, "passord": v.password, "密码": v.password,
    "aws.secretKey": lambda r: v.text(r, v.BASE64, 40), "s3_secret": v.token, "minioRootPassword": v.password, "gpg_passphrase": v.password, "keystore.password": v.password, "ssl_key_password": v.password,
    "proxyPassword": v.password, "rpcpassword": v.password, "wallet_passphrase": v.password, "mnemonic": lambda r: " ".join(r.choices(("ocean", "ladder", "velvet", "puzzle"), k=12)), "licenseKey": v.token,
    "appSecretProof": lambda r: v.hexadecimal(r, 64), "dataEncryptionKey": v.token, "cookieSecret": v.token, "session_secret_old": v.token, "flask.SECRET_KEY": v.token, "NEXTAUTH_SECRET": v.token, "rails_master_key": lambda r: v.hexadecimal(r, 32),
}.items():  # fmt: skip
    KINDS[f"h2_key_{_key}"] = keyed(_key, _secret)

for _name, _template, _secret, _context in (
    ("structlog", "2026-11-21 10:15:30 [info     ] connected                      host=db1 password={s} port=5432", v.plain_password, "host=db1"),
    ("syslog", "<34>Nov 21 10:15:30 web1 app[312]: login user=ann pwd={s} result=ok", v.plain_password, "result=ok"),
    ("cef", "CEF:0|v|p|1|100|login|5|suser=ann cs1Label=token cs1={s}", None, None),
    ("python_dict_dq", '{{"db": {{"user": "a", "pass": "{s}"}}, "ok": true}}', v.plain_password, '"ok": true'),
    ("namespace", "Namespace(host='h', password='{s}', port=1)", v.plain_password, "port=1"),
    ("namedtuple", "Login(user='ann', secret='{s}')", v.plain_password, "ann"),
    ("pandas", "   user   password\n0  ann   {s}", None, None),
    ("elixir", "%{{user: \"ann\", password: \"{s}\"}}", v.plain_password, "ann"),
    ("swift", "Login(user: \"ann\", password: \"{s}\")", v.plain_password, "ann"),
    ("kotlin", "LoginDto(user=ann, password={s}, remember=true)", v.plain_password, "remember=true"),
    ("scala_map", "Map(user -> ann, password -> {s}, n -> 1)", v.plain_password, "n -> 1"),
    ("perl_hash", "password => '{s}', host => 'h'", v.plain_password, "host => 'h'"),
    ("lua", 'conf.password = "{s}" -- local', v.plain_password, "-- local"),
    ("properties", "db.user=a\ndb.password={s}\ndb.pool=5", v.plain_password, "db.pool=5"),
    ("yaml_quoted", "api:\n  key: \"{s}\"\n  url: http://x.test", v.token, "url: http://x.test"),
    ("yaml_list", "users:\n- name: ann\n  password: {s}\n  role: admin", v.plain_password, "role: admin"),
    ("dotenv_q", "STRIPE_KEY='{s}'\nDEBUG=1", lambda r: v.provider(r, "stripe_secret"), "DEBUG=1"),
    ("dockerfile", "ENV NPM_TOKEN={s}\nRUN npm ci", v.token, "RUN npm ci"),
    ("k8s_manifest", "- name: SMTP_PASSWORD\n  value: {s}\n- name: SMTP_HOST\n  value: m.test", v.plain_password, "value: m.test"),
    ("gh_actions", "env:\n  DEPLOY_TOKEN: {s}\nsteps:", v.token, "steps:"),
    ("nginx_conf", 'proxy_set_header Authorization "Bearer {s}";', v.token, "proxy_set_header"),
    ("redis_conf", "port 6379\nrequirepass {s}\nmaxclients 10", v.plain_password, "port 6379"),
    ("wpa", 'network={{\n  ssid="home"\n  psk="{s}"\n}}', v.plain_password, 'ssid="home"'),
    ("my_cnf", "[client]\nuser=root\npassword=\"{s}\"\nhost=h", v.plain_password, "host=h"),
    ("pypirc", "[pypi]\nusername = __token__\npassword = {s}", lambda r: v.provider(r, "pypi"), "__token__"),
    ("maven", "<server><id>x</id><username>a</username><password>{s}</password></server>", v.plain_password, "<id>x</id>"),
    ("web_config", '<add name="Db" connectionString="Server=h;User Id=a;Password={s};Encrypt=True" />', v.plain_password, "Server=h"),
    ("cargo_toml", '[registry]\ntoken = "{s}"', lambda r: "cio" + v.token(r, 32), "[registry]"),
    ("netrc_multi", "machine h\n  login ann\n  password {s}\n", v.plain_password, "login ann"),
    ("basic_url", "GET http://ann:{s}@h.test:8080/x HTTP/1.1", v.plain_password, "h.test:8080/x"),
    ("scp", "sftp://ann:{s}@h.test/d/f.csv uploaded", v.plain_password, "uploaded"),
    ("mssql_url", "mssql+pyodbc://sa:{s}@h/db?driver=ODBC", v.plain_password, "driver=ODBC"),
    ("snowflake", "snowflake://ann:{s}@acct/db/public?warehouse=w", v.plain_password, "warehouse=w"),
    ("clickhouse", "clickhouse://default:{s}@ch:9000/d?compress=1", v.plain_password, "compress=1"),
    ("nats", "nats://{s}@n.test:4222", v.token, "n.test:4222"),
    ("mqtt", "mqtts://dev1:{s}@iot.test:8883", v.plain_password, "iot.test:8883"),
    ("elastic", "https://elastic:{s}@es.test:9200/_search?size=1", v.plain_password, "size=1"),
    ("eventhub", "Endpoint=sb://n.test/;SharedAccessKeyName=k;SharedAccessKey={s};EntityPath=e", lambda r: v.text(r, v.BASE64, 43) + "=", "EntityPath=e"),
    ("cosmos", "AccountEndpoint=https://c.test:443/;AccountKey={s};", lambda r: v.provider(r, "azure_storage"), "AccountEndpoint"),
    ("oracle", "jdbc:oracle:thin:scott/{s}@//h:1521/x", v.plain_password, "h:1521"),
    ("prose_pw", "Her password was {s}, please rotate it", v.password, "please rotate"),
    ("prose_creds", "login with ann / password {s}", lambda r: "Tq8!" + v.token(r, 7), "login with ann"),
    ("prose_passcode", "Use passcode {s} to join the meeting", v.digits, "join the meeting"),
    ("prose_otp_to", "sent OTP {s} to the user", v.digits, "to the user"),
    ("prose_2fa", "2FA code: {s}", v.digits, "2FA"),
    ("prose_secret", "The client secret is {s}", v.token, None),
    ("prose_token_eq", "using token: {s} (expires 2026-12-01)", v.token, "2026-12-01"),
    ("prose_fr", "votre mot de passe est {s}", v.password, "votre"),
    ("prose_es", "su contraseña es {s}", v.password, "su"),
    ("prose_nl", "wachtwoord: {s}", v.password, None),
    ("grpc_meta", "metadata: [('x-api-key', '{s}'), ('te', 'trailers')]", v.token, "trailers"),
    ("wsgi_env", "{{'HTTP_AUTHORIZATION': 'Bearer {s}', 'PATH_INFO': '/x'}}", v.token, "PATH_INFO"),
    ("httpx_repr", "Headers({{'host': 'a.test', 'authorization': 'Bearer {s}'}})", v.token, "a.test"),
    ("requests_dump", "> GET / HTTP/1.1\n> Host: a.test\n> Authorization: Basic {s}\n>", lambda r: v.basic(r, v.password(r)), "Host: a.test"),
    ("fetch_js", "fetch('/x', {{headers: {{'X-CSRF-Token': '{s}'}}}})", v.token, "fetch("),
    ("axios_err", "config: {{ headers: {{ Authorization: 'Bearer {s}' }}, url: '/x' }}", v.token, "url: '/x'"),
    ("json_escaped_amp", '{{"url": "https://a.test/?token={s}\\u0026x=1"}}', v.token, "a.test"),
    ("html_entity", "https://a.test/?api_key={s}&amp;x=1", v.token, "x=1"),
    ("url_fragment_token", "https://app.test/cb#access_token={s}&token_type=bearer", v.token, "token_type=bearer"),
    ("pem_escaped", '"private_key": "-----BEGIN PRIVATE KEY-----\\n{s}\\n-----END PRIVATE KEY-----\\n", "client_id": "7"', lambda r: v.text(r, v.BASE64, 200), '"client_id": "7"'),
    ("pem_indented", "  key: |\n    -----BEGIN OPENSSH PRIVATE KEY-----\n    {s}\n    -----END OPENSSH PRIVATE KEY-----\n  user: ann", lambda r: v.text(r, v.BASE64, 70), "user: ann"),
    ("az_cli", "az login --service-principal -u app -p {s} --tenant t", lambda r: f"{v.text(r, v.ALNUM, 3)}8Q~{v.text(r, v.URLSAFE, 34)}", "--tenant t"),
    ("aws_cli", "aws configure set aws_secret_access_key {s}", lambda r: v.text(r, v.ALNUM, 40), "aws configure"),
    ("kubectl", "kubectl create secret generic x --from-literal=password={s}", v.plain_password, "generic x"),
    ("vault_login", "vault login token={s}", lambda r: v.provider(r, "vault"), "vault login"),
    ("psql_uri", 'psql "postgresql://a:{s}@h/d" -c "select 1"', v.plain_password, "select 1"),
    ("mongosh", "mongosh --username a --password {s} --host h", v.plain_password, "--host h"),
    ("ansible", "ansible-playbook s.yml -e ansible_password={s}", v.plain_password, "s.yml"),
    ("twine", "twine upload -u __token__ -p {s} dist/x", lambda r: v.provider(r, "pypi"), "dist/x"),
    ("curl_bearer_env", "curl --oauth2-bearer {s} https://a.test", v.token, "a.test"),
    ("smb", "smbclient //h/s -U ann%{s} -c ls", v.plain_password, "-c ls"),
    ("gql_header", 'x-hasura-admin-secret: {s}', v.token, None),
    ("stripe_sig_log", "stripe-signature: t=1795300000,v1={s}", v.hexadecimal, None),
    ("ssh_key_dump", "privateKey='{s}', publicKey='abc'", lambda r: v.text(r, v.BASE64, 120), "publicKey='abc'"),
    ("b64_json", "config blob {s} loaded", lambda r: base64.b64encode(json.dumps({"user": "ann", "password": v.password(r)}).encode()).decode(), "loaded"),
):  # fmt: skip
    if _secret:
        KINDS[f"h2_msg_{_name}"] = filled(
            "body", _template.replace("{{", "{").replace("}}", "}"), _secret, _context
        )

for _name, _wrap, _context, _secret in (
    ("django_db", lambda s: {"default": {"ENGINE": "x", "PASSWORD": s, "HOST": "h"}}, "HOST", v.password),
    ("oauth_resp", lambda s: {"access_token": s, "token_type": "Bearer", "expires_in": 3600}, "Bearer", v.token),
    ("jwt_pair", lambda s: {"refresh": s, "lang": "en"}, "en", v.jwt),
    ("querydict", lambda s: {"password": [s], "user": ["ann"]}, "ann", v.password),
    ("aws_creds", lambda s: {"Credentials": {"AccessKeyId": "x", "SecretAccessKey": s, "Expiration": "2026-12-01"}}, "2026-12-01", lambda r: v.text(r, v.BASE64, 40)),
    ("mysql_argv2", lambda s: ["mysqldump", "--user=root", f"--password={s}", "shop"], "shop", v.plain_password),
    ("docker_argv", lambda s: ["docker", "login", "-u", "ann", "-p", s, "reg.test"], "reg.test", v.plain_password),
    ("sshpass_argv", lambda s: ["sshpass", "-p", s, "ssh", "h"], "ssh", v.plain_password),
    ("curl_h_argv", lambda s: ["curl", "-H", f"Authorization: Bearer {s}", "https://a.test"], "a.test", v.token),
    ("env_pairs", lambda s: [{"Name": "DB_PASS", "Value": s}, {"Name": "LANG", "Value": "C"}], "LANG", v.password),
    ("postman", lambda s: {"auth": {"type": "bearer", "bearer": [{"key": "token", "value": s, "type": "string"}]}}, "string", v.token),
    ("raw_headers", lambda s: [["host", "a.test"], ["authorization", f"Basic {s}"]], "a.test", lambda r: v.basic(r, v.password(r))),
    ("tree_list", lambda s: {"servers": [{"h": "a"}, {"h": "b", "tls": {"keyPassword": s}}]}, "tls", v.password),
    ("card_int", lambda s: {"payment": {"number": int(s)}}, "payment", lambda r: v.card(r, "52")),
    ("multi_json", lambda s: {"Records": [{"body": json.dumps({"detail": {"apiKey": s}})}]}, "detail", v.token),
    ("smtp_tuple", lambda s: ["smtp", ["ann", s]], None, None),
):  # fmt: skip
    if _secret:
        KINDS[f"h2_nested_{_name}"] = keyed("payload", _secret, "nested", _wrap, _context)

for _name, _template, _context in (
    (
        "merge",
        "MERGE INTO users u USING d ON (u.id=d.id) WHEN MATCHED THEN UPDATE SET u.password = '{s}'",
        "MERGE INTO",
    ),
    (
        "on_dup",
        "INSERT INTO users (id, pw) VALUES (1, '{s}') ON DUPLICATE KEY UPDATE pw = '{s}'",
        "ON DUPLICATE KEY",
    ),
    ("multi_rows", "INSERT INTO users (name, password) VALUES ('a', 'x1'), ('b', '{s}')", "INSERT INTO"),
    ("select_md5", "SELECT id FROM users WHERE login='ann' AND password=MD5('{s}')", "login='ann'"),
    ("alter_login", "ALTER LOGIN app WITH PASSWORD = '{s}' OLD_PASSWORD = 'x'", "ALTER LOGIN"),
    ("grant", "GRANT ALL ON d.* TO 'a'@'h' IDENTIFIED BY '{s}'", "GRANT ALL"),
    ("redis", "CONFIG SET requirepass {s}", "CONFIG SET"),
    ("cypher", "CREATE (u:User {name: 'ann', password: '{s}'})", "ann"),
    ("mongo", 'db.users.insertOne({"user": "ann", "password": "{s}"})', "ann"),
    ("pgcrypto", "SELECT pgp_sym_decrypt(d, '{s}') FROM t", "FROM t"),
    ("exec", "EXEC sp_addlogin @loginame='a', @passwd='{s}'", "sp_addlogin"),
):
    KINDS[f"h2_sql_{_name}"] = filled("sql", _template, lambda r: "Zk8" + v.token(r, 10), _context)

for _name, _template, _secret, _context, _key in (
    ("oauth_code", "https://a.test/oauth/callback?code={s}&state=xyz", v.token, "a.test", "url.full"),
    ("verify", "https://a.test/verify-email?key={s}&lang=de", v.token, "lang=de", "url.full"),
    ("signed", "https://a.test/d/f.zip?expires=1795300000&signature={s}", v.hexadecimal, "expires=1795300000", "url.full"),
    ("reset_path", "https://a.test/users/password/reset/{s}", v.token, "a.test", "url.full"),
    ("mattermost", "https://chat.test/hooks/{s}", lambda r: v.text(r, v.LOWER, 26), "chat.test", "url.full"),
    ("webhook_q", "https://a.test/webhook?secret={s}", v.token, "a.test", "url.full"),
    ("ws_token", "/socket.io/?EIO=4&transport=websocket&token={s}", v.jwt, "EIO=4", "http.target"),
    ("gcs", "https://storage.googleapis.com/b/o?X-Goog-Date=x&X-Goog-Signature={s}", lambda r: v.hexadecimal(r, 256), "X-Goog-Date=x", "url.full"),
    ("session_q", "sid={s}&page=2", lambda r: v.text(r, v.LOWER, 32), "page=2", "url.query"),
    ("apikey_q", "apikey={s}&q=x", v.token, "q=x", "url.query"),
):  # fmt: skip
    KINDS[f"h2_url_{_name}"] = filled("url", _template, _secret, _context, key=_key)

for _name, _template, _secret in (
    ("x-hasura-admin-secret", "{s}", v.token), ("x-figma-token", "{s}", v.token), ("circle-token", "{s}", v.token), ("x-pypi-token", "{s}", v.token), ("api-key", "{s}", v.token),
    ("x-ms-client-secret", "{s}", v.token), ("sec-websocket-protocol", "bearer, {s}", v.jwt), ("x-line-signature", "{s}", lambda r: base64.b64encode(r.randbytes(32)).decode()), ("cookie2", "sid={s}", v.token),
    ("set-cookie", "__Secure-next-auth.session-token={s}; Path=/", v.token), ("cookie", "csrftoken={s}; lang=en", v.token), ("x-amz-cf-signature", "{s}", v.token), ("x-datadog-api-key", "{s}", lambda r: v.hexadecimal(r, 32)),
):  # fmt: skip
    KINDS[f"h2_hdr_{_name}"] = filled("header", _template, _secret, key=f"http.request.header.{_name}")

for _name, _template, _secret, _context in (
    ("httpx", "Client error '401 Unauthorized' for url 'https://a.test/?key={s}'", v.token, "401 Unauthorized"),
    ("boto", "InvalidSignature: Credential=x, Signature={s}", v.hexadecimal, "InvalidSignature"),
    ("sqlalchemy", "(OperationalError) FATAL: auth failed\n(Background on this error) url=postgresql+psycopg://a:{s}@h/d", v.plain_password, "auth failed"),
    ("typed_kwargs", "TypeError: login() got an unexpected keyword argument: {{'passwd': '{s}'}}", v.plain_password, "unexpected keyword"),
    ("source_dict", 'client = Client({{"api_secret": "{s}"}})', v.token, "client = Client("),
    ("fernet", 'f = Fernet(key="{s}")', lambda r: v.text(r, v.URLSAFE, 43) + "=", "Fernet("),
    ("jwt_encode", 'jwt.encode(claims, secret="{s}")', v.token, "jwt.encode("),
    ("subprocess", "CalledProcessError: Command '['mysql', '-pX{s}', 'shop']' returned non-zero exit status 1.", v.plain_password, "exit status 1"),
    ("subprocess2", "Command '['app', '--token', '{s}']' died", v.token, "died"),
):  # fmt: skip
    KINDS[f"h2_exc_{_name}"] = filled(
        "exception", _template.replace("{{", "{").replace("}}", "}"), _secret, _context
    )

for _key, _value in {
    "password_input_visible": True, "tokens_used": 99, "auth_service.url": "https://auth.test", "sessions.active": 12, "key_rotation_interval": "30d", "secret.engine": "kv-v2", "csrf_mode": "strict", "cookie.samesite": "Lax",
    "card.last4": "4242", "card_network": "visa", "pan_x": 12.5, "pin_location": "Berlin", "signature_version": "v4", "credential_id": "cred-7", "otp_length": 6, "jwt.issuer": "https://auth.test", "hash.algorithm": "sha256",
    "salt_rounds": 12, "ssh.host": "h.test", "oauth_flow": "pkce", "bearer_token_present": True, "api_key_name": "ci", "authors": ["Ann", "Bob"], "authorizer": "lambda-7", "passes": 3, "passenger.name_count": 2, "compass_bearing": 270,
    "keystroke_count": 4, "monkeypatch": "on", "tokenization": "bpe", "secretariat": "Bonn", "signed_in": True, "sigma": 1.5, "design.token.color": "#ff0000", "session_type": "web", "pincode_required": False, "ticket_number": "T-1234",
    "codec": "h264", "postcode": "SW1A 1AA", "barcode": "4006381333931", "encoder": "utf-8", "decode_ms": 3, "unicode": "yes", "nonce_length": 16, "magic_number": 42, "serial_port": "COM3", "license_type": "MIT", "webhook_event": "order.created",
    "messaging.kafka.consumer.group": "auth-workers", "k8s.secret.name": "db-credentials", "aws.secretsmanager.secret.arn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf", "url.template": "/reset/{token}", "gen_ai.request.max_tokens": 512,
    "db.query.summary": "SELECT tokens", "vcs.ref.head.revision": "9d59409acf479dfa0df1aa568182e43e43df8bbe28d60fcf2bc52e30068802cc", "user_agent.original": "curl/8.5.0", "thread.name": "ThreadPoolExecutor-0_1", "code.filepath": "/app/auth/tokens.py",
}.items():  # fmt: skip
    KINDS[f"b2_key_{_key}"] = benign_key(_key, _value)

for _number, _text in enumerate(
    """
Password reset requested for ann
your password will expire in 3 days
Password: incorrect, try again
password too weak: add a digit
password updated by admin
old password does not match
token refresh took 35ms
Token bucket empty, waiting 2s
using cached token
token for tenant 7 refreshed
no token in request
token: missing
token=expired reason=ttl
auth token rotated, next rotation 2026-12-01
API keys page opened
api_key_rotation=enabled
secret rotation completed in 12s
secret manager unavailable
this is no secret
keys rotated: 12 of 12
cache key miss rate 0.2
composite key (a, b)
foreign key check passed
key=user:42 ttl=60
login failed for ann: bad credentials
credentials: none configured
credentials refreshed
session restored from disk
session id not found
sessions=12 users=9
cookie jar is empty
cookies: accepted
signature mismatch for upload 7
signature: valid
signed url created
pin code accepted
pin 4 is high
otp expired
code=0 signal=none
error code 1045
verification code sent
card declined: insufficient funds
cards in deck: 52
authorization: required
Authorization header missing
auth=none mode=public
basic auth enabled
Bearer authentication is required
jwt: malformed
certificate expired 2026-10-01
ssh key added for ann
seed=42 steps=1000
hash mismatch: expected 5f4dcc3b got 1a2b3c4d
hash=5f4dcc3b5aa765d61d8327deb882cf99 file=app.js
nonce too low
license accepted
hint: pass --token to authenticate
run with PASSWORD set
password = getpass.getpass()
token = request.headers.get("Authorization")
def check_password(self, raw_password):
raise AuthError("invalid token")
if user.password is None:
SELECT password FROM users WHERE id = %s
const token = await getToken();
export API_KEY=<your key here>
curl -H "Authorization: Bearer $TOKEN" https://a.test
mysql -u root -p shop
docker run -p 8080:80 nginx
tar -pxzf a.tgz
git clone git@github.com:a/b.git
http://localhost:8080/auth/login
ssh://git@git.test:22/a/b
redis://cache:6379/0 connected
user:group 1000:1000 applied
ratio 4:3 at 1920x1080
10:15:30 INFO started
at com.example.TokenFilter.doFilter(TokenFilter.java:42)
File "/app/auth/password.py", line 12, in hash_password
released v2.3.1 (build 4711)
balance 1234.56 EUR, limit 5000
flight LH1234 seat 12A
meter 0123-4567-8901 read
isbn 978-3-16-148410-0
{"event": "login", "auth": {"method": "password", "mfa": true}}
{'tokens': 512, 'key': 'color', 'author': 'Jane'}
""".strip().splitlines()
):
    KINDS[f"b2_msg_{_number:02d}"] = benign("body", _text)

for _number, _text in enumerate(
    (
        "SELECT key, value FROM settings WHERE key = 'theme'", "INSERT INTO tags (key, value) VALUES ('color', 'blue')", "SELECT * FROM cards WHERE brand = 'visa'", "UPDATE sessions SET state = 'closed' WHERE id = 'fcfd8bef-05c1-4377-a4ec-f36e94653dd1'",
        "INSERT INTO files VALUES (7, 'report-2026.pdf', 'application/pdf')", "SELECT * FROM t WHERE sha = '1a5ebfd0475d9e24ab8cc4ca58e484a72c75910b'", "GRANT SELECT ON tokens TO reader", "SHOW GRANTS FOR 'ann'", "COMMENT ON COLUMN users.password IS 'bcrypt hash'",
        "SELECT auth_method FROM users WHERE country IN ('DE', 'FR')",
    )
):  # fmt: skip
    KINDS[f"b2_sql_{_number:02d}"] = benign("sql", _text)

for _number, _text in enumerate(
    (
        "https://a.test/api/keys?limit=10", "https://a.test/auth/realms/main/protocol/openid-connect/token", "https://a.test/p/7d4b9c6f-5aa8-4c2a-9c47-d8bb681b9aff?key=summary", "https://a.test/x?code=200&state=closed", "https://a.test/reset/done", "https://a.test/invite/accepted",
        "https://a.test/s?tag=secret&sort=date", "https://cdn.test/9d59409acf479dfa0df1aa568182e43e43df8bbe.js", "https://a.test/?utm_campaign=password_manager", "https://a.test/a?id=01HXYZABCDEFGHJKMNPQRSTVWX", "https://maps.test/@52.52,13.40,11z", "https://a.test/oauth/authorize?response_type=code&client_id=web",
    )
):  # fmt: skip
    KINDS[f"b2_url_{_number:02d}"] = benign("url", _text)

for _name, _value in {
    "location": "/login?next=/home", "x-amzn-trace-id": "Root=1-67891233-abcdef012345678912345678", "if-none-match": 'W/"0815"', "content-security-policy": "default-src 'self'; script-src 'nonce-abc'", "accept-encoding": "gzip, br", "sec-ch-ua": '"Chromium";v="120"',
    "x-correlation-id": "275ecb36-5aa8-4c2a-9c47-d8bb681b9aff", "authorization": "Bearer", "set-cookie": "theme=dark; Path=/; Max-Age=3600", "www-authenticate": 'Basic realm="x"', "x-cache-key": "/orders?page=2", "server-timing": "auth;dur=12",
}.items():  # fmt: skip
    KINDS[f"b2_hdr_{_name}"] = benign("header", _value, key=f"http.request.header.{_name}")
