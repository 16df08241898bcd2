"""A seventh set of kinds, in the manner of the sample: what another engineer would write down on an afternoon."""

# ruff: noqa: E501  (a row is a line)

from __future__ import annotations

import base64
import json
import string
import urllib.parse

from tests.corpus import values as v
from tests.corpus.kinds import (
    Kinds,
    alnum,
    base32,
    base64_of,
    digits,
    hexes,
    issued,
    number,
    picture,
    prefixed,
    revision,
    short_revision,
    ulid,
    upper,
    version,
)
from tests.corpus.row import Make, Row

_kinds, _people = Kinds("h7_"), Kinds("h7p_")
_text, _key, _harmless, _harmless_key = _kinds.text, _kinds.key, _kinds.harmless, _kinds.harmless_key
KINDS: dict[str, Make] = _kinds.made
PERSONAL: dict[str, Make] = _people.made


def chosen(r: v.Rng) -> str:
    """A password in one of the manners of the sample."""
    front = r.choice(["correct-horse", "hunter", "Tr0ub4dor", "mP$w0rd", "Zx9!vQ", "kV#77q", "S3cr3tPass"])
    return front + v.text(r, v.ALNUM, r.choice([5, 6]))


def plain(r: v.Rng) -> str:
    """The same without signs."""
    return r.choice(["hunter", "Tr0ub4dor", "S3cr3tPass"]) + v.text(r, v.ALNUM, 6)


a20, a24, a32, a40, a64 = alnum(20), alnum(24), alnum(32), alnum(40), alnum(64)
h32, h40, h64 = hexes(32), hexes(40), hexes(64)

# Keys of attributes.
for _name, _make in [
    ("passwd", chosen),
    ("db.password", chosen),
    ("smtpPassword", chosen),
    ("LDAP_BIND_PASSWORD", chosen),
    ("root-password", chosen),
    ("passphrase", chosen),
    ("pwd", chosen),
    ("x-amz-security-token", base64_of(120)),
    ("accessToken", a40),
    ("id_token", v.jwt),
    ("private_key", v.pem),
    ("signingKey", h64),
    ("encryption_key", base64_of(32)),
    ("webhook_secret", prefixed("whsec" + "_", v.ALNUM, 32)),
    ("stripe.api_key", issued("stripe_secret")),
    ("csrf_token", a32),
    ("XSRF-TOKEN", a40),
    ("pin", digits(4)),
    ("cvv", digits(3)),
    ("card.cvc", digits(3)),
    ("mfa_code", digits(6)),
    ("totp_secret", base32(32)),
    ("JSESSIONID", upper(32)),
    ("connect.sid", lambda r: "s%3A" + v.text(r, v.ALNUM, 32) + "." + v.text(r, v.BASE64, 43)),
    ("session_key", a32),
    ("TWILIO_AUTH_TOKEN", h32),
    ("SECRET_KEY_BASE", h64),
    ("NEXTAUTH_SECRET", base64_of(32)),
    ("GITHUB_TOKEN", issued("github_server")),
    ("DATADOG_API_KEY", h32),
    ("DD_APP_KEY", h40),
    ("SNYK_TOKEN", v.guid),
    ("HEROKU_API_KEY", v.guid),
    (
        "mapbox.accessToken",
        lambda r: "sk" + ".eyJ1Ijoi" + v.text(r, v.ALNUM, 40) + "." + v.text(r, v.URLSAFE, 22),
    ),
    ("algolia_admin_key", h32),
    ("cloudinary.api_secret", alnum(27)),
    (
        "firebase_server_key",
        lambda r: "AAAA" + v.text(r, v.URLSAFE, 7) + ":APA91b" + v.text(r, v.URLSAFE, 134),
    ),
    (
        "sas_token",
        lambda r: (
            "sv=2022-11-02&ss=b&sig="
            + urllib.parse.quote(base64.b64encode(r.randbytes(32)).decode(), safe="")
        ),
    ),
    ("ACCESS_TOKEN_SECRET", alnum(45)),
    ("consumerSecret", alnum(50)),
    ("client-assertion", v.jwt),
    ("userCredentials", chosen),
    ("keystore.password", chosen),
    ("truststorePass", chosen),
    ("vault_unseal_key", base64_of(33)),
    (
        "mnemonic",
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
                    "zoo",
                    "zone",
                    "zebra",
                    "youth",
                    "yellow",
                    "wrong",
                    "write",
                ],
                k=12,
            )
        ),
    ),
    ("wifi_password", chosen),
    ("oldPassword", chosen),
    ("new_password_confirmation", chosen),
    ("pgpassword", chosen),
    ("bot_token", lambda r: v.provider(r, "telegram")),
]:
    _key(_name, _make)

# Innocent keys.
for _name, _make in [
    ("value", issued("gitlab")),
    ("data", issued("npm")),
    ("arg1", issued("pypi")),
    ("note", issued("stripe_restricted")),
    ("x", issued("sendgrid")),
    ("config.v", issued("huggingface")),
    ("item", issued("shopify")),
    ("text", issued("square")),
    ("result", issued("databricks")),
    ("output", issued("vault")),
    ("payload", lambda r: "dp" + ".pt." + v.text(r, v.ALNUM, 43)),
    ("content", issued("linear")),
    ("field", issued("notion")),
    ("ref", issued("figma")),
    ("val", lambda r: "PMAK" + "-" + v.hexadecimal(r, 24) + "-" + v.hexadecimal(r, 34)),
    ("header0", issued("anthropic")),
    ("thing", issued("openai")),
    ("blob", v.pem),
    ("comment", issued("digitalocean")),
    ("q", issued("google_api")),
    ("foo", issued("aws_id")),
    ("extra", issued("atlassian")),
    (
        "param",
        lambda r: (
            v.text(r, "MN", 1)
            + v.text(r, v.ALNUM, 23)
            + "."
            + v.text(r, v.ALNUM, 6)
            + "."
            + v.text(r, v.URLSAFE, 38)
        ),
    ),
    ("message_text", issued("docker")),
    ("tag", lambda r: "sntrys" + "_eyJpYXQiOj" + v.text(r, v.ALNUM, 60)),
    ("env0", lambda r: "glpat" + "-" + v.text(r, v.URLSAFE, 20)),
    ("memo", lambda r: v.card(r, "51")),
    ("f2", lambda r: v.card(r, "37", 15)),
    ("ref_no", lambda r: v.card(r, "6011")),
    ("blob2", lambda r: "AGE-SECRET" + "-KEY-1" + v.text(r, "ACDEFGHJKLMNPQRSTUVWXYZ023456789", 58)),
]:
    _key(_name, _make)

