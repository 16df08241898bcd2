"""A fourth set of kinds, hostile ones: carriers, dumps, languages, encodings, key files, and what comes near to each."""

# ruff: noqa: E501  (a kind is a line)

from __future__ import annotations

import base64
import json
import string
from urllib.parse import quote

from tests.corpus import values as v
from tests.corpus.kinds import (
    Kinds,
    alnum,
    base32,
    base64_of,
    hexes,
    issued,
    number,
    picture,
    prefixed,
    revision,
    short_revision,
    strong,
    ulid,
    version,
)
from tests.corpus.row import Make

_kinds = Kinds("h4_")
_text, _key, _harmless, _harmless_key = _kinds.text, _kinds.key, _kinds.harmless, _kinds.harmless_key
KINDS: dict[str, Make] = _kinds.made

# ---------- carriers
_text(
    "https://a.test/api?filter={f}&page=2".replace(
        "{f}", "%7B%22where%22%3A%7B%22password%22%3A%22{s}%22%7D%7D"
    ),
    v.plain_password,
    "page=2",
    "url",
)
_text('https://a.test/api?ctx={"auth":{"apiKey":"{s}"}}&page=2', alnum(32), "page=2", "url")
_text(
    "https://a.test/gql?query=query($p:String!){login(p:$p)}&variables=%7B%22p%22%3A1%2C%22password%22%3A%22{s}%22%7D",
    v.plain_password,
    "query($p",
    "url",
)
_text(
    "services:\n  db:\n    image: postgres:16\n    environment:\n      - POSTGRES_PASSWORD={s}\n      - POSTGRES_DB=shop",
    v.plain_password,
    "POSTGRES_DB=shop",
)
_text(
    "mail:\n  host: smtp.test\n  auth:\n    user: ann\n    pass: '{s}'\n  tls: true", v.password, "tls: true"
)
_text("smtp:\n  password: >-\n    {s}\n  port: 587", v.plain_password, "port: 587")
_text('[database]\nhost = "db1"\npassword = "{s}"\nport = 5432', v.password, "port = 5432")
_text("[client]\nuser=ann\npassword={s}\nport=3306", v.plain_password, "port=3306")
_text(
    "[default]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = {s}\nregion = eu-west-1",
    lambda r: v.text(r, v.BASE64, 40),
    "region = eu-west-1",
)
_text("machine api.test login ann password {s}", v.plain_password, "machine api.test")
_text("default login anonymous password {s} macdef init", v.plain_password, "macdef init")
_text("db1.test:5432:shop:ann:{s}", v.plain_password, "db1.test:5432:shop:ann")
_text(
    "users:\n- name: admin\n  user:\n    client-key-data: {s}\n    client-certificate-data: LS0tLS1C",
    base64_of(120),
    "name: admin",
)
_text(
    "users:\n- name: dev\n  user:\n    token: {s}\ncurrent-context: dev",
    v.jwt,
    "current-context: dev",
    part=v.signature_of,
)
_text(
    '{"auths":{"reg.test":{"auth":"{s}"}},"credsStore":"osx"}',
    lambda r: v.basic(r, v.password(r), "ann"),
    '"credsStore":"osx"',
)
_text(
    'provider "aws" {\n  region     = "eu-west-1"\n  access_key = "x"\n  secret_key = "{s}"\n}',
    alnum(40),
    'region     = "eu-west-1"',
)
_text('variable "db_password" {\n  type    = string\n  default = "{s}"\n}', v.password, "type    = string")
_text(
    'resource "aws_db_instance" "x" {\n  username = "ann"\n  password = "{s}"\n}',
    v.password,
    'username = "ann"',
)
_text('+ password = "{s}"\n  username = "ann"', v.password, 'username = "ann"')
_text('~ master_password = "old1x" -> "{s}"', v.password, "~ master_password")
_text(
    "- name: create user\n  ansible.builtin.user:\n    name: ann\n    password: {s}\n    state: present",
    v.plain_password,
    "state: present",
)
_text("ansible_become_pass: {s}\nansible_host: h1", v.plain_password, "ansible_host: h1")
_text("export STRIPE_KEY={s}; ./run.sh", issued("stripe_secret"), "./run.sh")
_text("export DB_PASS='{s}' && ./migrate", v.password, "./migrate")
_text('declare -x PGPASSWORD="{s}"', v.password, "declare -x")
_text("set -gx GITHUB_TOKEN {s}", issued("github_classic"), "set -gx")
_text('$env:API_KEY = "{s}"', alnum(32), "$env:")
_text("$Env:AZURE_CLIENT_SECRET='{s}'; az login", strong, "az login")
_text('setx /M MY_SECRET "{s}"', strong, "setx /M")
_text("ENV API_TOKEN={s}\nEXPOSE 8080", alnum(32), "EXPOSE 8080")
_text("ARG NPM_TOKEN={s}\nRUN npm ci", issued("npm"), "RUN npm ci")
_text("curl -s -u 'ann:{s}' https://h.test/api -o out", v.plain_password, "https://h.test/api")
_text("curl --user ann:{s} -X POST h.test", v.plain_password, "-X POST")
_text("curl -uann:{s} https://h.test", v.plain_password, "https://h.test")
_text(
    "curl -x http://proxy.test:3128 --proxy-user ann:{s} h.test", v.plain_password, "http://proxy.test:3128"
)
_text("curl --data-urlencode 'password={s}' -d user=ann h.test/login", v.plain_password, "user=ann")
_text("curl -F 'token={s}' -F file=@a.csv h.test", alnum(40), "file=@a.csv")
_text("http --auth ann:{s} GET h.test/x", v.plain_password, "GET h.test/x")
_text("wget --http-password={s} --http-user=ann h.test/f", v.plain_password, "--http-user=ann")
_text(
    'Authorization: Digest username="ann", realm="r", nonce="n1", uri="/x", response="{s}"', hexes(32), None
)
_text("Authorization: NTLM {s}", base64_of(90), "NTLM")
_text("Authorization: Negotiate {s}", base64_of(150), "Negotiate")
_text("Proxy-Authorization: Basic {s}", lambda r: v.basic(r, v.password(r)), "Basic")
_text("< Set-Cookie: sess={s}; Path=/; HttpOnly; SameSite=Lax", alnum(40), "HttpOnly; SameSite=Lax")
_text(
    "Set-Cookie: remember_user_token={s}; path=/; expires=Sat, 12 Dec 2026 10:00:00 GMT",
    alnum(60),
    "expires=Sat, 12 Dec 2026 10:00:00 GMT",
)
_text("WWW-Authenticate: Negotiate {s}", base64_of(120), "WWW-Authenticate")
_text(
    "Authorization: AWS4-HMAC-SHA256 Credential=AK/20261122/eu-west-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature={s}",
    hexes(64),
    None,
)
_text('Authorization: Hawk id="dh37", ts="1353832234", nonce="j4h3g2", mac="{s}"', base64_of(32), None)
_text("Authorization: SharedKey acct:{s}", base64_of(32), None)
_text("Authorization: ApiKey {s}", alnum(48), "ApiKey")
_text("Authorization: GoogleLogin auth={s}", alnum(80), "GoogleLogin")
_text('Authorization: OAuth oauth_consumer_key="k", oauth_token="{s}", oauth_version="1.0"', alnum(40), None)
_text("Authorization: Token token={s}", alnum(32), "Authorization")
_text(
    '--X7f3\r\nContent-Disposition: form-data; name="password"\r\n\r\n{s}\r\n--X7f3\r\nContent-Disposition: form-data; name="city"\r\n\r\nBonn\r\n',
    v.password,
    "Bonn",
)
_text(
    '------WebKitFormBoundary7MA\nContent-Disposition: form-data; name="client_secret"\n\n{s}\n------WebKitFormBoundary7MA--',
    alnum(32),
    "client_secret",
)
_text(
    '{"query":"mutation L($i: LoginInput!){login(input:$i){id}}","variables":{"i":{"user":"ann","password":"{s}"}}}',
    v.plain_password,
    "mutation L",
)
_text('mutation { login(email: "ann", password: "{s}") { token } }', v.plain_password, "mutation { login")
_text(
    "Server=tcp:h.test,1433;Initial Catalog=shop;User ID=ann;Password={s};Encrypt=True",
    v.plain_password,
    "Initial Catalog=shop",
)
_text('Data Source=h;User Id=scott;Password="{s}";Pooling=false', v.password, "Pooling=false")
_text(
    "Driver={ODBC Driver 18};Server=h;UID=ann;PWD={{s}};Encrypt=yes".replace("{{s}}", "{{s}}"),
    v.plain_password,
    "Server=h",
)
_text(
    "jdbc:sqlserver://h:1433;databaseName=shop;user=ann;password={s};encrypt=true",
    v.plain_password,
    "databaseName=shop",
)
_text("jdbc:mysql://h:3306/shop?user=ann&password={s}&useSSL=true", v.plain_password, "useSSL=true")
_text("amqps://svc:{s}@mq.test:5671/%2Fprod", v.plain_password, "mq.test:5671")
_text("redis://:{s}@cache.test:6379/0", v.plain_password, "cache.test:6379/0")
_text("cache.test:6380,password={s},ssl=True,abortConnect=False", v.plain_password, "ssl=True")
_text("mongodb+srv://svc:{s}@c0.test/shop?retryWrites=true", v.plain_password, "retryWrites=true")
_text(
    'sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="svc" password="{s}";',
    v.password,
    'username="svc"',
)
_text("sasl.mechanism=PLAIN\nsasl.username=svc\nsasl.password={s}\nacks=all", v.plain_password, "acks=all")
_text("ssl.keystore.password={s} ssl.keystore.location=/k.jks", v.plain_password, "/k.jks")
_text("host=h port=5432 dbname=shop user=ann password='{s}' sslmode=require", v.password, "sslmode=require")
_text("ldap://cn=admin,dc=test:{s}@ldap.test", v.plain_password, "ldap.test")
# reprs
_text("Config(host='h', port=1, password='{s}', debug=False)", v.password, "debug=False")
_text("<Settings db_url='x' secret_key='{s}' debug=True>", v.password, "debug=True")
_text("Settings{host:h.test, apiKey:{s}, retries:3}", alnum(32), "retries:3")
_text('&main.Config{Host:"h", Password:"{s}", Port:5432}', v.password, "Port:5432")
_text("{Host:h Password:{s} Port:5432}", v.plain_password, "Port:5432")
_text('main.Config{User:(string)(len=3) "ann", Password:(string)(len=12) "{s}"}', v.plain_password, "ann")
_text('Config { host: "h", password: "{s}", port: 5432 }', v.password, "port: 5432")
_text('Config { host: "h", password: Some("{s}"), port: 5432 }', v.password, "port: 5432")
_text('Credentials { key: "AK", secret: Secret("{s}") }', alnum(40), "Credentials")
_text("{ user: 'ann', password: '{s}', roles: [ 'a' ] }", v.password, "roles: [ 'a' ]")
_text("[object] password => '{s}', user => 'ann'", v.password, "user => 'ann'")
_text('{:user=>"ann", :password=>"{s}"}', v.password, "ann")
_text('%{user: "ann", password: "{s}"}', v.password, "ann")
_text('#<User id: 1, name: "ann", encrypted_password: "{s}">', alnum(40), "ann")
_text("User(id=1, name=ann, password={s}, age=4)", v.plain_password, "age=4")
_text(
    'array(2) {\n  ["user"]=>\n  string(3) "ann"\n  ["password"]=>\n  string(12) "{s}"\n}',
    v.plain_password,
    "ann",
)
_text("Array\n(\n    [user] => ann\n    [password] => {s}\n)", v.plain_password, "[user] => ann")
_text("OrderedDict([('user', 'ann'), ('password', '{s}')])", v.password, "ann")
_text("Namespace(host='h', token='{s}', verbose=True)", alnum(30), "verbose=True")
_text("namedtuple Creds(user='ann', pw='{s}')", v.password, "ann")
_text("defaultdict(<class 'str'>, {'api_key': '{s}'})", alnum(32), "defaultdict")
_text("mappingproxy({'secret': b'{s}'})", alnum(32), "mappingproxy")
_text("SimpleNamespace(access_token='{s}', expires_in=3600)", alnum(40), "expires_in=3600")
_text("environ({'PATH': '/bin', 'DB_PASSWORD': '{s}', 'LANG': 'C'})", v.password, "'LANG': 'C'")
_text("    locals: password = '{s}'\n            user = 'ann'", v.password, "ann", "exception")
_text('  password = "{s}"\n  user = "ann"\n  n = 3', v.password, "n = 3", "exception")
_text("╭─ locals ─╮\n│ passwd = '{s}' │\n│ n = 3 │", v.password, "n = 3", "exception")
_text(
    "ValueError: invalid literal for int() with base 10 (token={s})",
    alnum(40),
    "invalid literal",
    "exception",
)
_text("KeyError: 'x' while handling {'pw': '{s}'}", v.password, "while handling", "exception")
_text("AssertionError: assert '{s}' == user.password", v.password, "AssertionError", "exception")
_text(
    "auth.exceptions.RefreshError: ('invalid_grant', {'refresh_token': '{s}'})",
    alnum(60),
    "invalid_grant",
    "exception",
)
_text(
    "  File \"a.py\", line 3, in f\n    conn = pg.connect('db', 'ann', password='{s}', port=5)",
    v.plain_password,
    "port=5",
    "exception",
)
_text("ssl.SSLError: cannot load key, passphrase b'{s}'", v.password, "cannot load key", "exception")
# SQL
_text(
    "ALTER ROLE ann WITH LOGIN PASSWORD '{s}' VALID UNTIL '2027-01-01'", v.plain_password, "2027-01-01", "sql"
)
_text(
    "CREATE USER 'ann'@'%' IDENTIFIED WITH caching_sha2_password BY '{s}' REQUIRE SSL",
    v.plain_password,
    "REQUIRE SSL",
    "sql",
)
_text("CREATE ROLE ann LOGIN ENCRYPTED PASSWORD 'md5{s}'", hexes(32), "CREATE ROLE", "sql")
_text("ALTER USER ann IDENTIFIED BY {s} ACCOUNT UNLOCK", v.plain_password, "ACCOUNT UNLOCK", "sql")
_text("UPDATE users SET pwd = crypt('{s}', gen_salt('bf')) WHERE id = 7", v.plain_password, "id = 7", "sql")
_text("SELECT dblink_connect('host=h user=a password={s} dbname=d')", v.plain_password, "dbname=d", "sql")
_text(
    "CREATE SUBSCRIPTION s CONNECTION 'host=h user=r password={s}' PUBLICATION p",
    v.plain_password,
    "PUBLICATION p",
    "sql",
)
_text(
    "CREATE USER MAPPING FOR a SERVER s OPTIONS (user 'b', password '{s}')",
    v.plain_password,
    "SERVER s",
    "sql",
)
_text(
    "COPY t FROM 's3://b/k' CREDENTIALS 'aws_access_key_id=AK;aws_secret_access_key={s}' CSV",
    alnum(40),
    "CSV",
    "sql",
)
_text(
    "CREATE STAGE st URL='azure://x' CREDENTIALS=(AZURE_SAS_TOKEN='{s}')",
    lambda r: "sv=2022&sig=" + quote(base64.b64encode(r.randbytes(32)).decode(), safe=""),
    "CREATE STAGE",
    "sql",
)
_text("CREATE DATABASE SCOPED CREDENTIAL c WITH IDENTITY='x', SECRET='{s}'", alnum(44), "IDENTITY='x'", "sql")
_text("SET PASSWORD FOR 'ann'@'h' = PASSWORD('{s}')", v.plain_password, "SET PASSWORD", "sql")
_text(
    "CREATE LOGIN ann WITH PASSWORD = N'{s}', CHECK_POLICY = ON", v.plain_password, "CHECK_POLICY = ON", "sql"
)
_text("OPEN SYMMETRIC KEY k DECRYPTION BY PASSWORD = '{s}'", v.plain_password, "OPEN SYMMETRIC KEY", "sql")
_text(
    "CHANGE MASTER TO MASTER_HOST='h', MASTER_PASSWORD='{s}', MASTER_PORT=3306",
    v.plain_password,
    "MASTER_PORT=3306",
    "sql",
)
_text(
    "CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD='{s}', SOURCE_PORT=1",
    v.plain_password,
    "SOURCE_PORT=1",
    "sql",
)
_text("ATTACH DATABASE 'x.db' AS x KEY '{s}'", v.plain_password, "ATTACH DATABASE", "sql")
_text("SELECT * FROM mysql('h:3306', 'd', 't', 'ann', '{s}')", strong, "FROM mysql(", "sql")
_text("SELECT s3('https://b/x.csv', 'AKX', '{s}', 'CSV')", alnum(40), "CSV", "sql")
_text(
    "CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (USER 'a', PASSWORD '{s}', PORT 3306)",
    v.plain_password,
    "PORT 3306",
    "sql",
)
# languages
_text("Das Passwort für den Benutzer ann lautet {s}.", v.password, "Benutzer ann")
_text("Neues Kennwort gesetzt: {s}", v.password, "gesetzt")
_text("Le mot de passe de l'utilisateur ann est {s}", v.password, "utilisateur ann")
_text("La contraseña del usuario es: {s}", v.password, "del usuario")
_text("La password dell'utente è {s}", v.password, "utente")
_text("A senha do usuário é {s}", v.password, "do usu")
_text("Het wachtwoord van ann is {s}", v.password, "van ann")
_text("Hasło użytkownika ann: {s}", v.password, "ann")
_text("Пароль пользователя ann: {s}", v.password, "ann")
_text("Lösenordet är {s}", v.password, "set")
_text("Parola utilizatorului este {s}", v.password, "este")
_text("Şifre: {s}", v.password, None)
_text("密码：{s}", v.password, None)
_text("パスワードは {s} です", v.password, "です")
_text("비밀번호: {s}", v.password, None)
# encodings
_text(
    "payload={s}", lambda r: base64.b64encode(("password=" + v.password(r) + "&user=ann").encode()).decode()
)
_text("Authorization%3A%20Bearer%20{s}", alnum(40), None)
_text("data=%7B%22client_secret%22%3A%20%22{s}%22%7D", alnum(32), None)
_text("cmd=mysql%20-uroot%20-p{s}%20shop", v.plain_password, None)
_text("hex dump: {s}", lambda r: ("password=" + v.plain_password(r)).encode().hex(), "hex dump")
_text(
    "env: {s}",
    lambda r: base64.b64encode(json.dumps({"aws_secret_access_key": v.token(r, 40)}).encode()).decode(),
    "env",
)
_text('cfg \\"password\\": \\"{s}\\", \\"n\\": 1', v.plain_password, "1")
_text("\\u0022token\\u0022:\\u0022{s}\\u0022", alnum(32), None)
_text("&lt;password&gt;{s}&lt;/password&gt;", v.plain_password, None)
# keys & tokens
_text(
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n{s}\n-----END ENCRYPTED PRIVATE KEY-----",
    base64_of(45),
    "ENCRYPTED PRIVATE KEY",
)
_text("-----BEGIN EC PRIVATE KEY-----\n{s}\n-----END EC PRIVATE KEY-----", base64_of(45), "EC PRIVATE KEY")
_text("-----BEGIN DSA PRIVATE KEY-----\\r\\n{s}\\r\\n-----END DSA PRIVATE KEY-----", base64_of(45), "DSA")
_text(
    '---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nComment: "x"\n{s}\n---- END SSH2 ENCRYPTED PRIVATE KEY ----',
    base64_of(45),
    "SSH2",
)
_text("-----BEGIN+RSA+PRIVATE+KEY-----%0A{s}%0A-----END+RSA+PRIVATE+KEY-----", alnum(60), None)
_text('{"kty":"EC","crv":"P-256","x":"f83OJ3D2","d":"{s}"}', prefixed("", v.URLSAFE, 43), "P-256")
_text('{"kty":"oct","k":"{s}","alg":"HS256"}', prefixed("", v.URLSAFE, 43), "HS256")
_text('{"kty":"RSA","n":"0vx7","e":"AQAB","d":"{s}","p":"xx"}', prefixed("", v.URLSAFE, 342), "AQAB")


