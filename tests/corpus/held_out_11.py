"""An eleventh set: the sample's kinds as another engineer would go on with them, and today's providers, files and tools."""

# ruff: noqa: E501  (a row is a line)

from __future__ import annotations

import base64
import json
import urllib.parse
from typing import Any

from tests.corpus import values as v
from tests.corpus.held_out_7 import chosen, ipv4, mail, plain
from tests.corpus.kinds import (
    Kinds,
    alnum,
    base32,
    base64_of,
    digits,
    hexes,
    lower,
    number,
    picture,
    prefixed,
    revision,
    short_revision,
    ulid,
    upper,
    version,
)
from tests.corpus.row import Make, Row, Secret

_kinds, _people = Kinds("h11_"), Kinds("h11p_")
_text, _key, _harmless, _harmless_key = _kinds.text, _kinds.key, _kinds.harmless, _kinds.harmless_key
KINDS: dict[str, Make] = _kinds.made
PERSONAL: dict[str, Make] = _people.made

a24, a32, a40, a64 = alnum(24), alnum(32), alnum(40), alnum(64)
h32, h40, h64 = hexes(32), hexes(40), hexes(64)
URLSAFE, ALNUM, HEX = v.URLSAFE, v.ALNUM, v.HEX


def joined(separator: str, *parts: Secret | str) -> Secret:
    """Several parts, each made anew."""
    return lambda r: separator.join(part if isinstance(part, str) else part(r) for part in parts)


def urlsafe(size: int) -> Secret:
    """The alphabet of tokens in URLs."""
    return lambda r: v.text(r, URLSAFE, size)


def quoted(r: v.Rng) -> str:
    """A password as a URL holds it."""
    return urllib.parse.quote(chosen(r), safe="")


def aws_secret(r: v.Rng) -> str:
    """Forty characters of base64."""
    return v.text(r, v.BASE64, 40)


def made(name: str, where: str, build: Any) -> None:
    """A kind whose row needs more than a hole: ``build`` gives the input, the secret and the context."""

    def make(r: v.Rng) -> Row:
        return Row(where, *build(r))

    KINDS[f"h11_{len(KINDS):03d}_{name}"] = make