# Messages.
for _template, _make, _context in [
    ("login ok user=ann passwd={s} ip=10.1.2.3", chosen, "ip=10.1.2.3"),
    ('{"user": "ann", "password": "{s}", "remember": true}', chosen, '"remember": true'),
    ("password: {s}", chosen, None),
    ("Password for deploy is {s}, rotate it", chosen, "rotate it"),
    ("using token {s}", a40, "using token"),
    ("Authorization: Basic {s}", lambda r: v.basic(r, chosen(r)), "Authorization"),
    ("Authorization: Bearer {s}", v.jwt, "Authorization"),
    ("-H 'X-Api-Key: {s}' https://api.test/v2", a32, "https://api.test/v2"),
    ("mysql -h db1 -u root -p{s} orders", plain, "orders"),
    ("PGPASSWORD={s} psql -h db1 -U app", chosen, "psql -h db1"),
    ("./manage.py createsuperuser --username ann --password {s} --noinput", chosen, "--noinput"),
    ("deploy --token={s} --region eu-west-1", a40, "--region eu-west-1"),
    ("export DATABASE_URL=postgres://app:{s}@db1:5432/app", plain, "db1:5432/app"),
    ("User(name='ann', password='{s}', admin=False)", chosen, "admin=False"),
    ("Config(host='db1', api_key=SecretHolder('{s}'), port=5432)", a32, "port=5432"),
    ("<Credentials user=ann secret={s} region=eu>", a40, "region=eu"),
    ("AKIA follows: {s}", issued("aws_id"), "follows"),
    ("export ANTHROPIC_API_KEY={s}", issued("anthropic"), "export"),
    (
        "discord hook https://discord.com/api/webhooks/112233445566778899/{s} failed",
        lambda r: v.text(r, v.URLSAFE, 68),
        "failed",
    ),
    (
        "teams https://acme.webhook.office.com/webhookb2/0a-b1/IncomingWebhook/{s}/c9",
        h32,
        "acme.webhook.office.com",
    ),
    (
        "pip install --index-url https://__token__:{s}@pkgs.test/simple acme",
        issued("pypi"),
        "pkgs.test/simple",
    ),
    (
        "remote: https://x-access-token:{s}@github.test/a/b.git",
        issued("github_server"),
        "github.test/a/b.git",
    ),
    ("card 4{s} declined", lambda r: v.card(r)[1:], "declined"),
    (
        "pan={s} exp=12/29",
        lambda r: " ".join((lambda c: [c[:4], c[4:8], c[8:12], c[12:]])(v.card(r, "55"))),
        "exp=12/29",
    ),
    (
        "amex {s} approved",
        lambda r: (lambda c: f"{c[:4]} {c[4:10]} {c[10:]}")(v.card(r, "34", 15)),
        "approved",
    ),
    (
        "username=ann&password={s}&csrfmiddlewaretoken=off",
        lambda r: urllib.parse.quote(chosen(r), safe=""),
        "username=ann",
    ),
    ("your verification code is {s}", digits(6), "verification code"),
    ("{s} is your login code", digits(6), "login code"),
    ("otp={s} accepted for ann", digits(6), "accepted for ann"),
    ("Set-Cookie: session={s}; Path=/; HttpOnly", a40, "HttpOnly"),
    ("Cookie: lang=en; auth_token={s}; theme=dark", a40, "theme=dark"),
    ("db:\n  host: db1\n  password: {s}\n  port: 5432", chosen, "port: 5432"),
    ("spring.datasource.password={s}\nspring.datasource.url=jdbc:h2:mem", chosen, "jdbc:h2:mem"),
    ("environ({'HOME': '/root', 'API_SECRET': '{s}', 'LANG': 'C'})", a40, "'LANG': 'C'"),
    (
        "HOME=/root\nAWS_SECRET_ACCESS_KEY={s}\nLANG=C.UTF-8",
        lambda r: v.text(r, v.BASE64, 40),
        "LANG=C.UTF-8",
    ),
    ("kubectl create secret generic db --from-literal=password={s} -n prod", chosen, "-n prod"),
    ("docker run -e POSTGRES_PASSWORD={s} -p 5432:5432 postgres:16", chosen, "postgres:16"),
    ("helm upgrade app ./chart --set auth.password={s},replicas=3", chosen, "replicas=3"),
    (
        "aws configure set aws_secret_access_key {s} --profile dev",
        lambda r: v.text(r, v.BASE64, 40),
        "--profile dev",
    ),
    ("terraform apply -var db_password={s} -auto-approve", chosen, "-auto-approve"),
    ("ansible-playbook site.yml -e 'vault_pass={s} env=prod'", chosen, "env=prod"),
    ("gh auth login --with-token {s}", issued("github_oauth"), "gh auth login"),
    ("vault login token={s}", issued("vault"), "vault login"),
    ("npm config set //registry.npmjs.org/:_authToken {s}", issued("npm"), "npm config set"),
    ("git push https://ann:{s}@git.test/a.git main", chosen, "main"),
    ("otpauth://totp/acme:ann?secret={s}&issuer=acme", base32(32), "issuer=acme"),
    ("smtp auth plain {s}", lambda r: base64.b64encode(f"\0svc\0{chosen(r)}".encode()).decode(), "smtp auth"),
    ('Sending payload {"auth": {"apiKey": "{s}"}, "n": 3}', a32, '"n": 3'),
    ('payload={\\"token\\": \\"{s}\\", \\"n\\": 3}', a40, "n"),
    ("connection string: Server=tcp:db1,1433;User ID=app;Password={s};Encrypt=true", chosen, "Encrypt=true"),
    (
        "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={s};EndpointSuffix=core.windows.net",
        base64_of(64),
        "EndpointSuffix",
    ),
    (
        "Endpoint=sb://acme.servicebus.windows.net/;SharedAccessKeyName=root;SharedAccessKey={s}",
        base64_of(32),
        "SharedAccessKeyName=root",
    ),
    (
        'ConsumerConfig values: sasl.jaas.config = org.apache.kafka.ScramLoginModule required username="app" password="{s}";',
        chosen,
        'username="app"',
    ),
    ('<add key="ApiKey" value="{s}" />', a32, "ApiKey"),
    ("<ns:Password>{s}</ns:Password><ns:User>ann</ns:User>", chosen, "<ns:User>ann"),
    (
        "ssh key -----BEGIN OPENSSH PRIVATE KEY-----\n{s}\n-----END OPENSSH PRIVATE KEY----- loaded",
        lambda r: v.text(r, v.BASE64, 70),
        "loaded",
    ),
    (
        "seed hash $argon2id$v=19$m=65536,t=3,p=4${s}",
        lambda r: v.text(r, v.BASE64, 22) + "$" + v.text(r, v.BASE64, 43),
        "seed hash",
    ),
    (
        "stored pbkdf2_sha256$600000${s}",
        lambda r: v.text(r, v.ALNUM, 22) + "$" + v.text(r, v.BASE64, 43) + "=",
        "stored",
    ),
    (
        "x-www-form body: client_id=web&client_secret={s}&grant_type=client_credentials",
        a40,
        "grant_type=client_credentials",
    ),
    ("oauth callback code={s} state=xyz", a40, "oauth callback"),
    ("sudo password for ann: {s}", chosen, "sudo"),
    ("creds ann / {s} work on staging", chosen, "work on staging"),
    ("logged in with ann:{s}", chosen, "logged in"),
    ("the api key is {s}.", a32, "the api key"),
    ("rotated api key from {s} yesterday", a32, "yesterday"),
    ("refresh token {s} revoked", a40, "revoked"),
    ("PIN {s} entered twice", digits(4), "entered twice"),
    ("cvv: {s} amount: 12.50", digits(3), "amount: 12.50"),
    ("zoom link https://acme.zoom.us/j/98765432101?pwd={s}", a32, "acme.zoom.us"),
    ("ws connect wss://stream.test/v1?auth={s}&v=2", a40, "v=2"),
    ("2026-11-21 10:00:01 ERROR auth - bad token '{s}' from 10.0.0.9", a40, "from 10.0.0.9"),
    ("key=AIza... no; key={s}", issued("google_api"), None),
    ("curl -X POST -d 'password={s}' https://h.test/login", chosen, "https://h.test/login"),
    ("curl --user ann:{s} https://h.test", chosen, "https://h.test"),
    ("wget --http-password={s} https://h.test/f", chosen, "https://h.test/f"),
    ("http -a ann:{s} POST h.test/x n=1", chosen, "n=1"),
    ("sqlcmd -S db1 -U sa -P {s} -Q 'select 1'", chosen, "select 1"),
    ("redis://default:{s}@cache.internal:6379/0 timed out", chosen, "timed out"),
    ("mongodb+srv://app:{s}@c0.mongodb.test/?retryWrites=true", plain, "retryWrites=true"),
    ("amqps://app:{s}@mq.internal/vhost closed", plain, "closed"),
    ("sentry dsn https://{s}@o12.ingest.sentry.io/345", h32, "ingest.sentry.io"),
    ("('password', '{s}')", chosen, None),
    ("[('user', 'ann'), ('token', '{s}'), ('n', 1)]", a40, "('n', 1)"),
    ("headers={'X-Auth-Token': '{s}', 'Accept': '*/*'}", a40, "'Accept': '*/*'"),
    ("Headers({'authorization': 'Token {s}', 'host': 'h.test'})", h40, "h.test"),
    ("{'Authorization': b'Bearer {s}', 'n': 1}", a40, "'n': 1"),
    ("INFO config loaded: {db: {user: app, password: {s}}, debug: true}", plain, "debug: true"),
    ('+ secret_key = "{s}"\n- debug = true', a40, "debug = true"),
    ("PASSWORD='{s}' # do not commit", chosen, "do not commit"),
    ('const apiKey = "{s}";', a32, "const apiKey"),
    ("$password = '{s}'; // php", chosen, "// php"),
    ('System.setProperty("db.password", "{s}");', chosen, "System.setProperty"),
    ("os.environ['SECRET_TOKEN'] = '{s}'", a40, "os.environ"),
    ('client = OpenAI(api_key="{s}", timeout=3)', issued("openai"), "timeout=3"),
    (
        "boto3.client('s3', aws_access_key_id='x', aws_secret_access_key='{s}')",
        lambda r: v.text(r, v.BASE64, 40),
        "boto3.client",
    ),
    ("requests.get(url, auth=('ann', '{s}'), timeout=3)", chosen, "timeout=3"),
    ("jwt.encode(payload, '{s}', algorithm='HS256')", a40, "HS256"),
    ("hmac.new(b'{s}', msg, 'sha256')", a40, "sha256"),
    ("smtplib login('ann@mail.test', '{s}')", chosen, "login("),
    ("Fernet(b'{s}')", lambda r: base64.urlsafe_b64encode(r.randbytes(32)).decode(), "Fernet("),
    (
        "flask session cookie eyJ1c2VyIjoi.{s} rejected",
        lambda r: v.text(r, v.URLSAFE, 6) + "." + v.text(r, v.URLSAFE, 27),
        "rejected",
    ),
    ("pushed to https://api.pushover.net/1/messages.json?token={s}&user=u1", alnum(30), "api.pushover.net"),
    ("Telegram 404 for https://api.telegram.org/bot{s}/getMe", lambda r: v.provider(r, "telegram"), "getMe"),
    ("magic link https://app.test/magic/{s} sent", a40, "sent"),
    ("invite https://app.test/invite?token={s} sent", a32, "sent"),
    (
        "reset link: https://app.test/password-reset/confirm/MTI/{s}/",
        lambda r: v.text(r, v.LOWER, 6) + "-" + v.hexadecimal(r, 32),
        "app.test/password-reset",
    ),
    (
        "presigned https://b.s3.eu-west-1.amazonaws.com/k?X-Amz-Credential=x&X-Amz-Signature={s}",
        h64,
        "X-Amz-Credential",
    ),
    (
        "blob https://acme.blob.core.windows.net/c/b?sv=2022-11-02&se=2026-01-01&sr=b&sig={s}",
        lambda r: urllib.parse.quote(base64.b64encode(r.randbytes(32)).decode(), safe=""),
        "se=2026-01-01",
    ),
    (
        "cloudfront https://d1.cloudfront.net/x?Expires=1795300000&Signature={s}&Key-Pair-Id=K1",
        lambda r: v.text(r, v.ALNUM + "-~", 300),
        "Expires=1795300000",
    ),
    ("got {s} from vault", issued("vault"), "from vault"),
    ("figma {s} expired", issued("figma"), "expired"),
    ("dbx {s} ok", issued("databricks"), "ok"),
    ("mailgun {s} limited", issued("mailgun"), "limited"),
    ("twilio SK{s} created", h32, "created"),
    ("newrelic {s} in use", issued("newrelic"), "in use"),
    (
        "b64 body: {s}",
        lambda r: base64.b64encode(json.dumps({"user": "ann", "password": chosen(r)}).encode()).decode(),
        "b64 body",
    ),
    ("urlencoded json %7B%22user%22%3A%22ann%22%2C%22token%22%3A%22{s}%22%7D", a40, "ann"),
    ("html &lt;input name=&quot;password&quot; value=&quot;{s}&quot;&gt;", plain, "input"),
]:
    _text(_template, _make, _context)