def jwe(r: v.Rng) -> str:
    h = base64.urlsafe_b64encode(b'{"alg":"RSA-OAEP","enc":"A256GCM"}').decode().rstrip("=")
    return ".".join([h] + [v.text(r, v.URLSAFE, n) for n in (43, 16, 60, 22)])


_text("jwe {s} received", jwe, "received")
_text("token v4.local.{s} issued", prefixed("", v.URLSAFE, 120), "issued")
_text("v2.public.{s}", prefixed("", v.URLSAFE, 120), None)
_text("AGE-SECRET-KEY-1{s}", prefixed("", "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58), None)
_text("SAMLResponse={s}&RelayState=x", base64_of(400), None)
_text(
    "https://acct.blob.core.windows.net/c/b?sv=2024-05-04&se=2026-12-01T00%3A00%3A00Z&sr=b&sp=r&sig={s}",
    lambda r: quote(base64.b64encode(r.randbytes(32)).decode(), safe=""),
    "sp=r",
    "url",
)
_text(
    "https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=600&X-Amz-Security-Token={s}&X-Amz-SignedHeaders=host",
    alnum(300),
    "X-Amz-Expires=600",
    "url",
)
_text(
    "https://d111.cloudfront.net/i.jpg?Expires=1767&Key-Pair-Id=K2&Signature={s}",
    prefixed("", v.URLSAFE + "~", 300),
    "Expires=1767",
    "url",
)
_text("otpauth://totp/Acme:ann?secret={s}&issuer=Acme&digits=6", base32(32), "issuer=Acme", "url")
_text("TOTP seed: {s}", base32(32), "TOTP")
_text("Scan or enter setup key {s}", lambda r: " ".join(base32(4)(r).lower() for _ in range(8)), None)
_text(
    "recovery codes: {s}",
    lambda r: ", ".join(v.text(r, v.LOWER, 5) + "-" + v.text(r, v.LOWER, 5) for _ in range(4)),
    "recovery codes",
)
_text(
    "https://discord.com/api/webhooks/123456789012345678/{s}",
    prefixed("", v.URLSAFE, 68),
    "discord.com",
    "url",
)
_text(
    "https://acme.webhook.office.com/webhookb2/{s}",
    lambda r: f"{v.guid(r)}@{v.guid(r)}/IncomingWebhook/{v.hexadecimal(r, 32)}/{v.guid(r)}",
    None,
    "url",
    part=lambda s: s.split("/")[2],
)
_text(
    "https://prod-12.westeurope.logic.azure.com/workflows/abc/triggers/manual/paths/invoke?api-version=2016&sig={s}",
    prefixed("", v.URLSAFE, 43),
    "api-version=2016",
    "url",
)
_text("https://api.telegram.org/bot{s}/sendMessage?chat_id=1", issued("telegram"), "chat_id=1", "url")
_text("https://maker.ifttt.com/trigger/x/with/key/{s}", prefixed("", v.URLSAFE, 22), "maker.ifttt.com", "url")
_text(
    "https://o1.ingest.sentry.io/api/2/store/?sentry_key={s}&sentry_version=7",
    hexes(32),
    "sentry_version=7",
    "url",
)
_text("https://{s}@o12.ingest.sentry.io/45", hexes(32), "ingest.sentry.io/45", "url")
_text(
    "https://x-access-token:{s}@github.com/a/b.git",
    prefixed("ghs" + "_", v.ALNUM, 36),
    "github.com/a/b.git",
    "url",
)
_text("https://oauth2:{s}@gitlab.test/a/b.git", issued("gitlab"), "gitlab.test", "url")
_text("git+https://{s}@github.com/a/b@main", issued("github_classic"), "github.com/a/b", "url")
_text("https://a.test/cal/private-{s}/basic.ics", hexes(32), "basic.ics", "url")
_text("https://a.test/feed.rss?feed_token={s}", alnum(20), "a.test", "url")
_text("https://a.test/?jwt={s}&v=1", v.jwt, "v=1", "url", part=v.signature_of)
_text(
    "magnet link https://a.test/login/callback#id_token={s}&state=x",
    v.jwt,
    "a.test",
    "url",
    part=v.signature_of,
)
# provider tokens 2025/26, in innocent text
for _name, p, alpha, n in [
    ("mistral_like_perplexity", "pplx" + "-", v.ALNUM, 48),
    ("xai", "xai" + "-", v.ALNUM, 80),
    ("openrouter", "sk-or" + "-v1-", v.HEX, 64),
    ("deepseek", "sk" + "-", v.HEX, 32),
    ("gcp_oauth", "ya29" + ".a0", v.URLSAFE, 180),
    ("hf_org", "api_org" + "_", string.ascii_letters, 34),
    ("gitlab_oauth", "gloas" + "-", v.HEX, 64),
    ("github_refresh", "ghr" + "_", v.ALNUM, 76),
    ("aws_sts", "ASIA", v.UPPER[:26] + "234567", 16),
    ("supabase", "sbp" + "_", v.HEX, 40),
    ("vercel", "vcp" + "_", v.ALNUM, 40),
    ("fly", "fo1" + "_", v.URLSAFE, 43),
    ("tailscale", "tskey-auth" + "-", v.ALNUM, 40),
    ("pulumi", "pul" + "-", v.HEX, 40),
    ("terraform_like", "hvb" + ".", v.URLSAFE, 120),
    ("dynatrace", "dt0c01" + ".", v.UPPER, 88),
    ("sentry_user", "sntryu" + "_", v.HEX, 64),
    ("buildkite", "bkua" + "_", v.HEX, 40),
    ("lark_like_slack_config", "xoxe.xoxp" + "-1-", v.ALNUM, 146),
    ("okta_like", "SSWS 00", v.URLSAFE, 40),
    ("asana", "0/", v.HEX, 32),
    ("square_prod", "EAAA", v.URLSAFE, 60),
    ("typeform", "tfp" + "_", v.URLSAFE, 59),
    ("planetscale", "pscale_tkn" + "_", v.URLSAFE, 43),
    ("resend", "re" + "_", v.ALNUM, 32),
    ("stability", "sk" + "-", v.ALNUM, 48),
    ("voyage", "pa" + "-", v.URLSAFE, 43),
    ("langfuse", "sk-lf" + "-", v.HEX + "-", 36),
    ("ollama_like_cohere", "co" + "_", v.ALNUM, 40),
    ("brave", "BSA", v.ALNUM, 27),
    ("exa", "exa" + "_", v.ALNUM, 40),
    ("firecrawl", "fc" + "-", v.HEX, 32),
    ("assembly_like_deepgram", "dg" + "_", v.ALNUM, 40),
    ("cursor", "crsr" + "_", v.HEX, 64),
    ("netlify", "nfp" + "_", v.ALNUM, 36),
    ("npm_new", "npm" + "_", v.ALNUM, 36),
    ("cloudflare_new", "cfut" + "_", v.ALNUM, 40),
    ("docker_oat", "dckr_oat" + "_", v.ALNUM, 32),
    ("pinecone", "pcsk" + "_", v.ALNUM, 70),
    ("sumo_like_honeycomb", "hcaik" + "_01", v.LOWER, 58),
]:
    _text("upload to bucket used {s} and worked", prefixed(p, alpha, n), "and worked")
# keyed
for k in [
    "spring.datasource.password",
    "SPRING_RABBITMQ_PASSWORD",
    "hibernate.connection.password",
    "sasl.jaas.password",
    "javax.net.ssl.keyStorePassword",
    "elastic.pass",
    "ldapBindPw",
    "bindCredentials",
    "smtp_pw",
    "ftpPass",
    "snowflakePassword",
    "proxy_pass",
    "masterPassphrase",
    "unlockPassword",
    "passwd_new",
    "confirmPwd",
    "userPasswort",
    "kontopasswort",
    "motDePasse",
    "contrasenia",
    "senhaAtual",
    "wachtwoordNieuw",
    "vpn.psk",
    "wifiPassword",
    "wpa_passphrase",
    "radius_secret",
    "tacacs_key",
    "snmpCommunity",
    "enableSecret",
]:
    _key(k, v.password)
for k in [
    "cloudflareApiToken",
    "STRIPE_WEBHOOK_SIGNING_SECRET",
    "x-vault-token",
    "OPENAI_KEY",
    "anthropicKey",
    "HF_TOKEN",
    "ghToken",
    "npm_auth_token",
    "slackSigningSecret",
    "SESSION_SECRET_KEY",
    "jwt.secret",
    "hmacKey",
    "cookieSecret",
    "deployKey",
    "mapboxToken",
    "algolia_admin_key",
    "SENDGRID_KEY",
    "firebase_private_key",
    "azureStorageKey",
    "sharedAccessKey",
    "sas_key",
    "consumerSecret",
    "clientCredential",
    "oauth.clientSecret",
    "refresh_tok",
    "idToken",
    "bearer",
    "pushToken",
    "fcmServerKey",
    "apns_auth_key",
    "kms_data_key",
    "encryptionKey",
    "dekPlaintext",
    "pgp_passphrase",
    "sshPrivateKey",
    "tlsKeyPem",
    "webhookSecret",
]:
    _key(k, alnum(40))
_key(
    "config",
    alnum(32),
    "nested",
    lambda s: {
        "spec": {"template": {"env": [{"name": "API_KEY", "value": s}, {"name": "LOG", "value": "debug"}]}}
    },
    "debug",
)
_key(
    "manifest",
    base64_of(16),
    "nested",
    lambda s: {"kind": "Secret", "metadata": {"name": "x"}, "data": {"pw": s}},
    "metadata",
)
_key(
    "auths",
    lambda r: v.basic(r, v.password(r)),
    "nested",
    lambda s: {"https://index.docker.io/v1/": {"auth": s}},
)
_key("form", v.password, "nested", lambda s: [["user", "ann"], ["password", s]], "ann")
_key(
    "form2",
    v.password,
    "nested",
    lambda s: {"fields": [{"id": "pw", "label": "Password", "value": s}]},
    "fields",
)
_key(
    "event", v.password, "nested", lambda s: {"changes": {"password": {"old": "a1b2c3", "new": s}}}, "changes"
)
_key("event2", v.password, "nested", lambda s: {"field": "password", "before": "x", "after": s})
_key(
    "diff", alnum(32), "nested", lambda s: [{"op": "replace", "path": "/spec/apiKey", "value": s}], "replace"
)
_key(
    "ssm",
    v.password,
    "nested",
    lambda s: {"Name": "/prod/db/password", "Type": "SecureString", "Value": s},
    "SecureString",
)
_key(
    "secretsmanager",
    v.password,
    "nested",
    lambda s: {"ARN": "x", "SecretString": json.dumps({"username": "ann", "password": s})},
    "ARN",
)
_key("secretsmanager2", strong, "nested", lambda s: {"Name": "prod/x", "SecretString": s}, "prod/x")
_key(
    "tfvar",
    v.password,
    "nested",
    lambda s: {"variables": {"db_password": {"value": s, "sensitive": True}}},
    "sensitive",
)
_key(
    "otel",
    alnum(32),
    "nested",
    lambda s: {"exporters": {"otlp": {"headers": {"api-key": s}, "endpoint": "h"}}},
    "endpoint",
)
_key(
    "mcp",
    alnum(32),
    "nested",
    lambda s: {"mcpServers": {"x": {"command": "npx", "env": {"FOO_TOKEN": s}}}},
    "npx",
)
_key(
    "tool_args",
    alnum(32),
    "nested",
    lambda s: json.dumps({"url": "https://a", "headers": "Authorization: Bearer " + s}),
    "https://a",
)
_key("argv", v.plain_password, "nested", lambda s: ["psql", "-h", "h", "--set", f"pw={s}", "-c", "x"], "-h")
_key(
    "argv2",
    v.plain_password,
    "nested",
    lambda s: ["java", f"-Dspring.datasource.password={s}", "-jar", "a.jar"],
    "a.jar",
)
_key(
    "argv4",
    v.plain_password,
    "nested",
    lambda s: ["openssl", "pkcs12", "-passin", f"pass:{s}", "-in", "a.p12"],
    "a.p12",
)
_key("argv5", alnum(40), "nested", lambda s: ["gh", "auth", "login", "--with-token", s], "gh")
_key(
    "argv6",
    v.plain_password,
    "nested",
    lambda s: ["ldapsearch", "-x", "-D", "cn=a", "-w", s, "-b", "dc=t"],
    "dc=t",
)
for k, t, sc in [
    ("authorization", 'Digest username="a", realm="r", nonce="x", uri="/", response="{s}"', hexes(32)),
    ("proxy-authorization", "NTLM {s}", base64_of(90)),
    ("x-goog-api-key", "{s}", issued("google_api")),
    ("x-auth-token", "{s}", alnum(40)),
    ("cookie", "a=1; PHPSESSID={s}", prefixed("", v.LOWER, 26)),
    ("set-cookie", "__Host-sid={s}; Secure; Path=/", alnum(43)),
    ("x-amz-security-token", "{s}", alnum(300)),
    ("x-shopify-hmac-sha256", "{s}", base64_of(32)),
    ("svix-signature", "v1,{s}", base64_of(32)),
    ("x-slack-signature", "v0={s}", hexes(64)),
    ("paypal-auth-assertion", "{s}", v.jwt),
    ("cf-access-client-secret", "{s}", hexes(64)),
    ("cf-access-jwt-assertion", "{s}", v.jwt),
    ("x-forwarded-access-token", "{s}", alnum(60)),
    ("x-ms-token-aad-access-token", "{s}", alnum(90)),
    ("dpop", "{s}", v.jwt),
    ("x-csrftoken", "{s}", alnum(64)),
    ("apikey", "{s}", v.jwt),
    ("ocp-apim-subscription-key", "{s}", hexes(32)),
    ("x-functions-key", "{s}", base64_of(40)),
    ("x-parse-rest-api-key", "{s}", alnum(40)),
    ("x-contentful-webhook-secret", "{s}", alnum(40)),
    ("dd-api-key", "{s}", hexes(32)),
    ("x-honeycomb-team", "{s}", alnum(32)),
    ("x-sentry-auth", "Sentry sentry_version=7, sentry_key={s}", hexes(32)),
    ("authorization-info", "{s}", alnum(40)),
    ("sec-websocket-protocol", "graphql-ws, {s}", v.jwt),
    ("private-token", "{s}", alnum(20)),
    ("job-token", "{s}", alnum(20)),
    ("x-plex-token", "{s}", alnum(20)),
    ("x-emby-token", "{s}", hexes(32)),
]:
    _text(t, sc, None, "header", key="http.request.header." + k)
# prose
_text("Temporary password for ann@a is {s} valid 24h", v.password, "valid 24h")
_text("User ann entered wrong password '{s}' three times", v.password, "three times")
_text("password for root has been changed from x to {s}", strong, "has been changed")
_text("I set the DB password to {s}, ok?", v.password, "I set")
_text("Here's the API key you asked for: {s}", alnum(40), "you asked for")
_text("creds are ann/{s}", strong, "creds are ann")
_text("bearer {s} rejected", alnum(40), "rejected")
_text("invalid session {s} for user 7", alnum(40), "for user 7")
_text("the wifi key is {s}", strong, "wifi")
_text("unlock PIN {s} accepted", lambda r: v.digits(r, 6), "accepted")
_text("SMS to +49: Ihr Code lautet {s}", lambda r: v.digits(r, 6), "lautet")
_text("Votre code de vérification est {s}", lambda r: v.digits(r, 6), "Votre code")
_text(
    "login failed: (1045, \"Access denied for user 'ann'@'h' (using password: {s})\")",
    strong,
    "Access denied",
)
_text("Bitlocker recovery key: {s}", lambda r: "-".join(v.digits(r, 6) for _ in range(8)), "Bitlocker")
_text("license key {s} activated", lambda r: "-".join(v.text(r, v.UPPER, 5) for _ in range(5)), "activated")
_text(
    "seed phrase: {s}",
    lambda r: " ".join(
        r.choices(
            [
                "abandon",
                "ability",
                "able",
                "about",
                "above",
                "absent",
                "absorb",
                "abstract",
                "absurd",
                "abuse",
                "access",
                "accident",
            ],
            k=12,
        )
    ),
    "seed phrase",
)
_text("hash for ann: {s}", v.bcrypt_like, "hash for ann")
_text(
    "shadow: ann:{s}:19000:0:99999:7:::",
    lambda r: "$6$" + v.text(r, v.ALNUM, 16) + "$" + v.text(r, v.ALNUM + "./", 86),
    "19000:0:99999",
)
_text(
    "htpasswd ann:{s}",
    lambda r: "$apr1$" + v.text(r, v.ALNUM, 8) + "$" + v.text(r, v.ALNUM + "./", 22),
    "htpasswd",
)
_text("NTLM hash ann:1001:aad3b435b51404eeaad3b435b51404ee:{s}:::", hexes(32), "ann:1001")
_text("WPA handshake psk={s} ok", hexes(64), "ok")
_text("Kerberos keytab entry key (0x{s})", hexes(64), "keytab")
_text(
    "wireguard PrivateKey = {s}\nListenPort = 51820",
    lambda r: base64.b64encode(r.randbytes(32)).decode(),
    "ListenPort = 51820",
)
_text("sshpass -p {s} ssh ann@h uptime", v.plain_password, "uptime")
_text("PGPASSWORD={s} psql -h h -U ann shop", v.plain_password, "-U ann shop")
_text("MYSQL_PWD={s} mysqldump shop > out.sql", v.plain_password, "shop > out.sql")
_text("mysql -h h -u ann -p'{s}' shop", v.password, "shop")
_text("redis-cli -h h -a {s} ping", v.plain_password, "ping")
_text("docker run -e POSTGRES_PASSWORD={s} -p 5432:5432 postgres:16", v.plain_password, "postgres:16")
_text("helm install x --set auth.password={s} --set image.tag=1", v.plain_password, "image.tag=1")
_text("kubectl --token={s} get pods", alnum(40), "get pods")
_text("gpg --batch --passphrase {s} -d f.gpg", v.plain_password, "f.gpg")
_text("keytool -storepass {s} -list -keystore k.jks", v.plain_password, "k.jks")
_text("openssl rsa -in k.pem -passin pass:{s} -out o.pem", v.plain_password, "o.pem")
_text("net use Z: \\\\h\\s /user:ann {s}", strong, "net use Z:")
_text('runas creds: ConvertTo-SecureString "{s}" -AsPlainText -Force', strong, "-AsPlainText -Force")
_text("ffmpeg -i rtsp://cam:{s}@10.0.0.4:554/s1 out.mp4", v.plain_password, "10.0.0.4:554/s1")
_text("rclone obscured pass = {s}", alnum(32), "rclone")
_text("xoxd cookie d={s}", prefixed("xoxd" + "-", v.ALNUM, 80), "cookie")
_text("IRC: PRIVMSG NickServ :IDENTIFY {s}", strong, "NickServ")
_text(
    "SMTP >> AUTH PLAIN {s}",
    lambda r: base64.b64encode(("\0ann\0" + v.password(r)).encode()).decode(),
    "AUTH PLAIN",
)
_text("IMAP a1 LOGIN ann {s}", strong, "LOGIN ann")
_text("redis AUTH default {s}", strong, "AUTH default")
_text("CONNECT mqtt client=c1 user=dev pass={s} keepalive=60", v.plain_password, "keepalive=60")
_text("ws connect wss://h.test/?access_token={s}&v=2 ok", alnum(40), "v=2")
_text("git clone https://ann:{s}@h.test/r.git /tmp/r", v.plain_password, "/tmp/r")
_text("pip install --index-url https://__token__:{s}@pypi.test/simple pkg", alnum(40), "simple pkg")
_text("//registry.npmjs.org/:_authToken={s}", alnum(36), "registry.npmjs.org")
_text("_auth = {s}\nemail = a", lambda r: v.basic(r, v.password(r)), None)
_text(
    "<server><id>x</id><username>ann</username><password>{s}</password></server>",
    v.plain_password,
    "<id>x</id>",
)
_text('<add key="ApiKey" value="{s}" />', alnum(32), "<add key")
_text('<add name="Db" connectionString="Server=h;Password={s};Database=d" />', v.plain_password, "Database=d")
_text('<property name="password" value="{s}"/>', v.plain_password, "<property")
_text("<entry key='db.password'>{s}</entry>", v.plain_password, "<entry")
_text('<wsse:Password Type="PasswordText">{s}</wsse:Password>', v.plain_password, "wsse:Password")
_text(
    '<saml:Assertion ID="x"><ds:SignatureValue>{s}</ds:SignatureValue></saml:Assertion>',
    base64_of(128),
    "saml:Assertion",
)
_text("gradle signing.keyPassword={s} signing.keyId=24875D73", v.plain_password, "24875D73")
_text("storePassword={s}\nkeyAlias=upload", v.plain_password, "keyAlias=upload")
_text("rails secret_key_base: {s}", hexes(128), "secret_key_base")
_text("APP_KEY=base64:{s}", lambda r: base64.b64encode(r.randbytes(32)).decode(), "APP_KEY")
_text(
    "define('AUTH_KEY', '{s}');",
    lambda r: v.text(r, v.ALNUM + "!@#$%^&*()-_[]{}<>~+=,.;:/?|", 64).replace("\\", ""),
    "define(",
)
_text("define( 'DB_PASSWORD', '{s}' );", v.password, "define(")
_text("$config['db']['password'] = '{s}';", v.password, "$config")
_text("const apiKey = `{s}`;", alnum(32), "const apiKey")
_text('let password: &str = "{s}";', v.password, "let password")
_text('String password = new String("{s}");', v.password, "String password")
_text('props.setProperty("password", "{s}");', v.password, "props.setProperty")
_text('os.environ["SECRET_KEY"] = "{s}"', v.password, "os.environ")
_text("client.auth(user='a', passwd=r'{s}')", v.password, "client.auth")
_text("-H 'X-Api-Key: {s}' -H 'Accept: a/b'", alnum(32), "Accept: a/b")
# ---------- benign


for t, val in [
    ("data:image/png;base64,{s}", picture),
    ('inline <img src="data:image/png;base64,{s}"> rendered', picture),
    ('ETag: W/"{s}"', hexes(32)),
    ('If-None-Match: "{s}"', hexes(40)),
    ("Content-MD5: {s}", base64_of(16)),
    ("Digest: SHA-256={s}", base64_of(32)),
    ("x-amz-content-sha256: {s}", hexes(64)),
    ("Repr-Digest: sha-256=:{s}:", base64_of(32)),
    ("integrity sha512-{s}", base64_of(64)),
    ('<script src="/a.js" integrity="sha384-{s}" crossorigin>', base64_of(48)),
    ("pulled nginx@sha256:{s}", hexes(64)),
    ("image ghcr.io/a/b:{s}-amd64", short_revision),
    ("commit {s} by Ann", revision),
    ("HEAD is now at {s} fix build", short_revision),
    ("git diff {s}..HEAD", short_revision),
    ("index {s}..abc1234 100644", short_revision),
    ("From {s} Mon Sep 17 00:00:00 2001", revision),
    ("request {s} finished", v.guid),
    ("trace_id={s} span_id=aabbccdd11223344", hexes(32)),
    ("X-Request-Id: {s}", v.guid),
    ("correlation {s}", ulid),
    ("traceparent: 00-{s}-00f067aa0ba902b7-01", hexes(32)),
    ("job k8s-pod-{s}-x7k2p started", lambda r: v.text(r, v.LOWER, 10)),
    ("pod checkout-{s}-q9w8z evicted", lambda r: v.text(r, v.LOWER, 9)),
    ("arn:aws:iam::123456789012:role/{s}", lambda r: "app-" + number(r)),
    ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-{s}", lambda r: v.text(r, v.ALNUM, 6)),
    ("arn:aws:kms:eu-west-1:123456789012:key/{s}", v.guid),
    ("projects/p/secrets/db-password/versions/{s}", lambda r: str(r.randrange(30))),
    ("vault path secret/data/prod/{s}", lambda r: "db" + str(r.randrange(9))),
    ("etcd key /registry/secrets/default/{s}", lambda r: "app-" + str(r.randrange(99))),
    ("secretKeyRef: {name: db, key: password}", None),
    ("valueFrom:\n  secretKeyRef:\n    name: db-credentials\n    key: password", None),
    ("password: ${DB_PASSWORD}", None),
    ("password = var.db_password", None),
    ("password: {{ vault_db_password }}", None),
    ("password: !vault |", None),
    ("POSTGRES_PASSWORD_FILE=/run/secrets/db_password", None),
    ("token: ((github-token))", None),
    ("api_key: env:API_KEY", None),
    ("password: ENC[AES256_GCM,type:str]", None),
    ("password=$(cat /run/secrets/pw)", None),
    ("password = data.aws_ssm_parameter.db.value", None),
    ("secret: op://vault/item/field", None),
    ("password: ********", None),
    ("Password (will not be echoed): ", None),
    ("Enter passphrase for key '/home/ann/.ssh/id_ed25519': ", None),
    ("usage: app [-h] [--token TOKEN] [--password PASSWORD] host", None),
    ("  --password PASSWORD   password for the database (default: none)", None),
    ("  -p, --passphrase <phrase>  passphrase of the key", None),
    ("error: the following arguments are required: --api-key", None),
    ("--token-file /etc/app/token", None),
    ("--max-tokens 4096 --temperature 0.2", None),
    ("max_tokens=4096 top_p=0.9", None),
    ("tokens: 1834 in, 220 out", None),
    ("token usage: prompt=1834 completion={s}", number),
    ("rate: {s} tokens/s", lambda r: str(r.randrange(10, 99))),
    ("tokenizer o200k_base loaded in {s} ms", number),
    ("token bucket refilled to {s}", number),
    ("unexpected token '<' at position {s}", number),
    ("SyntaxError: Unexpected token } in JSON at position {s}", number),
    ('syntax error, unexpected token "foreach" on line {s}', number),
    ("csrf check passed for /login", None),
    ("CSRF token missing or incorrect.", None),
    ("The CSRF session token is missing.", None),
    ("Invalid credentials for user ann", None),
    ('password authentication failed for user "ann"', None),
    ("FATAL: password authentication failed for user {s}", lambda r: "svc" + number(r)),
    ("Permission denied (publickey,password).", None),
    ("password changed at 2026-11-{s}", lambda r: str(r.randrange(10, 28))),
    ("password expires in {s} days", lambda r: str(r.randrange(10, 90))),
    ("password must contain 12 characters and a digit", None),
    ("Password strength: strong", None),
    ("two-factor authentication enabled for ann", None),
    ("session expired after {s} seconds", number),
    ("session timeout=3600", None),
    ("new session for user {s}", number),
    ("session affinity cookie policy: lax", None),
    ("secretary Ann called", None),
    ("the author is Ann Smith", None),
    ("author=ann reviewer=bob", None),
    ("authored by {s}", lambda r: "user" + number(r)),
    ("passenger count: {s}", number),
    ("passenger list for LH{s} printed", lambda r: v.digits(r, 4)),
    ("compass bearing 270 degrees", None),
    ("bearing: 182.5 speed: 12", None),
    ("ball bearing part SKF-6204-{s}", lambda r: v.digits(r, 3)),
    ("standard bearer of the team", None),
    ("keynote at 10:00", None),
    ("monkey patching ssl", None),
    ("key: id value: {s}", number),
    ("cache key user:{s}:profile", number),
    ("redis GET session:{s}:lock", number),
    ("primary key violation on {s}", number),
    ('duplicate key value violates unique constraint "users_email_key"', None),
    ("DETAIL: Key (id)=({s}) already exists.", number),
    ("partition key 2026-11-{s}", lambda r: v.digits(r, 2)),
    ("keyboard interrupt", None),
    ("hotkey ctrl+shift+p", None),
    ("public key fingerprint SHA256:{s}", lambda r: v.text(r, v.BASE64, 43)),
    ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{s} ann@h", lambda r: v.text(r, v.BASE64, 43)),
    ("-----BEGIN CERTIFICATE-----\n{s}\n-----END CERTIFICATE-----", base64_of(45)),
    ("-----BEGIN PUBLIC KEY-----\n{s}\n-----END PUBLIC KEY-----", base64_of(45)),
    ("serial number 4C:AB:{s}:99", lambda r: v.hexadecimal(r, 2)),
    ("cert serial 0x{s}", hexes(32)),
    ("thumbprint {s}", hexes(40)),
    ("md5sum {s}  file.tar.gz", hexes(32)),
    ("sha256:{s} verified", hexes(64)),
    ("build {s} passed", number),
    ("version {s} released", version),
    ("v{s}+build.77", version),
    ("python-{s}.tar.gz", version),
    ("Chrome/{s}.0 Safari/537.36", version),
    ("released 10.0.{s}.1", lambda r: str(r.randrange(99))),
    ("CVE-2026-{s} fixed", lambda r: v.digits(r, 5)),
    ("RFC {s}", lambda r: v.digits(r, 4)),
    ("ISBN 978-3-16-148410-0", None),
    ("order ORD-2026-{s}", number),
    ("invoice INV{s} sent", number),
    ("ticket JIRA-{s} closed", lambda r: v.digits(r, 4)),
    ("tracking 1Z999AA1012345{s}", lambda r: v.digits(r, 4)),
    ("phone ext {s}", lambda r: v.digits(r, 4)),
    ("call 555-01{s}", lambda r: v.digits(r, 2)),
    ("SKU {s}", lambda r: v.text(r, v.UPPER, 8)),
    ("IMEI check {s}", lambda r: v.digits(r, 6)),
    ("epoch 1795300{s}", lambda r: v.digits(r, 3)),
    ("ts=1795300000123456{s}", lambda r: v.digits(r, 3)),
    ("offset 98{s} lag 3", number),
    ("lsn 0/16B3{s}", lambda r: v.hexadecimal(r, 4).upper()),
    ("xid {s}", number),
    ("nonce count nc=0000000{s}", lambda r: v.digits(r, 1)),
    ("blake3 {s}", hexes(64)),
    ("crc32 {s}", hexes(8)),
    ("merkle root {s}", hexes(64)),
    ("block 0x{s} mined", hexes(64)),
    ("eth address 0x{s}", hexes(40)),
    ("bitcoin address bc1q{s}", lambda r: v.text(r, "qpzry9x8gf2tvdw0s3jn54khce6mua7l", 38)),
    ("ipfs QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPB{s}", lambda r: v.text(r, v.ALNUM, 2)),
    ("MAC 00:1b:44:11:3a:{s}", lambda r: v.hexadecimal(r, 2)),
    ("fe80::1ff:fe23:4567:{s}", lambda r: v.hexadecimal(r, 4)),
    ("10.1.2.{s}:5432 up", lambda r: str(r.randrange(255))),
    ("user@host:~$ ls -la", None),
    ("scp a.txt ann@h:/tmp/", None),
    ("ann@example.test:5432 connected", None),
    ("postgresql://ann@h:5432/shop", None),
    ("http://localhost:8080/health", None),
    ("redis://cache:6379/0", None),
    ("amqp://mq:5672/vhost", None),
    ("https://a.test/path?page=2&sort=name&dir=asc", None),
    ("https://a.test/?utm_source=x&utm_campaign=spring_{s}", number),
    ("https://a.test/?v={s}", hexes(8)),
    ("https://a.test/static/app.{s}.js", hexes(20)),
    ("https://a.test/i/{s}.png", v.guid),
    ("https://youtu.be/{s}", lambda r: v.text(r, v.URLSAFE, 11)),
    ("https://a.test/docs#authentication", None),
    ("https://a.test/users/{s}/sessions", number),
    ("https://a.test/auth/realms/x/protocol/openid-connect/token", None),
    ("https://a.test/oauth/token", None),
    ("https://a.test/api-keys/{s}", number),
    ("https://a.test/reset-password", None),
    ("https://fonts.test/s/inter/v12/{s}.woff2", lambda r: v.text(r, v.URLSAFE, 40)),
    ("https://cdn.test/npm/pkg@{s}/dist/x.min.js", version),
    ("POST /v1/token 200 12ms", None),
    ("GET /login?next=/account&lang=de", None),
    ("https://a.test/search?q=password+manager", None),
    ("https://a.test/search?q=how+to+reset+api+key", None),
    ("https://a.test/?code=DE&state=Bayern", None),
    ("https://a.test/?key=name&order=asc", None),
    ("https://a.test/?session=morning&track=2", None),
    ("https://a.test/?sig=none", None),
    ("https://a.test/?cursor={s}", lambda r: base64.b64encode(("id:" + number(r)).encode()).decode()),
    ("https://a.test/?page_token={s}", base64_of(20)),
    (
        'Traceback (most recent call last):\n  File "auth.py", line {s}, in check_password\n    raise InvalidToken\njwt.exceptions.InvalidToken',
        number,
    ),
    ("KeyError: 'password'", None),
    ("ValueError: password must not be empty", None),
    ("TypeError: login() missing 1 required positional argument: 'password'", None),
    ("AttributeError: 'NoneType' object has no attribute 'token'", None),
    ("def set_password(self, password: str) -> None:", None),
    ("    if user.password != password:", None),
    ("self.token = token", None),
    ('token = request.headers.get("Authorization")', None),
    ("password = getpass.getpass()", None),
    ("secret = os.environ['APP_SECRET']", None),
    ("api_key=settings.API_KEY,", None),
    ("const token = await getToken();", None),
    ("return bcrypt.checkpw(password, hashed)", None),
    ("from secrets import token_urlsafe", None),
    ("import getpass, hashlib", None),
    ("SELECT id, password_hash FROM users WHERE id = ?", None),
    ("UPDATE users SET password = ? WHERE id = ?", None),
    ("SELECT count(*) FROM tokens WHERE expired = true", None),
    ("CREATE TABLE secrets (id int primary key, name text)", None),
    ("ALTER TABLE users ADD COLUMN api_key varchar(64)", None),
    ("INSERT INTO users (name, city) VALUES ('Ann', 'Bonn')", None),
    ("SELECT * FROM keys WHERE name = 'primary'", None),
    ("WHERE status = 'expired' AND type = 'token'", None),
    ("SELECT pg_sleep(1), md5('a')", None),
    ("DROP INDEX idx_session_token", None),
    ("GRANT SELECT ON secrets TO 'reporter'", None),
    ("feature flag auth.passwordless=true", None),
    ("auth: ok", None),
    ("auth=none", None),
    ("auth_type=basic", None),
    ("authentication: success", None),
    ("Authorization: none", None),
    ('www-authenticate: Basic realm="shop"', None),
    ('WWW-Authenticate: Bearer realm="a", error="invalid_token"', None),
    ("Set-Cookie: theme=dark; Path=/; Max-Age=31536000", None),
    ("Cookie: lang=de; theme=dark; consent=yes", None),
    ("Cookie: _ga=GA1.2.123456789.1795300000", None),
    ("cookie banner accepted", None),
    ("Vary: Cookie, Authorization", None),
    ("Access-Control-Allow-Headers: Authorization, X-Api-Key", None),
    ("allowed headers: authorization,content-type", None),
    ("signature verified", None),
    ("signature: invalid", None),
    ("method signature changed: f(a, b)", None),
    ("seed=42", None),
    ("random seed: {s}", number),
    ("np.random.seed({s})", number),
    ("salt water 3.5%", None),
    ("salt=3 pepper=2", None),
    ("pepper and salt to taste", None),
    ("pin 13 set to HIGH", None),
    ("GPIO pin {s} high", lambda r: str(r.randrange(1, 40))),
    ("pinned to core {s}", lambda r: str(r.randrange(8))),
    ("card declined", None),
    ("card game night", None),
    ("graphics card RTX 4090", None),
    ("business card printed", None),
    ("exit code {s}", lambda r: str(r.randrange(255))),
    ("zip code {s}", lambda r: v.digits(r, 5)),
    ("country code +49", None),
    ("status code: 404", None),
    ("error code 0x80070005", None),
    ("promo code SUMMER{s}", lambda r: v.digits(r, 2)),
    ("pass 2 of 3", None),
    ("passed: 12, failed: 3", None),
    ("pass rate=97%", None),
    ("first pass complete", None),
    ("all tests pass in {s} ms", number),
    ("boarding pass issued", None),
    ("bypass=true", None),
    ("compass north", None),
    ("hiking pass closed", None),
    ("hash join cost={s}", number),
    ("hash partitions: 16", None),
    ("hashtag #otp2026", None),
    ("otp release 27.{s}", lambda r: v.digits(r, 1)),
    ("Erlang/OTP 27 [erts-15.{s}]", lambda r: v.digits(r, 1)),
    ("tan(0.5)=0.546", None),
    ("sas 9.4 installed", None),
    ("pat the dog", None),
    ("webhook delivered in {s} ms", number),
    ("webhook https://a.test/hooks/orders registered", None),
    ("hook pre-commit ran", None),
    ("license: Apache-2.0", None),
    ("license MIT", None),
    ("serial port /dev/ttyUSB0", None),
    ("ticket price 12.50", None),
    ("magic link sent to ann", None),
    ("recover from backup {s}", number),
    ("base64 of 12 bytes", None),
    ("SGVsbG8gd29ybGQsIHRoaXMgaXMgYSB0ZXN0", None),
    ("{s}", lambda r: base64.b64encode(b"The quick brown fox jumps over " + number(r).encode()).decode()),
    ("gzip H4sIAAAAAAAA{s}", base64_of(60)),
    ("protobuf CgVoZWxsbw{s}", base64_of(9)),
    ("model gpt-4o-2024-08-{s}", lambda r: v.digits(r, 2)),
    ("claude-sonnet-4-5-202509{s}", lambda r: v.digits(r, 2)),
    ("text-embedding-3-large dims=3072", None),
    ("msg_{s}", lambda r: v.text(r, v.ALNUM, 24)),
    ("chatcmpl-{s}", lambda r: v.text(r, v.ALNUM, 29)),
    ("call_{s}", lambda r: v.text(r, v.ALNUM, 24)),
    ("toolu_{s}", lambda r: v.text(r, v.ALNUM, 24)),
    ("req_{s}", lambda r: v.text(r, v.ALNUM, 24)),
    ("cus_{s} charged", lambda r: v.text(r, v.ALNUM, 14)),
    ("pi_{s} succeeded", lambda r: v.text(r, v.ALNUM, 24)),
    ("evt_{s}", lambda r: v.text(r, v.ALNUM, 24)),
    ("pk_live_{s}", lambda r: v.text(r, v.ALNUM, 24)),
    ("price_{s}", lambda r: v.text(r, v.ALNUM, 24)),
    ("batch_{s} completed", lambda r: v.text(r, v.ALNUM, 24)),
    ("thread_{s}", lambda r: v.text(r, v.ALNUM, 24)),
    ("i-{s} terminated", hexes(17)),
    ("vpc-{s}", hexes(17)),
    ("ami-{s}", hexes(17)),
    ("subnet-{s}", hexes(8)),
    ("rtb-{s}", hexes(17)),
    ("snap-{s}", hexes(17)),
    ("passwords match", None),
    ("passwd: all authentication tokens updated successfully", None),
    ("sudo: pam_unix(sudo:auth): conversation failed", None),
    ("pam_unix(sshd:session): session opened for user ann", None),
    ("Accepted publickey for ann from 10.0.0.1 port {s} ssh2: ED25519 SHA256:x", number),
    (
        "sshd: Failed password for invalid user admin from 10.0.0.{s} port 22 ssh2",
        lambda r: str(r.randrange(255)),
    ),
    ("secret rotated", None),
    ("secrets: 12 found, 0 leaked", None),
    ("no secrets found", None),
    ("client secret expired", None),
    ("secret santa list", None),
    ("top secret: no", None),
    ("credential helper: osxkeychain", None),
    ("credentials=include", None),
    ("credentials: same-origin", None),
    ("credentials file not found: ~/.aws/credentials", None),
]:
    _harmless(t, val)
for k, val in {
    "gen_ai.usage.cache_read_tokens": 12,
    "llm.token_count.total": 99,
    "prompt_tokens_details": {"cached_tokens": 7},
    "tokens_per_second": 12.5,
    "token_type_ids": [1, 2, 3],
    "special_tokens": ["<s>", "</s>"],
    "eos_token": "</s>",
    "pad_token": "[PAD]",
    "unk_token": "<unk>",
    "token_limit": 4096,
    "tokens": ["the", "cat", "sat"],
    "auth.result": "success",
    "auth_provider": "google",
    "authn.mechanism": "SCRAM-SHA-256",
    "author.name": "Ann",
    "authority": "a.test",
    "co_author": "Bob",
    "authorized": True,
    "authz.decision": "allow",
    "oauth.scope": "read write",
    "oauth2.grant_type": "client_credentials",
    "password.changed": True,
    "password_length": 14,
    "password_reset_required": False,
    "password_last_set": "2026-11-01",
    "password_hint_shown": True,
    "password_attempts": 3,
    "password_field": "#login-pw",
    "password_manager": "bitwarden",
    "password_age_days": 12,
    "is_password": "yes",
    "secret_name": "prod/db",
    "secret.version": "7",
    "secret_store": "vault",
    "secrets.count": 2,
    "k8s.secret.name": "tls-cert",
    "secret_rotation_days": 30,
    "credential_type": "iam",
    "credentials_provider": "env",
    "session.duration": 120,
    "session_type": "web",
    "sessions": 4,
    "session.number": "12",
    "session_timeout": "30m",
    "sess_count": 1,
    "active_sessions": ["web", "app"],
    "key_type": "rsa",
    "key_size": 2048,
    "key_count": 7,
    "keys_scanned": 99,
    "index.key_length": 767,
    "primary_key": "id",
    "sort.key": "created",
    "object.key": "img/2026/a.png",
    "s3.key": "logs/2026-11-22/x.gz",
    "cache.key": "user:7",
    "messaging.kafka.message.key": "order-7",
    "routing_key": "orders.created",
    "keyspace": "shop",
    "key_bindings": "vim",
    "keyboard_layout": "de",
    "passengers": 3,
    "passenger_name_count": 2,
    "pass_count": 4,
    "passes": 2,
    "bypass_cache": True,
    "passive": True,
    "passthrough": "on",
    "compass": "N",
    "encompass": "all",
    "passport_required": False,
    "secretary": "Ann",
    "secretariat_city": "Bonn",
    "secretion_rate": 0.3,
    "signature_algorithm": "RS256",
    "function.signature": "f(a, b) -> int",
    "assignment": "x",
    "design": "flat",
    "card_brand": "visa",
    "card.type": "credit",
    "cards_in_deck": 52,
    "card_expiry_month": 12,
    "cardinality": 7,
    "discard": False,
    "postcard": "Bonn",
    "scorecard": "A",
    "pin_count": 3,
    "pinned": True,
    "spin": 1,
    "pinch": "yes",
    "pins.used": [13, 14],
    "opinion_score": 4,
    "pin_mode": "OUTPUT",
    "otp_enabled": True,
    "otp.method": "sms",
    "mfa.type": "totp",
    "otp_length": 6,
    "totp_window": 1,
    "seed": 42,
    "random_seed": 1234567,
    "salt_rounds": 12,
    "salted": True,
    "nonce_size": 12,
    "http.request.header.accept": ["text/html"],
    "http.request.header.etag": ['"abc123def"'],
    "http.response.header.content-length": ["12"],
    "http.request.header.x-request-id": ["8a1c"],
    "http.response.header.vary": ["Authorization"],
    "container.image.digest": "sha256:" + "ab12" * 16,
    "vcs.revision": "deadbeef" * 5,
    "process.executable.build_id.gnu": "c0ffee" * 6,
    "service.instance.id": "627cc493-f310-47de-96bd-71410b7dec09",
    "k8s.pod.uid": "275ecb36-5aa8-4c2a-9c47-d8bb681b9aff",
    "faas.invocation_id": "af9d5aa4-a685-4c5f-a22b-444f80b3cc28",
    "aws.request_id": "79b4f56e-95b1-5643-9700-2807f4e68189",
    "db.response.status_code": "28P01",
    "tls.cipher": "TLS_AES_256_GCM_SHA384",
    "tls.curve": "X25519",
    "checksum": "d41d8cd98f00b204e9800998ecf8427e",
    "file.hash.sha1": "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "etag": "33a64df551425fcc55e4d42a148795d9f25f89d4",
    "fingerprint": "5f:2c:aa:01",
    "build.hash": "9a8b7c6d5e",
    "content_hash": "Zm9v" * 8,
    "blob_sha": "3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
    "dedup.hash": "a94a8fe5ccb19ba6",
    "order_id": "ORD-2026-000123",
    "card_id": "card-7",
    "account_number_masked": "****1234",
    "invoice.number": "INV-99812",
    "phone_type": "mobile",
    "email_verified": True,
    "email.count": 3,
    "version": "1.2.3",
    "app.version": "2026.11.22-rc1",
    "ip_version": 4,
    "client.port": 51820,
    "net.peer.name": "db1",
    "thread.name": "ThreadPoolExecutor-0_3",
    "code.function.name": "check_password",
    "code.filepath": "/srv/app/auth/token.py",
    "exception.type": "InvalidToken",
    "error.type": "AuthenticationError",
    "rpc.method": "GetToken",
    "http.route": "/oauth/token",
    "url.path": "/api/v1/sessions",
    "db.collection.name": "user_tokens",
    "db.operation.name": "SELECT",
    "messaging.destination.name": "password-reset-mails",
    "event.name": "password.changed",
    "feature_flag.key": "new-login",
    "feature_flag.variant": "blue",
    "enduser.id": "u-77",
    "user.id": "8f14e45f",
    "deployment.id": "dpl_9k2",
    "release": "shop@1.2.3+77",
    "nested1": {"password": None, "token": "", "secret": False},
    "nested2": {"password": "***", "user": "ann"},
    "nested3": {"auth": {"type": "oidc", "enabled": True}},
    "nested4": {"usage": {"input_tokens": 3, "output_tokens": 4}},
    "nested5": {"keys": ["a", "b"], "key": "name"},
    "nested6": {"credentials": {"provider": "env", "expires_at": "2026-11-22"}},
    "nested7": {"tokens": {"used": 4, "left": 9}},
    "nested8": {"session": {"count": 2}},
    "nested9": [{"name": "LANG", "value": "de"}],
    "nested10": {"form": {"name": "password", "type": "password", "required": True}},
    "nested11": {"jwt": {"issuer": "https://a.test", "algorithm": "RS256"}},
    "nested12": {"pins": {"13": "HIGH"}},
    "nested13": {"schema": {"properties": {"password": {"type": "string", "minLength": 8}}}},
    "nested14": {"errors": [{"field": "password", "code": "too_short"}]},
    "nested15": {"cards": [{"brand": "visa", "last4": "4242"}]},
    "nested16": {"i18n": {"password": "Passwort", "login": "Anmelden"}}
    if 0
    else {"i18n": {"login": "Anmelden"}},
}.items():
    _harmless_key(k, val)