# What providers issue, where nothing else tells it.
_ISSUED: list[tuple[str, Secret]] = [
    ("openai_service", prefixed("sk" + "-svcacct-", URLSAFE, 80)),
    ("openai_admin", prefixed("sk" + "-admin-", URLSAFE, 80)),
    ("anthropic_admin", prefixed("sk" + "-ant-admin01-", URLSAFE, 93)),
    ("xai", prefixed("xai" + "-", ALNUM, 80)),
    ("perplexity", prefixed("pplx" + "-", ALNUM, 48)),
    ("openrouter", prefixed("sk" + "-or-v1-", HEX, 64)),
    ("cerebras", prefixed("csk" + "-", v.LOWER, 48)),
    ("tavily", prefixed("tvly" + "-dev-", ALNUM, 32)),
    ("together", prefixed("tgp" + "_v1_", URLSAFE, 43)),
    ("langsmith", joined("_", "lsv2" + "_pt", h32, hexes(10))),
    ("langfuse", lambda r: "sk" + "-lf-" + v.guid(r)),
    ("pinecone", joined("_", "pcsk", alnum(6), alnum(63))),
    ("nvidia", prefixed("nvapi" + "-", URLSAFE, 64)),
    ("deepseek", prefixed("sk" + "-", HEX, 32)),
    ("elevenlabs", prefixed("sk" + "_", HEX, 48)),
    ("github_user", prefixed("ghu" + "_", ALNUM, 36)),
    ("github_refresh", prefixed("ghr" + "_", ALNUM, 76)),
    ("gitlab_deploy", prefixed("gldt" + "-", URLSAFE, 20)),
    ("gitlab_trigger", prefixed("glptt" + "-", HEX, 40)),
    ("gitlab_routable", joined(".", prefixed("glpat" + "-", URLSAFE, 27), "01", lower(9))),
    ("bitbucket_app", prefixed("ATBB", ALNUM, 32)),
    ("azure_ad", lambda r: v.text(r, ALNUM, 3) + "8Q~" + v.text(r, ALNUM + "-_.~", 33) + "a"),
    ("gcp_refresh", prefixed("1/" + "/0", URLSAFE, 60)),
    ("bedrock", lambda r: "ABSK" + base64.b64encode(b"BedrockAPIKey-" + r.randbytes(80)).decode()),
    ("cloudflare_origin", joined("-", "v1" + ".0", hexes(24), hexes(146))),
    ("heroku", prefixed("HRKU" + "-AA", URLSAFE, 58)),
    ("netlify", prefixed("nfp" + "_", ALNUM, 36)),
    ("fly", lambda r: "fm2" + "_lJPE" + v.text(r, v.BASE64, 120)),
    ("render", prefixed("rnd" + "_", ALNUM, 32)),
    ("supabase", prefixed("sbp" + "_", HEX, 40)),
    ("supabase_secret", joined("_", "sb" + "_secret", alnum(22), alnum(8))),
    ("planetscale", prefixed("pscale" + "_pw_", URLSAFE, 43)),
    ("neon", prefixed("napi" + "_", v.LOWER, 64)),
    ("doppler", prefixed("dp" + ".pt.", ALNUM, 43)),
    ("onepassword", lambda r: "ops" + "_eyJ" + v.text(r, ALNUM, 250)),
    ("pulumi", prefixed("pul" + "-", HEX, 40)),
    ("terraform_cloud", joined(".", alnum(14), "atlas" + "v1", alnum(67))),
    ("postman", joined("-", "PM" + "AK", hexes(24), hexes(34))),
    ("sentry_user", prefixed("sntryu" + "_", HEX, 64)),
    ("dynatrace", joined(".", "dt0" + "c01", base32(24), base32(64))),
    ("grafana_cloud", lambda r: "glc" + "_eyJ" + v.text(r, ALNUM, 90) + "=="),
    ("twilio_key", prefixed("S" + "K", HEX, 32)),
    ("paypal_braintree", joined("$", "access" + "_token", "production", lower(16), h32)),
    ("razorpay_secretish", prefixed("rzp" + "_live_", ALNUM, 14)),
    ("plaid", lambda r: "access" + "-production-" + v.guid(r)),
    ("shopify_shared", prefixed("shpss" + "_", HEX, 32)),
    ("mailchimp", lambda r: v.hexadecimal(r, 32) + "-us" + str(r.randrange(1, 21))),
    ("brevo", joined("-", "xkey" + "sib", h64, alnum(16))),
    ("resend", joined("_", "r" + "e", alnum(8), alnum(24))),
    (
        "discord_bot",
        lambda r: "MT" + v.text(r, ALNUM, 24) + "." + v.text(r, ALNUM, 6) + "." + v.text(r, URLSAFE, 38),
    ),
    ("slack_rotating", lambda r: "xoxe" + ".xoxp-1-" + v.text(r, ALNUM, 163)),
    ("nuget", prefixed("oy2", v.LOWER, 43)),
    ("crates", prefixed("cio", ALNUM, 32)),
    ("clojars", prefixed("CLOJARS" + "_", HEX, 60)),
    ("artifactory", prefixed("AKCp", ALNUM, 69)),
    ("docker_org", prefixed("dckr" + "_oat_", URLSAFE, 27)),
    ("age", prefixed("AGE" + "-SECRET-KEY-1", "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58)),
    ("launchdarkly", lambda r: "sdk" + "-" + v.guid(r)),
    ("airtable", joined(".", prefixed("pat", ALNUM, 14), h64)),
    ("contentful", prefixed("CFPAT" + "-", URLSAFE, 43)),
    ("hubspot", lambda r: "pat" + "-na1-" + v.guid(r)),
    ("mapbox", lambda r: "sk" + ".eyJ" + v.text(r, ALNUM, 70) + "." + v.text(r, URLSAFE, 22)),
    ("tailscale", joined("-", "tskey" + "-auth", alnum(16), alnum(32))),
    ("buildkite", prefixed("bkua" + "_", HEX, 40)),
    ("circleci", joined("_", "CCI" + "PAT", alnum(22), h40)),
    ("sonar", prefixed("squ" + "_", HEX, 40)),
    ("sourcegraph", joined("_", "sgp", hexes(16), h40)),
    ("flutterwave", lambda r: "FLWSECK" + "-" + v.text(r, v.LOWER, 32) + "-X"),
    ("shippo", prefixed("shippo" + "_live_", HEX, 40)),
    ("duffel", prefixed("duffel" + "_live_", URLSAFE, 43)),
    ("easypost", prefixed("EZ" + "AK", ALNUM, 54)),
    ("typeform", prefixed("tfp" + "_", URLSAFE, 59)),
    ("readme", prefixed("rdme" + "_", v.LOWER, 70)),
    ("prefect", prefixed("pnu" + "_", v.LOWER, 36)),
    ("atlassian_org", prefixed("ATCTT3" + "xFfGN0", URLSAFE, 170)),
    ("wandb_v1", lambda r: "wandb" + "_v1_" + v.text(r, ALNUM, 27) + "_" + v.text(r, ALNUM, 50)),
    ("honeycomb", prefixed("hcaik" + "_01", v.LOWER, 58)),
    ("vercel_blob", joined("_", "vercel" + "_blob_rw", alnum(16), alnum(30))),
    ("mistral_like_jwt", v.jwt),
    ("posthog", prefixed("phx" + "_", ALNUM, 43)),
    ("clickhouse_cloud", prefixed("4b1d", ALNUM, 38)),
]
_CARRIERS = [
    ("attr", "value", "{s}"),
    ("body", "", "using {s} for the nightly run"),
    ("attr", "detail", "request refused, credential {s} revoked"),
    ("body", "", "found {s} in settings.py:14"),
]
for _number, (_name, _make) in enumerate(_ISSUED):
    _where, _k, _template = _CARRIERS[_number % 4]
    if _name == "clickhouse_cloud":
        _where, _k, _template = "attr", "CLICKHOUSE_CLOUD_API_SECRET", "{s}"
    if _name == "razorpay_secretish":
        _where, _k, _template = "body", "", "razorpay key_secret={s} mode=live"
    _text(_template, _make, where=_where, key=_k)

# Keys that the sample lacks.
for _name, _make in [
    ("passwd", chosen),
    ("dbPassword", chosen),
    ("db.passwd", plain),
    ("user.password_confirmation", chosen),
    ("MYSQL_ROOT_PASSWORD", chosen),
    ("SPRING_DATASOURCE_PASSWORD", chosen),
    ("spring.datasource.hikari.password", chosen),
    ("ConnectionStrings__Password", chosen),
    ("keystorePassword", plain),
    ("trust-store-password", plain),
    ("sasl.jaas.password", plain),
    ("auth_token", a40),
    ("bearer_token", a40),
    ("csrfmiddlewaretoken", a64),
    ("authenticity_token", base64_of(64)),
    ("XSRF_TOKEN", a32),
    ("oauth_token_secret", a40),
    ("oauth.consumer_secret", a40),
    ("code_verifier", urlsafe(64)),
    ("device_secret", a32),
    ("AZURE_CLIENT_SECRET", a40),
    ("ARM_ACCESS_KEY", base64_of(64)),
    ("GOOGLE_API_KEY", a40),
    ("CLOUDFLARE_API_TOKEN", a40),
    ("DD_API_KEY", h32),
    ("DATADOG_APP_KEY", h40),
    ("ALGOLIA_ADMIN_KEY", h32),
    ("WANDB_API_KEY", h40),
    ("HF_TOKEN", a40),
    ("TF_VAR_db_password", chosen),
    ("DJANGO_SECRET_KEY", lambda r: v.text(r, v.LOWER + "!@#$%^&*(-_=+)", 50)),
    ("APP_KEY", lambda r: "base64:" + base64.b64encode(r.randbytes(32)).decode()),
    ("jwt.secret", a64),
    ("SESSION_SECRET", h64),
    ("cookie_secret", base64_of(32)),
    ("fernet_key", lambda r: base64.urlsafe_b64encode(r.randbytes(32)).decode()),
    ("hmac_key", h64),
    ("salt_and_pepper.pepper", a32),
    ("master_key", h32),
    ("kms.plaintext_key", base64_of(32)),
    ("private_key_pem", lambda r: v.pem(r, "EC PRIVATE KEY")),
    ("ssh_key", lambda r: v.pem(r, "OPENSSH PRIVATE KEY")),
    ("verification_code", digits(6)),
    ("sms_code", digits(6)),
    ("one_time_password", digits(6)),
    ("pin_code", digits(4)),
    ("cvc2", digits(3)),
    ("card_security_code", digits(3)),
    ("magic_link_token", a40),
    ("reset_token", a40),
    ("invite_token", a32),
    ("unlock_code", digits(8)),
    ("backup_codes", lambda r: "-".join(v.text(r, v.LOWER, 5) for _ in range(2))),
    (
        "seed_phrase",
        lambda r: " ".join(
            r.choices(["abandon", "ability", "zebra", "orbit", "canyon", "lunar", "velvet"], k=12)
        ),
    ),
    ("wallet_private_key", lambda r: "0x" + v.hexadecimal(r, 64)),
    ("wifi_psk", plain),
    ("snmp.community_string", plain),
    ("ftp_pass", plain),
    ("sudo_pass", plain),
    ("userPass", plain),
    ("mot_de_passe", plain),
    ("Kennwort", plain),
    ("contraseña", plain),
    ("senha", plain),
    ("login_credentials", joined(":", "ann", plain)),
    ("x-goog-api-key", a40),
    ("Ocp-Apim-Subscription-Key", h32),
    ("proxy_authorization", lambda r: "Basic " + v.basic(r, chosen(r))),
    ("ASP.NET_SessionId", lower(24)),
    ("JSESSIONID", upper(32)),
    ("laravel_session", a40),
    ("_gitlab_session", h32),
    ("remember_me_token", a40),
    (
        "sas_token",
        lambda r: (
            "sv=2024-11-04&se=2026-12-01&sr=c&sp=rl&sig="
            + urllib.parse.quote(base64.b64encode(r.randbytes(32)))
        ),
    ),
]:
    _key(_name, _make)

# Headers, with lists as the convention has them.
for _name, _make, _wrap, _context in [
    ("proxy-authorization", lambda r: v.basic(r, chosen(r)), "Basic {}", None),
    ("authorization", a40, "Token {}", None),
    ("authorization", a40, "ApiKey {}", None),
    (
        "authorization",
        h64,
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/eu/s3/aws4_request, SignedHeaders=host, Signature={}",
        "SignedHeaders=host",
    ),
    ("authorization", h32, 'Digest username="ann", realm="shop", uri="/x", response="{}"', "ann"),
    (
        "authorization",
        a32,
        'OAuth oauth_consumer_key="shop", oauth_signature="{}", oauth_version="1.0"',
        "1.0",
    ),
    ("cookie", a32, "lang=en; connect.sid=s%3A{}; theme=dark", "theme=dark"),
    ("cookie", a40, "cart=3; remember_token={}; tz=CET", "tz=CET"),
    ("set-cookie", a40, "session={}; Path=/; HttpOnly; SameSite=Lax", "SameSite=Lax"),
    ("x-auth-token", a40, "{}", None),
    ("x-csrf-token", a40, "{}", None),
    ("x-amz-security-token", base64_of(180), "{}", None),
    ("x-shopify-access-token", a32, "{}", None),
    ("x-gitlab-token", a24, "{}", None),
    ("stripe-signature", h64, "t=1795300000,v1={}", None),
    ("x-slack-signature", h64, "v0={}", None),
    ("x-twilio-signature", base64_of(20), "{}", None),
    ("dd-api-key", h32, "{}", None),
    ("x-api-token", a32, "{}", None),
    ("x-forwarded-access-token", v.jwt, "{}", None),
    ("cf-access-client-secret", h64, "{}", None),
    ("circle-token", h40, "{}", None),
    ("private-token", a24, "{}", None),
]:
    _kinds.key(
        "http.request.header." + _name if _name != "set-cookie" else "http.response.header.set-cookie",
        _make,
        "header",
        (lambda form: lambda s: [form.replace("{}", s)])(_wrap),
        _context,
    )

# URLs.
for _template, _make, _context in [
    ("https://api.test/v1/me?access_token={s}&page=3", a40, "page=3"),
    ("https://api.test/v1/me?page=3&key={s}", a40, "page=3"),
    ("https://maps.test/api/js?callback=init&client_secret={s}", a32, "callback=init"),
    ("https://app.test/reset/confirm?uid=77&token={s}", a32, "uid=77"),
    ("https://app.test/oauth/callback?state=abc&code={s}", a40, "app.test"),
    ("https://app.test/cb#state=xy&id_token={s}&token_type=bearer", v.jwt, "app.test"),
    ("wss://feed.test/socket?auth={s}&v=4", a40, "v=4"),
    (
        "https://acct.blob.core.windows.net/c/b?sv=2024-11-04&se=2026-12-01&sig={s}",
        lambda r: urllib.parse.quote(base64.b64encode(r.randbytes(32)), safe=""),
        "se=2026-12-01",
    ),
    (
        "https://d111.cloudfront.net/v.mp4?Expires=1795300000&Signature={s}&Key-Pair-Id=K2",
        lambda r: v.text(r, ALNUM + "-~", 340),
        "Expires=1795300000",
    ),
    (
        "https://b.s3.amazonaws.com/k?X-Amz-Date=20261121T000000Z&X-Amz-Security-Token={s}",
        lambda r: urllib.parse.quote(base64.b64encode(r.randbytes(150)), safe=""),
        "X-Amz-Date=20261121T000000Z",
    ),
    ("https://hooks.slack.com/triggers/T024F3/7891011/{s}", h32, "hooks.slack.com"),
    ("https://discord.com/api/webhooks/112233445566778899/{s}", urlsafe(68), "discord.com"),
    ("https://contoso.webhook.office.com/webhookb2/3c1f@9d0a/IncomingWebhook/{s}/77aa", h32, "office.com"),
    ("https://{s}@o447951.ingest.sentry.io/5429215", h32, "ingest.sentry.io"),
    ("ftp://backup:{s}@files.test/dump.gz", plain, "files.test"),
    ("https://x-access-token:{s}@github.test/a/b.git", a40, "github.test"),
    ("amqps://svc:{s}@mq.test:5671/%2Fshop?heartbeat=10", quoted, "heartbeat=10"),
    ("mongodb+srv://app:{s}@c0.mongo.test/shop?retryWrites=true", plain, "retryWrites=true"),
    ("mysql://root:{s}@127.0.0.1:3306/shop?charset=utf8mb4", quoted, "charset=utf8mb4"),
    ("mssql+pyodbc://sa:{s}@sql.test/shop?driver=ODBC+Driver+18", plain, "driver=ODBC+Driver+18"),
    ("snowflake://ann:{s}@acct/db/schema?warehouse=wh", plain, "warehouse=wh"),
    ("clickhouse+native://default:{s}@ch.test:9000/logs", plain, "ch.test"),
    ("rediss://default:{s}@cache.test:6380/1", plain, "cache.test"),
    ("ldap://cn=admin:{s}@ldap.test:389", plain, "ldap.test"),
    ("nats://{s}@nats.test:4222", a32, "nats.test"),
    ("smtp://mailer%40shop.test:{s}@smtp.test:587", plain, "smtp.test"),
    ("socks5h://u:{s}@proxy.test:1080", plain, "proxy.test"),
    ("otpauth://totp/Shop:ann?secret={s}&issuer=Shop", base32(32), "issuer=Shop"),
    ("jdbc:postgresql://db.test/shop?user=app&password={s}&ssl=true", plain, "ssl=true"),
    (
        "jdbc:sqlserver://sql.test:1433;databaseName=shop;user=sa;password={s};encrypt=true",
        plain,
        "databaseName=shop",
    ),
    ("jdbc:oracle:thin:scott/{s}@//ora.test:1521/orcl", plain, "ora.test"),
    ("https://app.test/#/login?redirect=%2Fhome&jwt={s}", v.jwt, "app.test"),
    ("https://api.test/search?q=shoes&apikey={s}", a32, "q=shoes"),
    ("/internal/hook?signature={s}&ts=1795300000", h64, "ts=1795300000"),
    ("https://sso.test/cb?u=https%253A%252F%252Fapp.test%253Fsession_token%253D{s}", a32, "sso.test"),
]:
    _text(_template, _make, _context, "url", part=v.signature_of if _make is v.jwt else None)

# Messages.
for _template, _make, _context in [
    ("connecting with password '{s}' to db1", chosen, "db1"),
    ("Password: {s}", chosen, None),
    ("PASSWORD={s} ./deploy.sh --env prod", plain, "--env prod"),
    ("the temporary password for user bob is {s}.", plain, "bob"),
    ("OTP for login is {s}, valid 5 minutes", digits(6), "valid 5 minutes"),
    ("Your verification code: {s}", digits(6), None),
    ("your code is {s}. Don't share it.", digits(6), "share it"),
    ("mysql -h db1 -u root -p{s} shop < dump.sql", plain, "dump.sql"),
    ("psql 'host=db1 port=5432 user=app password={s} sslmode=require'", plain, "sslmode=require"),
    ("PGPASSWORD={s} pg_dump -h db1 shop", plain, "pg_dump"),
    ("sshpass -p {s} ssh deploy@10.0.0.4 uptime", plain, "uptime"),
    ("docker login -u ci -p {s} registry.test", plain, "registry.test"),
    ("docker run -e POSTGRES_PASSWORD={s} -p 5432:5432 postgres:16", plain, "postgres:16"),
    ("helm upgrade shop ./chart --set auth.password={s} --wait", plain, "--wait"),
    ("kubectl create secret generic db --from-literal=password={s} -n shop", plain, "-n shop"),
    ("aws configure set aws_secret_access_key {s} --profile ci", aws_secret, "--profile ci"),
    ("az login --service-principal -u app -p {s} --tenant t1", a40, "--tenant t1"),
    ("vault login -method=userpass username=ann password={s}", plain, "username=ann"),
    ("redis-cli -h cache -a {s} PING", plain, "PING"),
    ("mongosh --host m1 --username app --password {s} --eval 'db.stats()'", plain, "db.stats()"),
    ("curl -s -H 'X-Api-Key: {s}' https://api.test/v2/items", a32, "api.test"),
    ("curl --user ann:{s} --data @body.json https://api.test", plain, "body.json"),
    ("curl -d 'client_id=web&client_secret={s}' https://sso.test/token", a40, "client_id=web"),
    ("wget --http-password={s} https://files.test/a.zip", plain, "a.zip"),
    ("http POST api.test/login username=ann password={s}", plain, "username=ann"),
    ("openssl enc -aes-256-cbc -pass pass:{s} -in a.txt", plain, "a.txt"),
    ("gpg --batch --passphrase {s} -d backup.gpg", plain, "backup.gpg"),
    ("keytool -storepass {s} -list -keystore k.jks", plain, "k.jks"),
    ("twine upload -u __token__ -p {s} dist/*", a64, "dist/*"),
    ("npm config set //registry.test/:_password={s}", base64_of(15), "registry.test"),
    ("git remote set-url origin https://ci:{s}@git.test/a.git", a24, "git.test"),
    ("snowsql -a acct -u ann --password={s} -q 'select 1'", plain, "select 1"),
    ("sqlcmd -S sql.test -U sa -P {s} -Q 'select 1'", plain, "select 1"),
    ("ldapsearch -x -D cn=admin -w {s} -b dc=shop", plain, "dc=shop"),
    ("net use Z: \\\\srv\\share /user:ann password={s}", plain, "srv"),
    ("machine api.test login ann password {s}", plain, "login ann"),
    ("machine api.test\n  login ann\n  password {s}\n", plain, "login ann"),
    ("db1.test:5432:shop:app:{s}", plain, "db1.test:5432:shop"),
    ("[client]\nuser=root\npassword={s}\nhost=db1\n", plain, "host=db1"),
    (
        "[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = {s}\nregion = eu-west-1",
        aws_secret,
        "region = eu-west-1",
    ),
    ("DEBUG=1\nSECRET_KEY='{s}'\nALLOWED_HOSTS=*", a40, "ALLOWED_HOSTS=*"),
    ("export STRIPE_KEY={s}\nexport PORT=80", a40, "PORT=80"),
    ("database:\n  host: db1\n  password: {s}\n  pool: 5\n", plain, "pool: 5"),
    ("database:\n  host: db1\n  password: |\n    {s}\n  pool: 5\n", plain, "pool: 5"),
    ("smtp: {host: mail.test, password: {s}, port: 587}", plain, "port: 587"),
    ('[database]\npassword = "{s}"\nport = 5432', chosen, "port = 5432"),
    (
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\ndata:\n  password: {s}\n",
        base64_of(14),
        "name: db",
    ),
    (
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\nstringData:\n  dsn: postgres://a:{s}@db1/x\n",
        plain,
        "name: db",
    ),
    ("env:\n  - name: DB_PASSWORD\n    value: {s}\n  - name: PORT\n    value: '80'\n", plain, "PORT"),
    ('variable "db_password" {\n  default = "{s}"\n}', plain, "variable"),
    (
        'resource "aws_db_instance" "x" {\n  username = "app"\n  password = "{s}"\n}',
        plain,
        'username = "app"',
    ),
    ("ENV API_TOKEN={s}", a40, "ENV"),
    ("ARG NPM_TOKEN\nENV NPM_TOKEN {s}\nRUN npm ci", a40, "npm ci"),
    (
        "<connectionStrings><add name='x' connectionString='Server=s1;User Id=sa;Password={s};'/></connectionStrings>",
        plain,
        "Server=s1",
    ),
    (
        "Server=tcp:s1.test,1433;Initial Catalog=shop;User ID=app;Pwd={s};Encrypt=True",
        plain,
        "Initial Catalog=shop",
    ),
    (
        "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={s};EndpointSuffix=core.windows.net",
        base64_of(64),
        "AccountName=shop",
    ),
    (
        "Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={s}",
        base64_of(32),
        "SharedAccessKeyName=Root",
    ),
    (
        "AccountEndpoint=https://c.documents.azure.com:443/;AccountKey={s};",
        base64_of(64),
        "c.documents.azure.com",
    ),
    ("HostName=hub.azure-devices.net;DeviceId=d7;SharedAccessKey={s}", base64_of(32), "DeviceId=d7"),
    (
        "<soap:Header><wsse:UsernameToken><wsse:Username>ann</wsse:Username><wsse:Password Type='#PasswordText'>{s}</wsse:Password></wsse:UsernameToken></soap:Header>",
        plain,
        "ann",
    ),
    ("<user name='ann' password='{s}' role='admin'/>", plain, "role='admin'"),
    ("<apiKey><![CDATA[{s}]]></apiKey><page>3</page>", a32, "<page>3</page>"),
    ('<input type="password" name="pw" value="{s}"><input name="page" value="3">', plain, 'value="3"'),
    ('mutation { login(user: "ann", password: "{s}") { id } }', plain, "{ id }"),
    (
        '{"query":"mutation($p:String!){login(p:$p){id}}","variables":{"password":"{s}","page":3}}',
        plain,
        '"page":3',
    ),
    ('{"level":"info","msg":"auth","headers":{"authorization":"Bearer {s}"},"page":3}', a40, '"page":3'),
    ('{\\"user\\":\\"ann\\",\\"password\\":\\"{s}\\",\\"page\\":3}', plain, "ann"),
    ('"{\\\\\\"secret\\\\\\":\\\\\\"{s}\\\\\\",\\\\\\"page\\\\\\":3}"', a32, "page"),
    ('[{"name":"DB_HOST","value":"db1"},{"name":"DB_PASSWORD","value":"{s}"}]', plain, "db1"),
    ("User(id=7, name='ann', password='{s}', active=True)", chosen, "active=True"),
    ("<Settings host='db1' api_token='{s}' debug=False>", a32, "debug=False"),
    ("Namespace(host='db1', token='{s}', verbose=2)", a32, "verbose=2"),
    ("{'Authorization': 'Bearer {s}', 'Accept': '*/*'}", a40, "Accept"),
    ("headers=[(b'host', b'api.test'), (b'x-api-key', b'{s}')]", a32, "api.test"),
    ("metadata=(('authorization', 'bearer {s}'), ('x-page', '3'))", a40, "x-page"),
    ("_Metadatum(key='authorization', value='Bearer {s}')", a40, "authorization"),
    ("OrderedDict([('user', 'ann'), ('password', '{s}')])", chosen, "ann"),
    ("map[host:db1 password:{s} port:5432]", plain, "port:5432"),
    ('&Config{Host:"db1", Password:"{s}", Port:5432}', plain, "Port:5432"),
    ('Credentials { user: "ann", password: "{s}" }', plain, "ann"),
    ('%{host: "db1", password: "{s}", port: 5432}', plain, "5432"),
    ('#<User id: 7, email: nil, api_token: "{s}", role: 1>', a32, "role: 1"),
    ("Array\n(\n    [user] => ann\n    [password] => {s}\n    [page] => 3\n)", plain, "[page] => 3"),
    ('{:user "ann", :password "{s}", :page 3}', plain, ":page 3"),
    (
        '10.1.2.3 - ann [21/Nov/2026:10:00:00 +0000] "GET /cb?code=200&access_token={s} HTTP/1.1" 302 0',
        a40,
        "302 0",
    ),
    (
        "GET /v1/me HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer {s}\r\nAccept: */*\r\n\r\n",
        a40,
        "Host: api.test",
    ),
    (
        "> Authorization: Basic {s}\n< HTTP/1.1 401 Unauthorized",
        lambda r: v.basic(r, chosen(r)),
        "401 Unauthorized",
    ),
    ("Set-Cookie: sid={s}; Max-Age=3600; Secure", a40, "Max-Age=3600"),
    (
        '--boundary\r\nContent-Disposition: form-data; name="password"\r\n\r\n{s}\r\n--boundary--',
        plain,
        "form-data",
    ),
    ("##[debug]NUGET_API_KEY={s}", a40, None),
    ("Run npm publish\n  env:\n    NODE_AUTH_TOKEN: {s}\n    CI: true", a40, "CI: true"),
    ("+ export GITHUB_TOKEN={s}\n+ make deploy", a40, "make deploy"),
    ("::set-output name=token::{s}", a40, None),
    ("-    password: {s}\n+    password: !vault |", plain, "!vault"),
    ("IDENTIFIED BY '{s}'", plain, "IDENTIFIED BY"),
    ("AUTH default {s}", a32, "AUTH default"),
    ("USER ann\r\nPASS {s}\r\n230 Login ok", plain, "230 Login ok"),
    ("retrying with new api key {s} after 401", a32, "after 401"),
    ("webhook secret is {s}", a32, None),
    ("jwt={s} rejected: expired", v.jwt, "rejected: expired"),
    ("token {s} expired for user 7", a40, "user 7"),
    ("Session cookie: {s} (user 7)", a40, "user 7"),
    ("refresh_token => {s}, scope => read", a40, "scope => read"),
    ("login ann / {s} failed from 10.1.2.3", chosen, "10.1.2.3"),
    ("tried credentials admin:{s} on host db1", chosen, "db1"),
    ("user=ann&new_password={s}&confirm=1", quoted, "confirm=1"),
    ("payload=%7B%22password%22%3A%22{s}%22%2C%22page%22%3A3%7D", plain, "payload"),
    ("card 4111-xxxx number={s} exp=12/29", lambda r: v.card(r, "5" + r.choice("12345")), "exp=12/29"),
    (
        "charged {s} for order 7",
        lambda r: " ".join(c[i : i + 4] for c in [v.card(r)] for i in range(0, 16, 4)),
        "order 7",
    ),
    ("PAN={s} amount=10", lambda r: v.card(r, "37", 15), "amount=10"),
    ("key material:\n{s}\ndone", v.pem, "done"),
    ("PrivateKey = {s}\nAddress = 10.9.0.2/32", base64_of(32), "10.9.0.2/32"),
    ("ann:$apr1$" + "{s}:1000", lambda r: v.text(r, ALNUM, 8) + "$" + v.text(r, "./" + ALNUM, 22), None),
    (
        "root:{s}:19700:0:99999:7:::",
        lambda r: "$6$" + v.text(r, ALNUM, 8) + "$" + v.text(r, "./" + ALNUM, 86),
        "99999",
    ),
    ("stored {s} for ann", v.bcrypt_like, "ann"),
    (
        "mnemonic: {s}",
        lambda r: " ".join(
            r.choices(["abandon", "ability", "zebra", "orbit", "canyon", "lunar", "velvet"], k=12)
        ),
        None,
    ),
]:
    _text(_template, _make, _context, part=v.signature_of if _make is v.jwt else None)


def wrapped(template: str, context: str) -> Any:
    """A text in base64: neither it nor what it holds may leave."""

    def build(r: v.Rng) -> tuple[Any, str, str]:
        inner = base64.b64encode(template.replace("{s}", plain(r)).encode()).decode()
        return f"page=3 config={inner}", inner, context

    return build


made("base64_json", "body", wrapped('{"user":"ann","password":"{s}"}', "page=3"))
made("base64_env", "body", wrapped("DB_HOST=db1\nDB_PASSWORD={s}\n", "page=3"))


def split_lines(r: v.Rng) -> tuple[Any, str, str]:
    """A key over several lines, as YAML indents it."""
    key = v.pem(r)
    body = "\n".join("      " + line for line in key.splitlines())
    return f"tls:\n  name: web\n  key: |\n{body}\n  port: 443\n", key.splitlines()[2], "port: 443"


made("pem_yaml", "body", split_lines)
made(
    "pem_json",
    "body",
    lambda r: (json.dumps({"name": "web", "key": (k := v.pem(r))}), k.splitlines()[3], "web"),
)

# Nested data.
for _k2, _value, _make, _context in [
    ("request.body", {"auth": {"type": "basic", "user": "ann", "pass": "{s}"}}, chosen, "ann"),
    ("config", {"services": [{"name": "db", "env": {"DB_PASSWORD": "{s}"}}, {"name": "web"}]}, chosen, "web"),
    ("env", ["HOME=/root", "DB_PASSWORD={s}", "PORT=80"], plain, "HOME=/root"),
    ("env", [{"name": "PORT", "value": "80"}, {"name": "API_TOKEN", "value": "{s}"}], a32, "80"),
    ("process.command_args", ["mysqldump", "--user=root", "--password={s}", "shop"], plain, "mysqldump"),
    ("process.command_args", ["app", "--api-key", "{s}", "--port", "80"], a32, "--port"),
    ("process.command_args", ["redis-server", "--requirepass", "{s}", "--port", "6379"], plain, "6379"),
    ("headers", {"Authorization": "Bearer {s}", "Accept": "*/*"}, a40, "*/*"),
    ("headers", {"cookie": ["a=1; session={s}"], "host": ["api.test"]}, a40, "api.test"),
    ("params", [["user", "ann"], ["password", "{s}"]], chosen, "ann"),
    ("form", {"username": ["ann"], "password": ["{s}"]}, chosen, "ann"),
    ("payload", '{"outer": "{\\"inner\\": {\\"api_key\\": \\"{s}\\"}}", "page": 3}', a32, "page"),
    ("gen_ai.input.messages", [{"role": "user", "content": "my password is {s}, help"}], plain, "help"),
    ("gen_ai.tool.call.arguments", {"path": "/x", "token": "{s}"}, a32, "/x"),
    ("rpc.metadata", {"authorization": ["Bearer {s}"], "x-page": ["3"]}, a40, "x-page"),
    ("db.query.parameters", {"password": "{s}", "id": 7}, chosen, "7"),
    ("aws", {"AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "{s}", "Region": "eu"}, aws_secret, "eu"),
    (
        "aws",
        {"Credentials": {"SessionToken": "{s}", "Expiration": "2026-11-21"}},
        base64_of(180),
        "2026-11-21",
    ),
    ("kube", {"users": [{"name": "ci", "user": {"client-key-data": "{s}"}}]}, base64_of(200), "ci"),
    ("kube", {"users": [{"name": "ci", "user": {"token": "{s}"}}]}, a64, "ci"),
    ("jwk", {"kty": "RSA", "n": "abc", "e": "AQAB", "d": "{s}"}, urlsafe(342), "AQAB"),
    ("payment", {"card": {"number": "{s}", "exp": "12/29"}}, v.card, "12/29"),
    ("payment", {"cvv": "{s}", "amount": 10}, digits(3), "10"),
    ("event", {"Records": [{"body": '{"Password": "{s}", "n": 3}'}]}, plain, "3"),
    ("settings", {"SECRET_KEY": "{s}", "DEBUG": True}, a40, "DEBUG"),
    ("cfg", {"tuple": [{"a": [{"b": {"refreshToken": "{s}"}}]}], "page": 3}, a40, "page"),
]:
    _kinds.key(_k2, _make, "nested", (lambda data: lambda s: _filled(data, s))(_value), _context)


def _filled(data: Any, secret: str) -> Any:
    """Nested data with the secret in its hole."""
    if isinstance(data, str):
        return data.replace("{s}", secret)
    if isinstance(data, dict):
        return {key: _filled(value, secret) for key, value in data.items()}
    return [_filled(value, secret) for value in data] if isinstance(data, list) else data


# SQL.
for _template, _make, _context in [
    ("INSERT INTO users (name, password) VALUES ('ann', '{s}')", chosen, "INSERT INTO users"),
    (
        "INSERT INTO users (id, name, api_key, age) VALUES (7, 'ann', '{s}', 30), (8, 'bob', 'x', 31)",
        a32,
        "'ann'",
    ),
    ("ALTER USER app IDENTIFIED BY '{s}'", chosen, "ALTER USER app"),
    ("ALTER ROLE app WITH LOGIN ENCRYPTED PASSWORD '{s}' VALID UNTIL '2027-01-01'", chosen, "2027-01-01"),
    ("SET PASSWORD FOR 'app'@'%' = '{s}'", chosen, "SET PASSWORD FOR"),
    ("GRANT ALL ON shop.* TO 'app'@'%' IDENTIFIED BY '{s}'", chosen, "GRANT ALL ON shop"),
    ("SELECT id FROM users WHERE email = 'x' AND pwd = '{s}' LIMIT 1", chosen, "LIMIT 1"),
    ("SELECT * FROM api_tokens WHERE token IN ('{s}')", a40, "FROM api_tokens"),
    ("UPDATE cfg SET v = pgp_sym_encrypt('x', '{s}') WHERE id = 7", plain, "id = 7"),
    ("CREATE LOGIN app WITH PASSWORD = N'{s}', CHECK_POLICY = ON", chosen, "CHECK_POLICY = ON"),
    (
        "MERGE INTO accts t USING d ON (t.id = 7) WHEN MATCHED THEN UPDATE SET t.secret = '{s}'",
        a32,
        "MERGE INTO accts",
    ),
    (
        "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'db1'); CREATE USER MAPPING FOR a SERVER s OPTIONS (user 'b', password '{s}')",
        plain,
        "host 'db1'",
    ),
    (
        "COPY t FROM 's3://b/k' CREDENTIALS 'aws_access_key_id=AKID;aws_secret_access_key={s}'",
        aws_secret,
        "COPY t FROM",
    ),
    ("SELECT dblink_connect('host=db1 user=app password={s}')", plain, "host=db1"),
    (
        "CREATE SUBSCRIPTION sub CONNECTION 'host=db1 dbname=x password={s}' PUBLICATION p",
        plain,
        "PUBLICATION p",
    ),
    ("/* trace */ EXEC sp_addlogin 'app', '{s}'", chosen, "sp_addlogin"),
    ("ATTACH DATABASE 'x.db' AS x KEY '{s}'", chosen, "ATTACH DATABASE"),
    ("PRAGMA key = '{s}'", chosen, "PRAGMA"),
]:
    _text(_template, _make, _context, "sql")
for _statement, _parameters, _secret in [
    ("INSERT INTO users (name, password) VALUES (?, ?)", ["ann", "{s}"], chosen),
    ("UPDATE users SET password = $1 WHERE id = $2", ["{s}", 7], chosen),
    ("UPDATE users SET name = %s, api_key = %s WHERE id = %s", ["ann", "{s}", 7], a32),
    ("UPDATE users SET token = @p0 WHERE id = @p1", {"p0": "{s}", "p1": 7}, a32),
    ("SELECT 1 FROM sessions WHERE session_token = :t", {"t": "{s}"}, a40),
    ("INSERT INTO u (name, secret) VALUES (%(n)s, %(s)s)", {"n": "ann", "s": "{s}"}, a32),
]:

    def _bound(
        r: v.Rng, s: str = _statement, p: Any = _parameters, m: Secret = _secret
    ) -> tuple[Any, str, str]:
        value = m(r)
        return {"statement": s, "parameters": _filled(p, value)}, value, s[:12]

    made("sql_bound", "sql", _bound)

# Exceptions.
for _template, _make, _context in [
    (
        "FATAL: password authentication failed: connection string was host=db1 password={s} dbname=x",
        plain,
        "dbname=x",
    ),
    ("Access denied for user 'app'@'10.0.0.4' (using password: {s})", plain, "Access denied"),
    (
        "HTTPSConnectionPool(host='api.test', port=443): Max retries exceeded with url: /v1?apikey={s}&page=3 (Caused by X)",
        a32,
        "Max retries",
    ),
    ("invalid literal: got {'client_secret': '{s}', 'n': 3}", a40, "'n': 3"),
    (
        "1 validation error for Settings\npassword\n  String should have at least 20 characters [type=string_too_short, input_value='{s}', input_type=str]",
        plain,
        "at least 20 characters",
    ),
    ("redis.exceptions.AuthenticationError: WRONGPASS for redis://:{s}@cache:6379/0", plain, "WRONGPASS"),
    ("InvalidToken: bot token `{s}` was rejected", a40, "was rejected"),
    (
        "subprocess.CalledProcessError: Command '['mysql', '-u', 'root', '--password={s}']' returned non-zero exit status 1.",
        plain,
        "exit status 1",
    ),
    ("could not decode JWT {s}: signature mismatch", v.jwt, "signature mismatch"),
    (
        "Incorrect API key provided: {s}. You can find your API key at https://platform.test/keys",
        prefixed("sk" + "-proj-", URLSAFE, 90),
        "You can find",
    ),
    ("login() got an unexpected keyword argument: login(user='ann', passwd='{s}')", chosen, "ann"),
]:
    _text(_template, _make, _context, "exception", part=v.signature_of if _make is v.jwt else None)


def source_line(line: str, context: str) -> Any:
    """A stack trace with a source line or local in it."""

    def build(r: v.Rng) -> tuple[Any, str, str]:
        value = plain(r)
        trace = f'Traceback (most recent call last):\n  File "a.py", line 9, in m\n    {line.replace("{s}", value)}\nValueError: x\n'
        return {"type": "ValueError", "message": "x", "stacktrace": trace, "locals": None}, value, context

    return build


for _template, _context in [
    ('client = Client("api.test", api_key="{s}", timeout=3)', "timeout=3"),
    ("PASSWORD = '{s}'", "a.py"),
    ("requests.get(url, auth=('ann', '{s}'))", "requests.get"),
    ('os.environ["DB_PASSWORD"] = "{s}"', "os.environ"),
    ("engine = create_engine('postgresql://app:{s}@db1/x')", "create_engine"),
    ('if token == "{s}":', "a.py"),
    ("conn.login(user, '{s}')", "conn.login"),
    ("headers = {'X-Auth-Token': '{s}'}", "headers"),
    ('smtp.login("ann@shop.test", "{s}")', "smtp.login"),
    ("password: str = '{s}'", "a.py"),
    ('jwt.encode(claims, "{s}", algorithm="HS256")', "HS256"),
    ("auth=HTTPBasicAuth('ann', '{s}')", "HTTPBasicAuth"),
]:
    made("source_line", "exception", source_line(_template, _context))
made(
    "locals",
    "exception",
    lambda r: (
        {
            "type": "E",
            "message": "x",
            "stacktrace": "Traceback...\n",
            "locals": {"self": f"<Client token='{(s := a32(r))}'>", "n": 3},
        },
        s,
        '"n": 3',
    ),
)
made(
    "locals_nested",
    "exception",
    lambda r: (
        {
            "type": "E",
            "message": "x",
            "stacktrace": "Traceback...\n",
            "locals": {"kwargs": {"auth": ["ann", (s := chosen(r))], "n": 3}},
        },
        s,
        '"n": 3',
    ),
)

# Personal data.
for _template, _make, _context in [
    ("mail to {s} bounced", mail, "bounced"),
    ("caller +49 170 {s} hung up", lambda r: v.digits(r, 7), "hung up"),
    ("transfer to {s} booked", v.iban, "booked"),
    ("client {s} blocked by rule 7", ipv4, "rule 7"),
    ("user.email={s} plan=pro", mail, "plan=pro"),
    (
        '{"phone": "+1-415-{s}", "n": 3}',
        lambda r: f"{r.randrange(200, 999)}-{r.randrange(1000, 9999)}",
        '"n": 3',
    ),
    ("signed up: {s} (trial)", mail, "trial"),
    ("https://app.test/u?email={s}&page=3", lambda r: urllib.parse.quote(mail(r), safe=""), "page=3"),
]:
    _people.text(_template, _make, _context)
for _name, _make in [
    ("date_of_birth", lambda r: f"19{r.randrange(50, 99)}-0{r.randrange(1, 9)}-1{r.randrange(9)}"),
    ("first_name", lambda r: r.choice(["Annegret", "Balthasar", "Clothilde"])),
    ("customer.email", mail),
    ("billing_address.street", lambda r: f"Lindenweg {r.randrange(1, 99)}"),
    ("phone_number", lambda r: "+49171" + v.digits(r, 7)),
    ("passport_number", lambda r: "C0" + v.text(r, "0123456789", 7)),
    ("ssn", lambda r: f"{r.randrange(100, 665)}-{r.randrange(10, 99)}-{r.randrange(1000, 9999)}"),
    ("iban", v.iban),
]:
    _people.key(_name, _make)

# Harmless keys.
for _name, _held in [
    ("token_count", 18),
    ("max_tokens", 4096),
    ("gen_ai.request.max_tokens", 1024),
    ("tokens_per_second", 38.5),
    ("token_type", "Bearer"),
    ("token_endpoint", "https://sso.test/oauth/token"),
    ("tokenizer.name", "cl100k_base"),
    ("tokens", ["the", "quick", "fox"]),
    ("author", "Grace Hopper"),
    ("authors", ["Ann Lee", "Bo Chen"]),
    ("co_author", "Ann Lee"),
    ("authority", "api.test:443"),
    ("authorized", True),
    ("authorization_status", "granted"),
    ("passenger", "Ann Lee"),
    ("passenger_count", 3),
    ("passed", 17),
    ("tests.passed", "17 of 18"),
    ("pass_rate", 0.93),
    ("bypass_reason", "maintenance"),
    ("compass", "NNW"),
    ("encompass", "all"),
    ("secretary", "Ann Lee"),
    ("secretariat.city", "Bonn"),
    ("secret_santa.group", "platform-team"),
    ("secret_name", "db-credentials"),
    ("secret_count", 4),
    ("has_password", True),
    ("password_changed_at", "2026-11-21T10:00:00Z"),
    ("password_min_length", 12),
    ("password_strength", "weak"),
    ("password_required", False),
    ("passwordless", True),
    ("password.policy", "at least 12 characters, one digit"),
    ("api_key_id", "key-7"),
    ("api_key_expires_at", "2027-01-01"),
    ("key", "user:42:cart"),
    ("keys", ["id", "name"]),
    ("primary_key", "order_id"),
    ("sort_key", "created_at#2026"),
    ("cache_key", "cart:7:v2"),
    ("routing_key", "orders.created"),
    ("idempotency_key", v.guid),
    ("messaging.kafka.message.key", "order-7"),
    ("partition_key", "eu-west-1"),
    ("object_key", "images/2026/11/cat.png"),
    ("public_key", lambda r: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + v.text(r, v.BASE64, 43)),
    ("keyboard", "Keychron K2"),
    ("keyboard_layout", "colemak"),
    ("keyword", "running shoes"),
    ("keywords", ["shoes", "trail"]),
    ("keyframe", 120),
    ("hotkey", "ctrl+shift+p"),
    ("turkey", "Ankara"),
    ("monkey_patched", True),
    ("donkey", "grey"),
    ("session.id", v.guid),
    ("session_duration_ms", 18233),
    ("session_type", "interactive"),
    ("sessions_active", 12),
    ("cookie_consent", "accepted"),
    ("cookies_enabled", True),
    ("credential_type", "x509"),
    ("credentials_provider", "InstanceProfile"),
    ("auth.type", "mtls"),
    ("auth_provider", "google"),
    ("auth_time_ms", 12),
    ("oauth.scope", "read write"),
    ("oauth.client_id", "web-frontend"),
    ("grant_type", "authorization_code"),
    ("signature_algorithm", "RS256"),
    ("signature_valid", True),
    ("private", True),
    ("private_ip", "10.0.0.4"),
    ("private_network", "vpc-7"),
    ("hash", revision),
    ("commit_hash", short_revision),
    ("vcs.ref.head.revision", revision),
    ("content_sha256", h64),
    ("content_md5", h32),
    ("etag", lambda r: '"' + v.hexadecimal(r, 32) + '"'),
    ("http.response.header.etag", lambda r: ['W/"' + v.hexadecimal(r, 27) + '"']),
    ("checksum", lambda r: "crc32c:" + v.text(r, ALNUM, 6) + "=="),
    ("container.id", h64),
    ("container.image.name", "registry.test/shop/api:1.18.3"),
    (
        "k8s.pod.name",
        lambda r: (
            "api-"
            + v.text(r, "bcdfghjklmnpqrstvwxz2456789", 9)
            + "-"
            + v.text(r, "bcdfghjklmnpqrstvwxz2456789", 5)
        ),
    ),
    ("k8s.pod.uid", v.guid),
    ("k8s.secret.name", "tls-wildcard"),
    ("trace_id", h32),
    ("span_id", hexes(16)),
    ("traceparent", lambda r: f"00-{v.hexadecimal(r, 32)}-{v.hexadecimal(r, 16)}-01"),
    ("request_id", ulid),
    ("x-request-id", v.guid),
    ("aws.request_id", v.guid),
    ("x-amz-cf-id", lambda r: v.text(r, URLSAFE, 54) + "=="),
    ("correlation_id", a24),
    (
        "next_cursor",
        lambda r: base64.b64encode(json.dumps({"id": r.randrange(10**6), "dir": "next"}).encode()).decode(),
    ),
    ("cursor", base64_of(24)),
    ("avatar", lambda r: "data:image/png;base64," + picture(r)),
    ("thumbnail", picture),
    ("version", version),
    ("service.version", lambda r: f"{version(r)}+{short_revision(r)}"),
    ("file.path", "/var/lib/secrets/README.md"),
    ("code.file.path", "/srv/app/auth/password_reset.py"),
    ("code.function.name", "auth.password.validate_password"),
    ("url.path", "/api/v1/tokens/refresh"),
    ("http.route", "/users/{id}/password"),
    ("serial_number", upper(12)),
    ("tracking_number", lambda r: "1Z" + v.text(r, v.UPPER, 16)),
    ("order_number", number),
    ("sku", lambda r: f"SKU-{v.text(r, v.UPPER, 8)}"),
    ("isbn", "978-3-16-148410-0"),
    ("ean", lambda r: "4" + v.text(r, "0123456789", 12)),
    ("duration_ns", number),
    ("timestamp", "1795300123456"),
    ("mac", "00:1b:44:11:3a:b7"),
    ("color", "#a1b2c3"),
    ("geo", "48.137154,11.576124"),
    ("tz", "Europe/Berlin"),
    ("pin_to_top", True),
    ("pinned_version", "2.1.0"),
    ("spinner", "dots"),
    ("shipping.method", "express"),
    ("opinion", "fine"),
    ("otp_enabled", True),
    ("otp_length", 6),
    ("card_type", "visa"),
    ("cardinality", 1200),
    ("card.last4", "4242"),
    ("discard", True),
    ("salted", True),
    ("salt_g", 3),
    ("seed", 42),
    ("random_seed", 1337),
    ("hash_algorithm", "sha256"),
    ("encryption", "AES-256-GCM"),
    ("cipher_suite", "TLS_AES_128_GCM_SHA256"),
    ("tls.certificate_fingerprint", lambda r: ":".join(v.hexadecimal(r, 2).upper() for _ in range(20))),
    ("certificate", lambda r: v.pem(r, "CERTIFICATE")),
    ("x509.serial", hexes(20)),
    ("account_id", digits(12)),
    ("aws.account", digits(12)),
    ("arn", lambda r: f"arn:aws:secretsmanager:eu-west-1:{v.digits(r, 12)}:secret:db-{v.text(r, ALNUM, 6)}"),
    ("subscription_id", v.guid),
    ("tenant", v.guid),
    ("stripe.customer", lambda r: "cus_" + v.text(r, ALNUM, 14)),
    ("stripe.payment_intent", lambda r: "pi_3" + v.text(r, ALNUM, 23)),
    ("slack.channel", lambda r: "C0" + v.text(r, v.UPPER, 9)),
    ("github.node_id", lambda r: "PR_kwDO" + v.text(r, ALNUM, 11)),
    ("openai.response_id", lambda r: "chatcmpl-" + v.text(r, ALNUM, 29)),
    ("gen_ai.response.id", lambda r: "msg_01" + v.text(r, ALNUM, 22)),
    ("gen_ai.tool.call.id", lambda r: "call_" + v.text(r, ALNUM, 24)),
    ("twilio.sid", lambda r: "AC" + v.hexadecimal(r, 32)),
    ("firebase.push_id", lambda r: "-N" + v.text(r, URLSAFE, 18)),
    ("youtube.id", urlsafe(11)),
    ("embedding", [0.12, -0.4, 0.88]),
    ("access_level", "admin"),
    ("accessibility", "wcag-aa"),
    ("login_count", 3),
    ("login_method", "password"),
    ("user.roles", ["admin", "secrets-reader"]),
    ("feature_flags", {"password_login": True, "token_refresh": False}),
    ("limits", {"token_limit": 8192, "tokens_used": 12}),
    ("schema", {"properties": {"password": {"type": "string", "minLength": 8}}}),
    ("validation", {"password": ["This field is required."]}),
    ("errors", [{"field": "password", "message": "too short"}]),
    ("columns", ["id", "name", "password_hash", "api_key"]),
    ("scopes", ["token:read", "secret:list"]),
]:
    _harmless_key(_name, _held)

# Harmless texts.
for _template, _make in [
    ("password must be at least 12 characters", None),
    ("Password must contain an upper-case letter, a digit and a symbol", None),
    ("password reset requested for user 42", None),
    ("passwords do not match", None),
    ("the password field is required", None),
    ("forgot password page rendered in 12 ms", None),
    ("invalid password for user 7 (3 attempts left)", None),
    ("password expired 3 days ago", None),
    ("password hash upgraded from bcrypt to argon2id", None),
    ("passphrase policy: four random words, no quotes from songs", None),
    ("token expired at 2026-11-21T10:00:00Z", None),
    ("token bucket refilled: 120 tokens", None),
    ("tokenizer split 'unbelievable' into un ##believ ##able", None),
    ("tokens: ['the', 'cat', 'sat']", None),
    ("prompt tokens=512 completion tokens=128 total=640", None),
    ("Unexpected token < in JSON at position 0", None),
    ("SyntaxError: unexpected token '}' near line 14", None),
    ("csrf token missing or incorrect", None),
    ("Set X-CSRFToken from the csrftoken cookie, see the documentation", None),
    ("refresh token rotated for session 7", None),
    ("api key not configured, using anonymous access", None),
    ("missing api key header", None),
    ("the API key is stored in Vault", None),
    ("see https://docs.test/api-keys for how to create a key", None),
    ("secret santa draw done: 14 people", None),
    ("the secret of a good espresso is patience", None),
    ("no secrets found in 214 files", None),
    ("secret 'db-credentials' not found in namespace shop", None),
    ("mounted secret volume /var/run/secrets/kubernetes.io", None),
    ("secretary general opened session 14", None),
    ("passenger 14A boarded, 3 passengers missing", None),
    ("authored by Ann Lee, reviewed by Bo Chen", None),
    ("keyboard interrupt received, stopping", None),
    ("KeyError: 'author'", None),
    ('duplicate key value violates unique constraint "users_pkey"', None),
    ("foreign key constraint fails on orders.user_id", None),
    ("primary key: (tenant_id, order_id)", None),
    ("cache key user:42:profile expired", None),
    ("pressed key Enter", None),
    ("keyword 'shoes' matched 12 documents", None),
    ("public key fingerprint SHA256:{s}", lambda r: v.text(r, v.BASE64, 43)),
    ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{s} ann@laptop", lambda r: v.text(r, v.BASE64, 43)),
    ("checked out {s} (detached)", revision),
    ("deployed {s} to prod", short_revision),
    ("merge {s} into main", revision),
    ("image sha256:{s} pulled", h64),
    ("sha256sum: {s}  dist/app.tar.gz", h64),
    ("integrity sha512-{s}", base64_of(64)),
    ("file md5={s} size=1024", h32),
    ("request {s} done in 12 ms", v.guid),
    ("trace_id={s} span_id=00f067aa0ba902b7", h32),
    ("job {s} queued", ulid),
    ("order {s} shipped", number),
    ("upload id {s}", alnum(22)),
    (
        "next_page_token={s}",
        lambda r: (
            base64.urlsafe_b64encode(b"offset=" + str(r.randrange(10**6)).encode()).decode().rstrip("=")
        ),
    ),
    ("cursor={s}&limit=50", lambda r: base64.b64encode(b"id:" + str(r.randrange(10**8)).encode()).decode()),
    ('etag: "{s}"', h32),
    ('If-None-Match: W/"{s}"', hexes(20)),
    ("img src=data:image/png;base64,{s}", picture),
    ("upgraded pkg from 1.2.3 to {s}", version),
    ("python {s} on linux", version),
    ("kernel 6.1.0-{s}-amd64", lambda r: str(r.randrange(10, 40))),
    ("wrote /etc/app/password.conf.d/README", None),
    ("C:\\Users\\ann\\secrets\\notes.txt opened", None),
    ("call 0800-{s} for support", lambda r: v.digits(r, 6)),
    ("ticket 555-{s} closed", lambda r: v.digits(r, 4)),
    ("card ending in 4242 declined", None),
    ("card {s} is not valid", v.not_a_card),
    ("tracking 1Z{s}", lambda r: v.text(r, v.UPPER, 16)),
    ("took {s} ns", number),
    ("account {s} not found", digits(10)),
    ("balance 1795300123456 wei", None),
    ("login ok for ann", None),
    ("login failed for ann: wrong password", None),
    ("user ann logged in with password", None),
    ("auth=basic realm=shop", None),
    ("auth: none", None),
    ("authentication: method=mtls result=ok", None),
    ("Authorization header missing", None),
    ('WWW-Authenticate: Bearer realm="api", error="invalid_token"', None),
    ("Access-Control-Allow-Headers: Authorization, X-Api-Key", None),
    ("Set-Cookie: theme=dark; Path=/; Max-Age=3600", None),
    ("Cookie banner shown to 42 users", None),
    ("session 7 closed after 30 s", None),
    ("pin 13 set HIGH", None),
    ("pinned numpy==2.1.0", None),
    ("otp app v3 started", None),
    ("Enter the 6 digit code we sent you", None),
    ("exit code 137", None),
    ("error code 100234", None),
    ("HTTP status code: 404", None),
    ("zip code 80331 Munich", None),
    ("promo code SUMMER26 applied", None),
    ("country code is 49", None),
    ("grpc status code=14 UNAVAILABLE", None),
    ("pass 3 of 5 complete", None),
    ("17 passed, 1 failed, 2 skipped in 3.2s", None),
    ("test_password_reset PASSED", None),
    ("passing --password-file /run/secrets/db to the server", None),
    ("usage: app [--password PASSWORD] [--token TOKEN]", None),
    ("password: ${DB_PASSWORD}", None),
    ("password=********", None),
    ("api_key=<redacted>", None),
    ("Authorization: Bearer <token>", None),
    ("token: null", None),
    ("password: None", None),
    ("secretKeyRef: {name: db, key: password}", None),
    ("password = os.environ['DB_PASSWORD']", None),
    ("password = getpass.getpass()", None),
    ("def login(user: str, password: str) -> Token:", None),
    ("type Token struct { Kind string }", None),
    ("SELECT password_hash FROM users WHERE id = 7", None),
    ("ALTER TABLE users ADD COLUMN api_token VARCHAR(64) NOT NULL", None),
    ("CREATE INDEX idx_token ON sessions (token, created_at)", None),
    ('{"token_count": 12, "max_tokens": 4096}', None),
    ('{"author": "Ann", "keywords": ["a"], "pass": true}', None),
    ('{"password": {"min": 8, "max": 64}}', None),
    ("https://api.test/v1/tokens?limit=50", None),
    ("https://api.test/password/reset", None),
    ("https://api.test/search?q=password+manager&page=2", None),
    ("https://api.test/items?sort_key=price&keyword=token", None),
    ("https://git.test/a/b/commit/{s}", revision),
    ("https://cdn.test/app.{s}.js", hexes(20)),
    ("https://cdn.test/img/{s}.png?w=200&h=100", v.guid),
    ("https://youtu.be/{s}", urlsafe(11)),
    ("https://docs.test/d/{s}/edit", lambda r: v.text(r, URLSAFE, 44)),
    ('10.1.2.3 - - [21/Nov/2026:10:00:00 +0000] "GET /login HTTP/1.1" 200 512', None),
    ("postgresql://db1:5432/shop connected", None),
    ("redis://cache:6379/0 ready", None),
    ("ssh://git@git.test/a/b.git cloned", None),
    ("GOOGLE_APPLICATION_CREDENTIALS=/etc/gcp/sa.json", None),
    ("AWS_PROFILE=ci AWS_REGION=eu-west-1", None),
    ("SSH_AUTH_SOCK=/tmp/ssh-x/agent.1", None),
    ("VAULT_ADDR=https://vault.test:8200", None),
    ("TOKENIZERS_PARALLELISM=false", None),
    ("loaded model with 7B params, vocab 32000 tokens", None),
    ("solder paste key lot {s}", upper(8)),
    ("lock acquired key=orders:7 ttl=30", None),
    ("etcd key /registry/secrets/shop/db updated", None),
    ("consumer group auth-events lag=12", None),
    ("topic user.password.changed partition=3 offset=1200", None),
    ("event password_changed emitted for user 42", None),
    ("metric auth_token_refresh_total=12", None),
    ("GET /oauth/token 200 in 12 ms", None),
    ("the keys are under the mat", None),
    ("Mind the gap, said the passenger to the secretary", None),
    ("correct horse battery staple is a famous comic", None),
]:
    _harmless(_template, _make)