# Nested data.
for _name, _wrap, _context, _make in [
    ("request.body", lambda s: {"credentials": {"login": "ann", "pass": s}}, "ann", chosen),
    ("items", lambda s: [{"id": 1}, {"id": 2, "api_key": s}], "2", a32),
    (
        "variables",
        lambda s: [{"name": "DB_PASSWORD", "value": s}, {"name": "TZ", "value": "UTC"}],
        "UTC",
        chosen,
    ),
    ("env", lambda s: ["PATH=/bin", f"DB_PASSWORD={s}"], "/bin", chosen),
    ("argv", lambda s: ["app", f"--api-key={s}", "-v"], "-v", a32),
    ("command", lambda s: ["psql", "--password", s, "app"], "app", chosen),
    ("kubeconfig", lambda s: {"users": [{"name": "dev", "user": {"token": s}}]}, "dev", a40),
    ("settings", lambda s: {"DATABASES": {"default": {"ENGINE": "pg", "PASSWORD": s}}}, "pg", chosen),
    ("event", lambda s: {"headers": {"Cookie": f"sid={s}; lang=en"}}, "lang=en", a40),
    (
        "event2",
        lambda s: {"headers": {"Authorization": "Basic " + s}},
        "headers",
        lambda r: v.basic(r, chosen(r)),
    ),
    ("doc", lambda s: json.dumps({"outer": json.dumps({"secret": s, "n": 1})}), "n", a40),
    ("graph", lambda s: {"query": "mutation { login }", "variables": {"password": s}}, "mutation", chosen),
    ("pay", lambda s: {"card": {"number": s, "exp_month": 12}}, "12", v.card),
    ("pay2", lambda s: {"cvc": int(s), "amount": 99}, "99", digits(3)),
    ("kv", lambda s: [["authorization", "Bearer " + s], ["host", "h"]], "host", a40),
    ("raw_headers", lambda s: [["x-auth-token", s], ["accept", "*/*"]], "*/*", a40),
    ("sa", lambda s: {"client_email": "svc@p.test", "private_key_id": "k1", "private_key": s}, "k1", v.pem),
    (
        "docker",
        lambda s: {"auths": {"https://index.docker.io/v1/": {"username": "ann", "password": s}}},
        "ann",
        chosen,
    ),
    ("form", lambda s: {"username": ["ann"], "password": [s]}, "ann", chosen),
    ("oauth", lambda s: {"token_type": "bearer", "access_token": s, "expires_in": 3600}, "3600", a40),
    ("diff", lambda s: {"field": "password", "old": "x", "new": s}, "field", chosen),
    ("err", lambda s: {"loc": ["body", "password"], "msg": "too short", "input": s}, "too short", plain),
    (
        "sec",
        lambda s: {
            "kind": "Secret",
            "data": {"password": base64.b64encode(s.encode()).decode(), "n": "MQ=="},
        },
        None,
        chosen,
    ),
    (
        "aws",
        lambda s: {"Credentials": {"AccessKeyId": "x", "SecretAccessKey": s, "Expiration": "2026"}},
        "2026",
        lambda r: v.text(r, v.BASE64, 40),
    ),
    ("jwk", lambda s: {"kty": "oct", "kid": "k1", "k": s}, "k1", lambda r: v.text(r, v.URLSAFE, 43)),
    ("note_list", lambda s: ["fine", f"token={s}"], "fine", a40),
    ("a.b", lambda s: {"l1": [{"l2": {"l3": [{"refreshToken": s}]}}]}, "l3", a40),
    ("user", lambda s: {"name": "ann", "security": {"answer": "blue", "otp": s}}, "ann", digits(6)),
]:
    _key(_name, _make, "nested", _wrap, _context)

# SQL.
for _template, _make, _context in [
    ("INSERT INTO users (name, password, age) VALUES ('ann', '{s}', 7)", chosen, "INSERT INTO users"),
    ("ALTER USER app PASSWORD '{s}'", chosen, "ALTER USER app"),
    ("CREATE USER 'app'@'%' IDENTIFIED BY '{s}'", chosen, "CREATE USER"),
    ("UPDATE accounts SET api_token = '{s}', n = n + 1 WHERE id = 3", a40, "n = n + 1"),
    ("SELECT id FROM keys WHERE api_key = '{s}' LIMIT 1", a32, "LIMIT 1"),
    ("SELECT crypt('{s}', gen_salt('bf'))", chosen, "gen_salt"),
    ("UPDATE users SET password = md5('{s}') WHERE id=7", chosen, "WHERE id=7"),
    (
        "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (user 'app', password '{s}')",
        chosen,
        "FOREIGN DATA WRAPPER",
    ),
    ("SELECT dblink_connect('host=db1 user=app password={s}')", plain, "host=db1"),
    (
        "COPY t FROM 's3://b/k' CREDENTIALS 'aws_access_key_id=x;aws_secret_access_key={s}'",
        lambda r: v.text(r, v.BASE64, 40),
        "COPY t",
    ),
    ("SELECT 1 -- token={s}", a40, "SELECT 1"),
    ("CREATE ROLE app LOGIN ENCRYPTED PASSWORD '{s}'", chosen, "CREATE ROLE app"),
    ("SET SESSION my.jwt = '{s}'", v.jwt, "SET SESSION"),
    ("INSERT INTO cards (pan) VALUES ('{s}')", v.card, "INSERT INTO cards"),
]:
    _text(_template, _make, _context, "sql")


def _bound(statement: str, place: int, others: list[object], secret: object) -> Make:
    def make(r: v.Rng) -> Row:
        value = secret(r)  # type: ignore[operator]
        return Row(
            "sql",
            {"statement": statement, "parameters": [*others[:place], value, *others[place:]]},
            value,
            statement[:11],
        )

    return make


KINDS["h7_bound_1"] = _bound("INSERT INTO users (name, password) VALUES (?, ?)", 1, ["ann"], chosen)
KINDS["h7_bound_2"] = _bound("UPDATE users SET password = %s WHERE id = %s", 0, [7], chosen)
KINDS["h7_bound_3"] = _bound("SELECT id FROM sessions WHERE token = $1 AND n > $2", 0, [3], a40)
KINDS["h7_bound_4"] = _bound("SELECT id FROM users WHERE email = ? AND pin = ?", 1, ["x"], digits(4))

# URLs, headers and exceptions.
for _template, _make, _context in [
    ("https://api.test/v1?token={s}&page=2", a40, "page=2"),
    ("https://api.test/v1?apikey={s}&page=2", a32, "page=2"),
    ("https://api.test/cb?code={s}&state=x", a40, "api.test/cb"),
    ("https://maps.test/js?key={s}&v=3", issued("google_api"), "v=3"),
    ("https://ann@acme.test:{s}@h.test/x", plain, "h.test/x"),
    ("https://h.test/login?user=ann&pwd={s}", chosen, "user=ann"),
    ("https://h.test/#id_token={s}&state=1", v.jwt, "state=1"),
    (
        "https://hooks.zapier.com/hooks/catch/123456/{s}/",
        lambda r: v.text(r, v.LOWER, 7) + v.text(r, v.ALNUM, 16),
        "hooks.zapier.com",
    ),
    ("https://h.test/verify-email/{s}", a40, "h.test/verify-email"),
    (
        "https://h.test/sso?SAMLResponse={s}",
        lambda r: base64.b64encode(r.randbytes(90)).decode(),
        "h.test/sso",
    ),
    ("https://h.test/?redirect=https%3A%2F%2Fx.test%2F%3Fapi_key%3D{s}", a32, "h.test"),
    ("wss://h.test/socket?access_token={s}", a40, "h.test/socket"),
    ("https://h.test/dl?Signature={s}&Expires=3", lambda r: v.text(r, v.ALNUM, 28), "Expires=3"),
    ("https://h.test/rest;jsessionid={s}?q=1", upper(32), "q=1"),
]:
    _text(_template, _make, _context, "url")
_text("q=shoes&session_token={s}&page=2", a40, "page=2", "url", "url.query")
_text("/oauth/authorize?client_secret={s}&x=1", a40, "x=1", "url", "url.path")
_text("/bot{s}/sendMessage", lambda r: v.provider(r, "telegram"), "sendMessage", "url", "http.target")
for _name, _make in [
    ("authorization", lambda r: v.basic(r, chosen(r))),
    ("proxy-authorization", lambda r: v.basic(r, chosen(r))),
    ("x-amz-security-token", base64_of(100)),
    ("x-csrf-token", a40),
    ("stripe-signature", h64),
    ("x-gitlab-token", a20),
    ("x-auth-token", a40),
    ("apikey", a32),
    ("ocp-apim-subscription-key", h32),
    ("x-goog-api-key", issued("google_api")),
    ("x-forwarded-access-token", v.jwt),
    ("private-token", issued("gitlab")),
    ("x-shopify-access-token", issued("shopify")),
    ("sec-websocket-protocol", v.jwt),
    ("x-slack-signature", h64),
    ("cf-access-client-secret", h64),
    ("x-session-id", a32),
    ("dd-api-key", h32),
]:
    _template = {
        "authorization": "Basic {s}",
        "proxy-authorization": "Basic {s}",
        "stripe-signature": "t=1795300000,v1={s}",
        "x-slack-signature": "v0={s}",
        "sec-websocket-protocol": "bearer, {s}",
    }.get(_name, "{s}")
    _text(_template, _make, None, "header", "http.request.header." + _name)
_text("sid={s}; Path=/; Secure", a40, "Path=/", "header", "http.response.header.set-cookie")
_text("https://h.test/cb#access_token={s}", a40, "h.test/cb", "header", "http.response.header.location")
for _template, _make, _context in [
    ("Access denied for user 'app'@'db1' (using password: {s})", chosen, "Access denied"),
    ("invalid literal for int() with base 10: '{s}'", issued("github_classic"), "invalid literal"),
    ("401 for https://ann:{s}@h.test/v1", plain, "401 for"),
    ("KeyError: config {'token': '{s}', 'n': 1}", a40, "'n': 1"),
    (
        "Command '['mysqldump', '-u', 'root', '--password={s}', 'app']' returned non-zero exit status 2.",
        chosen,
        "exit status 2",
    ),
    ("Invalid API key provided: {s}", issued("openai"), "Invalid API key"),
    ("Incorrect API key: {s}. Find yours at https://h.test/keys", a40, "https://h.test/keys"),
    (
        "1 validation error for Login\npassword\n  String should have at least 12 characters [type=string_too_short, input_value='{s}', input_type=str]",
        plain,
        "input_type=str",
    ),
    ("Signature verification failed for {s}", v.jwt, "Signature verification failed"),
    ("could not decrypt with key {s}", h64, "could not decrypt"),
    ("connection to postgresql+psycopg://app:{s}@db1/app failed: FATAL", plain, "failed: FATAL"),
    (
        "(pymysql.err.IntegrityError) [SQL: INSERT INTO t (name, secret) VALUES (%s, %s)]\n[parameters: ('ann', '{s}')]",
        a40,
        "INSERT INTO t",
    ),
    ('login failed: {"error": "bad_password", "password": "{s}"}', chosen, "bad_password"),
    ("Webhook https://hooks.slack.com/services/T01AB23CD/B01AB23CD/{s} returned 404", a24, "returned 404"),
]:
    _text(_template, _make, _context, "exception")


def _locals(name: str, secret: object, shown: object = None) -> Make:
    def make(r: v.Rng) -> Row:
        value = secret(r)  # type: ignore[operator]
        held = shown(value) if shown else value  # type: ignore[operator]
        given = {
            "type": "ValueError",
            "message": "bad state",
            "stacktrace": "Traceback...\n",
            "locals": {name: held, "n": 0},
        }
        return Row("exception", given, value, "bad state")

    return make


KINDS["h7_locals_1"] = _locals("api_key", a32)
KINDS["h7_locals_2"] = _locals("conn", plain, lambda s: f"postgresql://app:{s}@db1/app")
KINDS["h7_locals_3"] = _locals("kwargs", chosen, lambda s: {"user": "ann", "password": s})
KINDS["h7_locals_4"] = _locals("self", a40, lambda s: f"<Client url='h.test' token='{s}'>")

# Harmless keys.
for _name, _value in [
    ("max_tokens", 4096),
    ("token_count", 812),
    ("gen_ai.usage.output_tokens", 233),
    ("tokens_per_second", 41.5),
    ("token.type", "input"),
    ("tokenizer_name", "cl100k_base"),
    ("password_reset_required", True),
    ("password_strength", "strong"),
    ("passwordless", True),
    ("password_changed_at", "2026-11-21T10:15:30Z"),
    ("password_length", 14),
    ("secret_name", "orders-db"),
    ("secrets_count", 3),
    ("secretary", "Ann Lee"),
    ("secret_santa_enabled", True),
    ("author.name", "Ursula K."),
    ("coauthors", 3),
    ("authority_id", 12),
    ("authored_at", "2026-11-21"),
    ("auth_type", "oauth2"),
    ("auth.provider", "google"),
    ("authenticated", True),
    ("authorized_users", 4),
    ("oauth_scopes", "read write"),
    ("keyboard_layout", "de-neo"),
    ("keyword", "blue shoes"),
    ("key_count", 12),
    ("keyspace", "orders"),
    ("sort_key", "created_at"),
    ("object_key", "exports/2026/11/report.parquet"),
    ("cache.key", "user:42:profile"),
    ("routing_key", "orders.created"),
    ("primary_key", "order_id"),
    ("hotkey", "ctrl+s"),
    ("turkey_region", "Ankara"),
    ("monkey_patch", True),
    ("passenger_name_count", 2),
    ("passport_control", "open"),
    ("passive", True),
    ("pass_rate", 0.97),
    ("passes", 12),
    ("compass", "NNE"),
    ("bypass_cache", True),
    ("encompassing", "yes"),
    ("pin_count", 3),
    ("pinned_version", "1.2.3"),
    ("spinner", "dots"),
    ("mapping", "a:b"),
    ("shipping.method", "express"),
    ("opinion_score", 0.4),
    ("hashing_algorithm", "sha256"),
    ("session.duration_ms", 1200),
    ("session_active", True),
    ("obsession", "none"),
    ("cookie_consent", "accepted"),
    ("cookies_enabled", True),
    ("card_brand", "visa"),
    ("card_last4", "4242"),
    ("discard_count", 3),
    ("dashboard", "ops"),
    ("signature_algorithm", "RS256"),
    ("signal_name", "SIGHUP"),
    ("assignee", "ann"),
    ("design", "flat"),
    ("certificate.issuer", "CN=acme"),
    ("credential_type", "api_key"),
    ("credit_limit", 5000),
    ("private", False),
    ("privacy_mode", "strict"),
    ("public_key_id", "k-2026"),
    ("ssh.public_key.type", "ed25519"),
    ("encryption", "AES-256-GCM"),
    ("service.instance.id", v.guid),
    ("order.id", ulid),
    ("git.commit", revision),
    ("vcs.ref.head.revision", revision),
    ("build.sha", short_revision),
    ("etag", lambda r: 'W/"' + v.hexadecimal(r, 32) + '"'),
    ("checksum", lambda r: "md5:" + v.hexadecimal(r, 32)),
    ("file.sha256", h64),
    ("trace_id", h32),
    ("span_id", hexes(16)),
    ("correlation_id", v.guid),
    ("x_request_id", h32),
    ("thumbnail", lambda r: "data:image/png;base64," + picture(r)),
    (
        "k8s.pod.name",
        lambda r: (
            "checkout-"
            + v.text(r, "bcdfghjklmnpqrstvwxz2456789", 10)
            + "-"
            + v.text(r, "bcdfghjklmnpqrstvwxz2456789", 5)
        ),
    ),
    ("container.id", h64),
    ("host.id", h32),
    ("device.serial", lambda r: "SN-" + v.text(r, v.UPPER, 10)),
    ("sku", lambda r: "AB-" + v.digits(r, 8)),
    ("isbn", "9780141439518"),
    ("ean", lambda r: v.digits(r, 13)),
    ("epoch_ms", lambda r: "17953" + v.digits(r, 8)),
    ("duration_ns", lambda r: v.digits(r, 16)),
    ("offset", lambda r: v.digits(r, 12)),
    ("version", version),
    ("os.version", "10.0.22631.4602"),
    ("user.id", number),
    ("next_page_token", alnum(24)),
    ("cursor", base64_of(18)),
    ("continuation_token", alnum(40)),
    ("page.token", alnum(24)),
    ("idempotency_key", v.guid),
    ("nonce_count", 3),
    ("csrf_enabled", True),
    ("jwt.algorithm", "RS256"),
    ("jwt_expired", True),
    ("api_key_id", "k-12"),
    ("api_keys_total", 14),
    ("otp_enabled", False),
    ("mfa.method", "totp"),
    ("sms_sent", True),
    ("code.function.name", "charge"),
    ("http.response.status_code", 401),
    ("error.code", "E1042"),
    ("zip_code", "10115"),
    ("country_code", "DE"),
    ("db.namespace", "secrets_db"),
    ("db.collection.name", "password_resets"),
    ("messaging.destination.name", "token-events"),
    ("aws.s3.key", "reports/2026/key.csv"),
    ("feature_flag.key", "new-login"),
    ("session.id", v.guid),
    ("license", "Apache-2.0"),
    ("licenses", "MIT"),
    ("salt_lake", "UT"),
    ("pepper_level", "mild"),
    ("seed", 42),
    ("random_seed", 1337),
    ("exception.type", "InvalidTokenError"),
    ("code.file.path", "/srv/app/auth/tokens.py"),
    ("url.path", "/api/tokens/refresh"),
    ("http.route", "/users/{id}/password"),
    ("db.operation.name", "SELECT"),
    ("features", {"password_login": True, "token_refresh": False}),
    ("limits", {"max_tokens": 100, "tokens_used": 12}),
    ("usage", {"prompt_tokens": 12, "completion_tokens": 40, "total_tokens": 52}),
    ("flags", {"secret_menu": False, "author_badge": True}),
    ("pagination", {"next_page_token": "b2Zmc2V0PTEwMA", "size": 50}),
    ("meta", {"keys": ["a", "b"], "key": "color", "value": "red"}),
    ("tags", ["auth", "token", "secret"]),
    ("fields", ["id", "password", "email"]),
    ("scopes", ["read:tokens", "write:keys"]),
    ("policy", {"password": {"min_length": 12, "rotation_days": 90}}),
    ("schema", {"password": {"type": "string", "maxLength": 64}}),
    ("errors", {"password": ["This field is required."]}),
    ("form_errors", {"token": "expired"}),
    ("stats", {"sessions": 12, "auth_ms": 3}),
    ("schema2", {"name": "token", "type": "string"}),
    ("cols", [["key", "varchar"], ["token", "text"]]),
]:
    _harmless_key(_name, _value)

# Harmless messages.
for _template, _value in [
    ("password must have 8 characters", None),
    ("the password field is required", None),
    ("password updated for user {s}", number),
    ("forgot password page rendered", None),
    ("user {s} requested a password reset", number),
    ("wrong password, 2 attempts left", None),
    ("Password: too short", None),
    ("password=*** user=ann", None),
    ("password=[redacted:password] user=ann", None),
    ("password: <hidden>", None),
    ("password hash upgraded to argon2", None),
    ("token expired", None),
    ("token refreshed for user {s}", number),
    ("invalid token at line 3", None),
    ("Unexpected token < in JSON at position 0", None),
    ("tokens: 120 prompt, 35 completion", None),
    ("token bucket has {s} left", digits(2)),
    ("max_tokens=512 top_p=0.9", None),
    ("API key not found", None),
    ("api key rotated by ann", None),
    ("missing api key header", None),
    ("secret santa list drawn", None),
    ("secret not found: orders-db", None),
    ("reading secrets from vault path kv/orders", None),
    ("secret version 3 is current", None),
    ("authentication took 12 ms", None),
    ("authorization denied for role viewer", None),
    ("Authorization header missing", None),
    ("auth: login succeeded", None),
    ("basic authentication disabled", None),
    ("bearer authentication required", None),
    ("session closed after {s} ms", digits(4)),
    ("session {s} started", v.guid),
    ("3 sessions evicted", None),
    ("cookie banner shown", None),
    ("cookie size 4096 exceeded", None),
    ("csrf check passed", None),
    ('author=Ann title="The Secret Garden"', None),
    ("passenger Ann boarded", None),
    ("secretary informed", None),
    ("keyboard interrupt", None),
    ("monkey patched socket", None),
    ("passport control cleared", None),
    ("compass calibrated", None),
    ("key rotation finished", None),
    ("key error: 'name'", None),
    ("KeyError: 'token'", None),
    ('duplicate key value violates unique constraint "users_pkey"', None),
    ("foreign key constraint fails", None),
    ("ssh key fingerprint SHA256:{s}", lambda r: v.text(r, v.BASE64, 43)),
    ("pressed key Enter", None),
    ("key=color value=red", None),
    ("the key to success is patience", None),
    ("cache key user:42 missed", None),
    ("partition key tenant-{s}", number),
    ("commit {s} by ann", revision),
    ("merge {s} into main", short_revision),
    ("pulled app@sha256:{s}", h64),
    ("md5={s} size=123", h32),
    ("sha256 {s} ok", h64),
    ("etag {s} matched", h32),
    ("blob {s} stored", h40),
    ("trace_id={s} span_id=abc", h32),
    ("request {s} took 12 ms", v.guid),
    ("order {s} placed", ulid),
    ("job {s} queued", v.guid),
    ("object id {s}", hexes(24)),
    ("snowflake {s}", lambda r: v.digits(r, 19)),
    ("request_id={s} status=200", alnum(22)),
    ("invoice 2026-{s} paid", digits(6)),
    ("call center 1-800 open", None),
    ("took {s} ns", digits(12)),
    ("ts={s}", lambda r: "17953" + v.digits(r, 14)),
    ("pid={s} tid=12", digits(5)),
    ("at 2026-11-21T10:15:30.123456Z", None),
    ("GET /api/v1/tokens 200 12ms", None),
    ("GET /reset-password 302", None),
    ("POST /auth/login 401 {s}ms", digits(2)),
    ("GET /static/app.{s}.js 200", hexes(20)),
    ("GET /users/{s}/keys 200", number),
    ("redirect to /login?next=/orders", None),
    ("connected to redis://cache:6379/0", None),
    ("connecting to amqp://mq:5672/orders", None),
    ("dsn postgresql://db1/orders", None),
    ("proxy http://proxy:3128 used", None),
    ("cloned git@github.test:a/b.git", None),
    ("s3://bucket/keys/part-0001.parquet written", None),
    ("loaded /etc/ssl/private/server.key", None),
    ("reading /run/secrets/db_password", None),
    ("file tokens.json not found", None),
    ("wrote secrets.yaml", None),
    ("/home/ann/.ssh/id_ed25519 missing", None),
    ("pin 13 set high", None),
    ("pinned 3 dependencies", None),
    ("card declined: insufficient funds", None),
    ("credit card expired", None),
    ("card ending in 4242", None),
    ("cvv check failed", None),
    ("otp sent by sms", None),
    ("code 401 returned", None),
    ("exit code 137", None),
    ("error code E{s}", digits(4)),
    ("version {s} released", version),
    ("python 3.12.1 on linux", None),
    ("build 20261121.{s}", digits(1)),
    ("upgraded openssl 3.0.13-1ubuntu3", None),
    ("kernel 6.8.0-45-generic", None),
    ("coordinates 52.5200, 13.4050", None),
    ("-----BEGIN CERTIFICATE----- expired", None),
    ("public key -----BEGIN PUBLIC KEY----- ok", None),
    ("license MIT detected", None),
    ("sig: SIGTERM received", None),
    ("signature verified with RS256", None),
    ("hash mismatch for part 3", None),
    ("salt and pepper added", None),
    ("seed 42 used", None),
    ("SELECT password_hash FROM users WHERE id = ?", None),
    ("CREATE INDEX idx_token ON sessions (token)", None),
    ("DROP TABLE password_resets", None),
    ('column "password" does not exist', None),
    ("UPDATE users SET password = $1 WHERE id = $2", None),
    ("def login(username, password):", None),
    ("self.password = password", None),
    ("token = get_token()", None),
    ("api_key = os.environ['API_KEY']", None),
    ("if token is None:", None),
    ("    raise InvalidToken(token)", None),
    ("password: str | None = None", None),
    ("image {s}", picture),
    ("lorem ipsum dolor sit amet", None),
    ("user agent Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", None),
    ("cron 0 */5 * * *", None),
    ("retrying in 1.5s (attempt 3/5)", None),
    ("memory 512MiB of 2GiB", None),
    ("p99=12.3ms p50=1.2ms", None),
    ("https://docs.test/guides/api-keys#rotation", None),
    ("https://h.test/items?page=2&sort=key", None),
    ("https://h.test/oauth/token", None),
    ("https://h.test/a/{s}", v.guid),
    ("https://cdn.test/{s}.png", h40),
    ("https://h.test/search?q=password+manager", None),
    ("https://h.test/x?cursor={s}", alnum(24)),
    ("https://h.test/blog/how-to-store-secrets-safely", None),
]:
    _harmless(_template, _value)


# Personal data.
def mail(r: v.Rng) -> str:
    return (
        r.choice(["ann", "bob.lee", "c_roe", "d-ng"])
        + v.text(r, string.ascii_lowercase, 4)
        + "@"
        + r.choice(["corp.test", "mail.example", "uni-ulm.test"])
    )


def digits_of(pattern: str) -> object:
    """Digits at each #."""
    return lambda r: "".join(r.choice(string.digits[1:]) if c == "#" else c for c in pattern)


def ipv4(r: v.Rng) -> str:
    return f"{r.choice([81, 93, 145, 203])}.{r.randrange(1, 255)}.{r.randrange(1, 255)}.{r.randrange(1, 255)}"


def grouped_iban(r: v.Rng) -> str:
    bare = v.iban(r)
    return " ".join(bare[i : i + 4] for i in range(0, len(bare), 4))


def cpf(r: v.Rng) -> str:
    d = [r.randrange(10) for _ in range(9)]
    for size in (9, 10):
        d.append(sum((size + 1 - i) * d[i] for i in range(size)) * 10 % 11 % 10)
    t = "".join(map(str, d))
    return f"{t[:3]}.{t[3:6]}.{t[6:9]}-{t[9:]}"


def dni(r: v.Rng) -> str:
    n = r.randrange(10**7, 10**8)
    return f"{n}{'TRWAGMYFPDXBNJZSQVHLCKE'[n % 23]}"


for _template, _make, _context in [
    ("order confirmation sent to {s}", mail, "order confirmation"),
    ("login user={s} ok", mail, "ok"),
    ("<{s}> rejected by mx1", mail, "rejected by mx1"),
    ("From: Ann Lee <{s}>", mail, "From:"),
    ("https://h.test/u?email={s}&p=1", mail, "p=1"),
    ("called +49 {s}", digits_of("151 ########"), "called"),
    ("sms to +1 {s} failed", digits_of("(###) ###-####"), "failed"),
    ("phone +44 {s} updated", digits_of("20 7946 ####"), "updated"),
    ("call +33 {s}", digits_of("6 ## ## ## ##"), "call"),
    ("+49{s} verified", digits_of("30########"), "verified"),
    ("tel:+1-{s}", digits_of("###-###-####"), "tel:"),
    ("phone=030 {s} ok", digits_of("#######"), "ok"),
    ("fon 0171/{s}", digits_of("#######"), "fon"),
    ("mobile (0)7911 {s} x", digits_of("######"), None),
    ("transfer to {s} done", v.iban, "done"),
    ("iban {s} ok", grouped_iban, "ok"),
    ("payout GB IBAN={s}", lambda r: v.iban(r, "FR", 23), "payout"),
    ("ssn {s} matched", digits_of("4##-5#-####"), "matched"),
    ("cpf {s} ok", cpf, "ok"),
    ("dni {s} ok", dni, "ok"),
    ("client {s} connected", ipv4, "connected"),
    ("login from {s}:51234", ipv4, "login from"),
    ("peer 2001:db8:85a3::{s} up", lambda r: v.hexadecimal(r, 4) + ":" + v.hexadecimal(r, 4), "up"),
    ("X-Forwarded-For: {s}, 10.0.0.1", ipv4, "10.0.0.1"),
    ('{s} - - [21/Nov/2026:10:00:00] "GET / HTTP/1.1" 200', ipv4, "GET /"),
]:
    _people.text(_template, _make, _context)  # type: ignore[arg-type]
for _name, _make in [
    ("user.email", mail),
    ("customerEmail", mail),
    ("date_of_birth", lambda r: f"19{r.randrange(50, 99)}-0{r.randrange(1, 9)}-1{r.randrange(9)}"),
    ("dob", lambda r: f"1{r.randrange(9)}.0{r.randrange(1, 9)}.1977"),
    ("phone_number", digits_of("015########")),
    ("contact.phone", digits_of("+4366########")),
    ("ssn", digits_of("4##5#####")),
    ("passport_number", upper(9)),
    ("iban", v.iban),
    ("client.address", ipv4),
    ("http.client_ip", ipv4),
    ("net.peer.ip", ipv4),
    ("first_name", lambda r: r.choice(["Ursula", "Grace", "Ada"]) + v.text(r, string.ascii_lowercase, 3)),
    ("lastName", lambda r: r.choice(["Lovelace", "Hopper"]) + v.text(r, string.ascii_lowercase, 3)),
    ("home_address", lambda r: f"Lindenstr. {r.randrange(1, 99)}, 10115 Berlin"),
    ("tax_id", digits_of("###########")),
    ("national_id", upper(10)),
    ("social_security_number", digits_of("4##-5#-####")),
    ("birthday", lambda r: f"19{r.randrange(50, 99)}-1{r.randrange(3)}-0{r.randrange(1, 9)}"),
    ("driver_license", upper(9)),
]:
    _people.key(_name, _make)  # type: ignore[arg-type]
_people.key("profile", mail, "nested", lambda s: {"id": 7, "emails": [s]}, "7")
_people.key(
    "order", digits_of("+49151########"), "nested", lambda s: {"total": 12, "contact": {"phone": s}}, "12"
)
_people.text("SELECT * FROM users WHERE email = '{s}' LIMIT 1", mail, "LIMIT 1", "sql")
_people.text("duplicate key value: Key (email)=({s}) already exists.", mail, "already exists", "exception")
