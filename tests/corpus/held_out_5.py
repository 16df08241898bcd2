"""A fifth set of kinds: command lines, headers as languages print them, tables, SQL, prose, and what comes near to each."""

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
    digits,
    hexes,
    issued,
    lower,
    number,
    prefixed,
    revision,
    short_revision,
    strong,
    upper,
    version,
)
from tests.corpus.row import Make

_kinds = Kinds("h5_")
_text, _key, _harmless, _harmless_key = _kinds.text, _kinds.key, _kinds.harmless, _kinds.harmless_key
KINDS: dict[str, Make] = _kinds.made

# carriers 2
_text(
    'nginx: proxy_set_header Authorization "Basic {s}";',
    lambda r: v.basic(r, v.password(r)),
    "proxy_set_header",
)
_text("haproxy: user ann insecure-password {s}", v.plain_password, "user ann")
_text("auth_basic htdigest ann:realm:{s}", hexes(32), None)
_text("requirepass {s}\nmaxmemory 2gb", v.plain_password, "maxmemory 2gb")
_text("user default on >{s} ~* +@all", v.plain_password, "~* +@all")
_text("ACL SETUSER ann on >{s} allkeys +get", strong, "allkeys +get")
_text('[mysqld]\ninit_connect=x\n[client]\npassword = "{s}"', v.password, "init_connect=x")
_text("smtp_sasl_password_maps = static:ann:{s}", strong, "smtp_sasl")
_text("snmp-server community {s} RO", strong, "RO")
_text(
    "enable secret 5 {s}",
    lambda r: "$1$" + v.text(r, v.ALNUM, 4) + "$" + v.text(r, v.ALNUM, 22),
    "enable secret 5",
)
_text("username ann privilege 15 password 7 {s}", lambda r: v.hexadecimal(r, 16).upper(), "privilege 15")
_text('ipsec: left%any : PSK "{s}"', v.password, "PSK")
_text('network={\n  ssid="home"\n  psk="{s}"\n}', v.password, 'ssid="home"')
_text(
    "<sharedKey><keyType>passPhrase</keyType><keyMaterial>{s}</keyMaterial></sharedKey>",
    v.plain_password,
    "<keyType>",
)
_text("chpasswd <<< 'ann:{s}'", strong, "chpasswd")
_text("echo 'ann:{s}' | chpasswd", strong, "chpasswd")
_text("echo {s} | sudo -S apt update", strong, "apt update")
_text('echo "{s}" | docker login -u ann --password-stdin', strong, "docker login -u ann")
_text("useradd -p {s} ann", v.plain_password, "ann")
_text("cmdkey /add:h /user:ann /pass:{s}", v.plain_password, "/user:ann")
_text("mstsc password 51:b:{s}", hexes(64), None)
_text("psexec \\\\h -u ann -p {s} cmd", v.plain_password, "cmd")
_text(
    "New-Object PSCredential('ann', (ConvertTo-SecureString '{s}' -AsPlainText -Force))",
    v.password,
    "PSCredential('ann'",
)
_text("az storage blob list --account-key {s} --account-name acct", base64_of(64), "--account-name acct")
_text("gcloud sql users set-password ann --instance=i --password={s}", v.plain_password, "--instance=i")
_text("aws rds modify-db-instance --master-user-password {s} --region eu", v.plain_password, "--region eu")
_text("heroku config:set SECRET_TOKEN={s} -a app", alnum(40), "-a app")
_text("fly secrets set DATABASE_PASSWORD={s}", v.plain_password, "fly secrets set")
_text("wrangler secret: API_SECRET={s}", alnum(32), "wrangler")
_text("vault kv put secret/db password={s} user=ann", v.plain_password, "user=ann")
_text("consul kv put x -token={s}", v.guid, "consul kv put x")
_text("nomad -token {s} status", v.guid, "status")
_text("etcdctl --user root:{s} get /", v.plain_password, "get /")
_text("rabbitmqctl change_password ann {s}", strong, "change_password ann")
_text("rabbitmqctl add_user ann {s}", strong, "add_user ann")
_text("htpasswd -bc .htpasswd ann {s}", strong, ".htpasswd ann")
_text("psql postgres://ann:{s}@h/d -c '\\dt'", v.plain_password, "\\dt")
_text('pg_dump "host=h user=a password={s}" > x', v.plain_password, "> x")
_text("sqlplus ann/{s}@//h:1521/x", v.plain_password, "h:1521/x")
_text("impdp system/{s}@orcl dumpfile=x.dmp", strong, "dumpfile=x.dmp")
_text("isql -U sa -P {s} -S h", v.plain_password, "-S h")
_text('mongodump --uri="mongodb://a:{s}@h/d"', v.plain_password, "@h/d")
_text("cqlsh h -u ann -p {s}", v.plain_password, "cqlsh h")
_text("ldapmodify -D cn=a -w {s} -f x.ldif", v.plain_password, "x.ldif")
_text("smbmount //h/s /m -o username=ann,password={s},uid=1", v.plain_password, "uid=1")
_text("mount -t cifs //h/s /m -o user=ann,pass={s}", v.plain_password, "user=ann")
_text("lftp -u ann,{s} ftp.test", v.plain_password, "ftp.test")
_text("ncftp -u ann -p {s} ftp.test", v.plain_password, "ftp.test")
_text("sftp> open ann:{s}@h", strong, "open ann")
_text("snmpwalk -v3 -u ann -A {s} -X x h", strong, "-v3 -u ann")
_text("ipmitool -I lanplus -H h -U a -P {s} power status", v.plain_password, "power status")
_text("zip -P {s} a.zip f", v.plain_password, "a.zip f")
_text("7z x a.7z -p{s}", v.plain_password, "a.7z")
_text("qpdf --password={s} --decrypt a b", v.plain_password, "--decrypt a b")
_text("cryptsetup: key slot 0 passphrase {s} accepted", strong, "accepted")
_text("borg BORG_PASSPHRASE={s} create", v.plain_password, "create")
_text("RESTIC_PASSWORD='{s}' restic backup /", v.password, "restic backup /")
_text("TF_VAR_db_password={s} terraform apply", v.plain_password, "terraform apply")
_text("SPRING_DATASOURCE_PASSWORD={s} java -jar a.jar", v.plain_password, "java -jar a.jar")
_text("java -Djavax.net.ssl.trustStorePassword={s} Main", v.plain_password, "Main")
_text("keytool -keypass {s} -alias x", v.plain_password, "-alias x")
_text("jarsigner -storepass:env X -keypass {s} a.jar", v.plain_password, "a.jar")
_text("signtool sign /f c.pfx /p {s} a.exe", v.plain_password, "a.exe")
_text(
    "xcrun notarytool --apple-id a --password {s}",
    lambda r: "-".join(v.text(r, string.ascii_lowercase, 4) for _ in range(4)),
    "--apple-id a",
)
_text("fastlane FASTLANE_SESSION='{s}'", alnum(80), "fastlane")
_text("dart pub token add: PUB_TOKEN={s}", alnum(40), "dart pub")
_text("composer config http-basic.h.test ann {s}", strong, "http-basic.h.test ann")
_text("poetry config pypi-token.pypi {s}", issued("pypi"), "poetry config")
_text("npm config set //r.test/:_authToken {s}", alnum(36), "npm config set")
_text(
    'always-auth=true\n//r.test/:_password="{s}"',
    lambda r: base64.b64encode(v.password(r).encode()).decode(),
    "always-auth=true",
)
_text("machine h login ann\npassword {s}\n", v.plain_password, "machine h")
_text(
    "<?xml?><settings><servers><server><id>r</id><privateKey>/k</privateKey><passphrase>{s}</passphrase></server></servers>",
    v.plain_password,
    "<id>r</id>",
)
_text(
    '<connectionStrings><add name="x" connectionString="Data Source=h;User ID=sa;Password={s}"/></connectionStrings>',
    v.plain_password,
    "Data Source=h",
)
_text(
    "<data-source><security><user-name>a</user-name><password>{s}</password></security></data-source>",
    v.plain_password,
    "<user-name>a",
)
_text('<Parameter name="Secret" type="string">{s}</Parameter>', alnum(32), "<Parameter")
_text("<key>apiToken</key>\n<string>{s}</string>\n<key>n</key>", alnum(32), "<key>n</key>")
_text('<input type="password" name="pw" value="{s}">', v.plain_password, "<input")
_text('<input type="hidden" name="csrfmiddlewaretoken" value="{s}">', alnum(64), "<input")
_text('<meta name="csrf-token" content="{s}" />', base64_of(64), "<meta")
_text(
    "soap: <wsse:UsernameToken><wsse:Username>a</wsse:Username><wsse:Password>{s}</wsse:Password>",
    v.plain_password,
    "<wsse:Username>a",
)
_text(
    "<methodCall><methodName>login</methodName><params><param><value>ann</value></param><param><value>{s}</value></param></params>",
    strong,
    "login",
)
_text('env:\n  - name: API_TOKEN\n    value: "{s}"\n  - name: LOG\n    value: info', alnum(32), "value: info")
_text("env:\n  - {name: DB_PASS, value: {s}}", v.plain_password, "DB_PASS")
_text("secrets:\n  db_password: {s}\nreplicas: 2", v.plain_password, "replicas: 2")
_text("stringData:\n  password: {s}\ntype: Opaque", v.plain_password, "type: Opaque")
_text(
    "data:\n  password: {s}\nkind: Secret",
    lambda r: base64.b64encode(v.password(r).encode()).decode(),
    "kind: Secret",
)
_text(
    "  .dockerconfigjson: {s}",
    lambda r: base64.b64encode(
        json.dumps({"auths": {"h": {"auth": v.basic(r, v.password(r))}}}).encode()
    ).decode(),
    ".dockerconfigjson",
)
_text("with:\n  token: {s}\n  fetch-depth: 0", issued("github_classic"), "fetch-depth: 0")
_text("- run: deploy --key={s} --env prod", alnum(40), "--env prod")
_text("jobs:\n  x:\n    env: {NPM_TOKEN: '{s}', CI: 1}", issued("npm"), "CI: 1")
_text("user_data: #!/bin/bash\\nexport PASS={s}\\necho ok", v.plain_password, "echo ok")
_text("MINIO_ROOT_USER=admin MINIO_ROOT_PASSWORD={s} minio server", v.plain_password, "minio server")
_text("KEYCLOAK_ADMIN_PASSWORD: {s}", v.password, "KEYCLOAK_ADMIN_PASSWORD")
_text("GF_SECURITY_ADMIN_PASSWORD__FILE=/x GF_DATABASE_PASSWORD={s}", v.plain_password, "__FILE=/x")
_text('DATABASE_URL="mysql://u:{s}@h:3306/d?ssl=1"', v.plain_password, "ssl=1")
_text("CELERY_BROKER_URL=redis://:{s}@r:6379/1", v.plain_password, "r:6379/1")
_text("AWS_SESSION_TOKEN={s}", alnum(200), "AWS_SESSION_TOKEN")
_text("SLACK_URL=https://hooks.slack.com/services/T0AAAAAAA/B0AAAAAAA/{s}", alnum(24), "hooks.slack.com")
# HTTP odd
_text(
    "GET /x HTTP/1.1\\r\\nHost: h\\r\\nX-API-KEY: {s}\\r\\nAccept: */*\\r\\n\\r\\n", alnum(40), "Accept: */*"
)
_text("b'POST /login HTTP/1.1\\r\\nCookie: s=1; auth={s}\\r\\n\\r\\nuser=a'", alnum(40), "POST /login")
_text("headers=[(b'host', b'h'), (b'authorization', b'Bearer {s}')]", alnum(40), "b'host', b'h'")
_text('HttpHeaders(["X-Auth-Token" -> "{s}", "Accept" -> "*/*"])', alnum(40), "Accept")
_text('[Authorization:"Bearer {s}", Content-Type:"application/json"]', alnum(40), "application/json")
_text("map[Authorization:[Bearer {s}] Accept:[*/*]]", alnum(40), "Accept:[*/*]")
_text('http.Header{"X-Api-Key":[]string{"{s}"}, "Accept":[]string{"*/*"}}', alnum(40), "Accept")
_text('{"x-api-key": Sensitive, "authorization": "Bearer {s}"}', alnum(40), "Sensitive")
_text(
    'HeaderMap { inner: {"authorization": Entry { key: "authorization", value: "Bearer {s}" } } }',
    alnum(40),
    "HeaderMap",
)
_text("Request { headers: { authorization: [ 'Bearer {s}' ] } }", alnum(40), "Request")
_text(":authority: h :path: / authorization: Bearer {s} user-agent: x", alnum(40), ":authority: h")
_text("grpc metadata: authorization=Bearer {s}, te=trailers", alnum(40), "te=trailers")
_text("Sec-WebSocket-Protocol: v1, base64url.bearer.authorization.k8s.io.{s}", alnum(80), "v1")
_text("Cookie: JSESSIONID={s}.node1; theme=x", lambda r: v.hexadecimal(r, 32).upper(), "theme=x")
_text("Cookie: .AspNetCore.Antiforgery.x={s}; a=b", alnum(120), "a=b")
_text("Set-Cookie: ARRAffinity={s};Path=/;HttpOnly", hexes(64), "Path=/;HttpOnly")
_text("cookies: {'sid': '{s}', 'lang': 'de'}", alnum(32), "'lang': 'de'")
_text("<Cookie sessionid={s} for .h.test/>", lambda r: v.text(r, v.LOWER, 32), "for .h.test/")
_text("CookieJar: [Cookie(name='auth', value='{s}', domain='h')]", alnum(40), "domain='h'")
_text('document.cookie = "token={s}; path=/"', alnum(40), "path=/")
_text("localStorage.setItem('accessToken', '{s}')", alnum(40), "localStorage.setItem(")
_text('sessionStorage: {"oidc.user": {"id_token": "{s}"}}', v.jwt, "oidc.user", part=v.signature_of)
_text('Digest auth response="{s}", opaque="x"', hexes(32), None)
_text("login.php?user=ann&pass={s}&remember=1", v.plain_password, "remember=1")
_text("/oauth/token?grant_type=password&username=a&password={s}", v.plain_password, "grant_type=password")
_text("grant_type=refresh_token&refresh_token={s}&client_id=c", alnum(60), "client_id=c")
_text(
    "client_assertion={s}&client_assertion_type=jwt", v.jwt, "client_assertion_type=jwt", part=v.signature_of
)
_text(
    "code={s}&code_verifier=short&grant_type=authorization_code", alnum(40), "grant_type=authorization_code"
)
_text("&code_verifier={s}&redirect_uri=x", prefixed("", v.URLSAFE, 43), "redirect_uri=x")
_text("device_code={s}&interval=5", alnum(40), "interval=5")
_text(
    "https://a.test/reset?uid=MQ&token={s}",
    lambda r: v.text(r, v.LOWER, 6) + "-" + v.hexadecimal(r, 32),
    "uid=MQ",
    "url",
)
_text("https://a.test/invite#{s}", alnum(32), "a.test/invite", "url")
_text("https://zoom.test/j/8123456?pwd={s}", alnum(32), "zoom.test/j/8123456", "url")
_text("https://a.test/open?authkey={s}", prefixed("!A", v.URLSAFE, 15), "a.test/open", "url")
_text("https://f.test/o/x.jpg?alt=media&token={s}", v.guid, "alt=media", "url")
_text("https://maps.test/api/js?key={s}&libraries=places", issued("google_api"), "libraries=places", "url")
_text("https://api.test/v1?appid={s}&units=metric", hexes(32), "units=metric", "url")
_text("https://a.test/v1?access_key={s}&symbols=EUR", hexes(32), "symbols=EUR", "url")
_text("https://a.test/?subscription-key={s}", hexes(32), "a.test", "url")
_text("https://a.test/?hapikey={s}", v.guid, "a.test", "url")
_text("wss://a.test/cable?jwt={s}", v.jwt, "a.test/cable", "url", part=v.signature_of)
_text(
    "https://s3.test/b/k?AWSAccessKeyId=x&Expires=1&Signature={s}",
    lambda r: quote(base64_of(20)(r), safe=""),
    "Expires=1",
    "url",
)
_text("https://cdn.test/v.m3u8?hdnts=exp=1767~acl=/*~hmac={s}", hexes(64), "v.m3u8", "url")
_text(
    "https://cdn.test/v.mp4?Policy=eyJx&Signature={s}&Key-Pair-Id=K",
    prefixed("", v.URLSAFE, 120),
    "Key-Pair-Id=K",
    "url",
)
_text("ftp://anonymous:{s}@ftp.test/pub/x.txt", v.plain_password, "pub/x.txt", "url")
_text("mysql+asyncmy://a:{s}@h/d", lambda r: quote(v.password(r), safe=""), "@h/d", "url")
_text("postgresql://h/d?user=a&password={s}", v.plain_password, "user=a", "url")
_text("mssql://sa:{s}@h;database=x", v.plain_password, "database=x", "url")
_text("snowflake://a@acct/d?password={s}&warehouse=w", v.plain_password, "warehouse=w", "url")
_text("smb://DOM;ann:{s}@h/share", v.plain_password, "@h/share", "url")
_text("socks5://u:{s}@p.test:1080", v.plain_password, "p.test:1080", "url")
_text("ssh://git:{s}@h/r.git", v.plain_password, "@h/r.git", "url")
_text("mqtt://u:{s}@b:1883/t", v.plain_password, "b:1883/t", "url")
_text("nats://a:{s}@n:4222,nats://a:x@m:4222", v.plain_password, "n:4222", "url")
_text("elasticsearch+https://e:{s}@es:9243/", v.plain_password, "es:9243/", "url")
_text("ldaps://cn%3Da%2Cdc%3Dt:{s}@l:636", v.plain_password, "l:636", "url")
_text("kafka://k:{s}@b1:9092,b2:9092/t", v.plain_password, "b2:9092/t", "url")
_text("influxdb://u:{s}@i:8086/d", v.plain_password, "i:8086/d", "url")
_text("neo4j+s://neo4j:{s}@x.databases.test", v.plain_password, "x.databases.test", "url")
# dumps 2
_text("dict_items([('password', '{s}'), ('a', 1)])", v.password, "('a', 1)")
_text("{'user': 'ann', 'auth': HTTPBasicAuth('ann', '{s}')}", v.password, "'user': 'ann'")
_text("ClientAuth(login='ann', password=SecretString('{s}'))", v.password, "login='ann'")
_text("auth=BasicAuth(login='ann', password='{s}', encoding='latin1')", v.password, "latin1")
_text("Credentials(token=None, refresh_token='{s}', scopes=[])", alnum(60), "scopes=[]")
_text("kwargs={'api_key': \"{s}\", 'timeout': 3}", alnum(32), "'timeout': 3")
_text("args=('ann', '{s}') kwargs={} in login()", strong, "kwargs={}")
_text("called with (user='ann', pwd='{s}')", v.password, "user='ann'")
_text("<Account(name='ann', passwd_plain='{s}')>", v.password, "name='ann'")
_text("Struct password: {s} host: h", v.plain_password, "host: h")
_text("password -> {s}, host -> h", v.plain_password, "host -> h")
_text("password=>{s}|host=>h", v.plain_password, "host=>h")
_text("password: '{s}' # rotate me", v.password, "rotate me")
_text('{"password" : "{s}" , "n" : 1}', v.password, '"n" : 1')
_text("{password: {s}, n: 1}", v.plain_password, "n: 1")
_text(
    '{\\"config\\":\\"{\\\\\\"password\\\\\\":\\\\\\"{s}\\\\\\",\\\\\\"n\\\\\\":1}\\"}', v.plain_password, "n"
)
_text("| user | password |\n|------|----------|\n| ann | {s} |", v.password, "ann")
_text("Key: password, Value: {s}, Type: string", v.password, "Type: string")
_text("key=password value={s} type=s", v.plain_password, "type=s")
_text("field 'password': given '{s}', expected 12 chars", v.plain_password, "expected 12 chars")
_text("setting changed: password old=abc1 new={s}", strong, "setting changed")
_text('{"level":"info","msg":"login","pwd":"{s}"}', v.password, '"level":"info"')
_text('level=info msg=login pwd="{s}" dur=3ms', v.password, "dur=3ms")
_text("time=x level=debug token={s} user=ann", alnum(40), "user=ann")
_text('<134>1 2026 h app - - [auth@1 secret="{s}" user="a"] hi', v.password, 'user="a"')
_text("CEF:0|v|p|1|100|login|5|suser=ann cs1Label=password cs1={s}", strong, "suser=ann")
_text("[ERROR] (auth) pass='{s}' rejected for ann", v.password, "rejected for ann")
_text('AuthError{code:401,apiKey:"{s}"}', alnum(32), "code:401")
_text(
    'panic: bad config: Config{Token:"{s}"}\n\ngoroutine 1 [running]:',
    alnum(32),
    "goroutine 1 [running]:",
    "exception",
)
_text("thread 'main' panicked at 'bad key: \"{s}\"', src/main.rs:3", alnum(40), "src/main.rs:3", "exception")
_text(
    "Caused by: java.sql.SQLException: Access denied (password={s})\n\tat x.Y.z(Y.java:3)",
    v.plain_password,
    "Y.java:3",
    "exception",
)
_text(
    "Error: connect ECONNREFUSED { auth: { user: 'a', pass: '{s}' } }",
    v.password,
    "ECONNREFUSED",
    "exception",
)
_text(
    "pymongo.errors.OperationFailure: auth failed for mongodb://a:{s}@h",
    v.plain_password,
    "auth failed",
    "exception",
)
_text(
    "pydantic_core.ValidationError: 1 error\npassword\n  String too short [type=x, input_value='{s}', input_type=str]",
    v.plain_password,
    "input_type=str",
    "exception",
)
_text(
    "jsonschema.ValidationError: '{s}' is too short\n\nOn instance['password']:\n    '{s}'",
    v.plain_password,
    "is too short",
    "exception",
)
_text("marshmallow: {'api_key': ['Invalid value: {s}']}", alnum(32), "marshmallow", "exception")
_text(
    "requests.exceptions.ProxyError: http://u:{s}@proxy.test:3128",
    v.plain_password,
    "proxy.test:3128",
    "exception",
)
_text(
    'psycopg.OperationalError: connection to "host=h password={s} user=a" failed',
    v.plain_password,
    "failed",
    "exception",
)
_text(
    "CalledProcessError: Command 'mysqldump -u root -p{s} shop' returned 2",
    v.plain_password,
    "returned 2",
    "exception",
)
_text(
    "FileNotFoundError: [Errno 2] No such file: 'https://a.test/?sig={s}'",
    lambda r: quote(base64_of(32)(r), safe=""),
    "Errno 2",
    "exception",
)
_text(
    '    session = boto3.Session(aws_secret_access_key="{s}")\nbotocore.exceptions.X',
    alnum(40),
    "boto3.Session(",
    "exception",
)
_text(
    "    jwt.decode(t, \"{s}\", algorithms=['HS256'])\njwt.InvalidSignatureError",
    strong,
    "HS256",
    "exception",
)
_text('    conn = connect(user, "{s}")\nE: x', strong, "conn = connect(", "exception")
_text("    hashlib.pbkdf2_hmac('sha256', b'{s}', salt, 1000)", strong, "'sha256'", "exception")
_text(
    "    Fernet(b'{s}')", lambda r: base64.urlsafe_b64encode(r.randbytes(32)).decode(), "Fernet(", "exception"
)
_text("    hmac.new(b'{s}', msg, 'sha256')", strong, "hmac.new(", "exception")
_text("    os.environ['TOKEN'] = '{s}'", alnum(32), "os.environ", "exception")
_text("    s.login('ann', '{s}')\nsmtplib.SMTPAuthenticationError: (535, b'x')", strong, "535", "exception")
_text("    requests.get(u, auth=('ann', '{s}'))", strong, "requests.get(", "exception")
_text("    paramiko.connect('h', username='a', password='{s}')", v.password, "username='a'", "exception")
_text('    password = "{s}"  # noqa: S105', v.password, "# noqa: S105", "exception")
_text('    assert login("ann", "{s}") is True', strong, "is True", "exception")
# SQL 2
_text("UPDATE u SET token = 'x' || '{s}' WHERE id = 1", alnum(40), "id = 1", "sql")
_text("SELECT * FROM u WHERE (email, password) = ('a', '{s}')", strong, "FROM u", "sql")
_text("SELECT * FROM u WHERE password LIKE '{s}%'", v.plain_password, "FROM u", "sql")
_text("EXEC sp_password NULL, '{s}', 'ann'", strong, "'ann'", "sql")
_text("SELECT pg_read_file('x'), set_config('app.secret', '{s}', false)", alnum(32), "pg_read_file", "sql")
_text("ALTER SYSTEM SET ssl_passphrase_command = 'echo {s}'", v.plain_password, "ALTER SYSTEM", "sql")
_text("SET app.api_key = '{s}'", alnum(32), "SET app.api_key", "sql")
_text(
    "INSERT INTO settings (name, value) VALUES ('smtp_password', '{s}')",
    v.plain_password,
    "smtp_password",
    "sql",
)
_text("INSERT INTO kv VALUES ('api_key', '{s}')", alnum(32), "api_key", "sql")
_text(
    "UPDATE settings SET value = '{s}' WHERE name = 'smtp_password'", v.plain_password, "smtp_password", "sql"
)
_text("INSERT INTO u SET name='a', password='{s}'", v.plain_password, "name='a'", "sql")
_text("INSERT INTO u (a, v.password) SELECT 'x', '{s}'", strong, "INSERT INTO u", "sql")
_text("REPLACE INTO sessions (sid, data) VALUES ('{s}', 'x')", alnum(32), "data", "sql")
_text("CALL create_user('ann', '{s}')", strong, "create_user", "sql")
_text("CREATE EXTERNAL DATA SOURCE x WITH (CREDENTIAL='{s}')", alnum(40), "EXTERNAL DATA SOURCE", "sql")
_text("BACKUP DATABASE d TO DISK='x' WITH PASSWORD='{s}'", v.plain_password, "TO DISK='x'", "sql")
_text("CREATE CERTIFICATE c ENCRYPTION BY PASSWORD='{s}'", v.plain_password, "CERTIFICATE c", "sql")
_text(
    "CREATE CONNECTION k TYPE KAFKA (SASL_PASSWORD '{s}', BROKER 'b')", v.plain_password, "BROKER 'b'", "sql"
)
_text("CREATE SECRET s (TYPE s3, KEY_ID 'k', SECRET '{s}', REGION 'eu')", alnum(40), "REGION 'eu'", "sql")
_text('GRANT ALL TO a IDENTIFIED BY "{s}"', v.plain_password, "GRANT ALL", "sql")
_text("DECLARE @pw nvarchar(50) = N'{s}'; EXEC x @pw", v.plain_password, "EXEC x", "sql")
_text("SELECT AES_DECRYPT(c, '{s}') FROM t", strong, "FROM t", "sql")
_text("/* token={s} */ SELECT 1", alnum(40), "SELECT 1", "sql")
_text("-- password: {s}\nSELECT 1", v.plain_password, "SELECT 1", "sql")
_text("db.auth('ann', '{s}')", strong, "db.auth(", "sql")
_text("AUTH {s}", strong, "AUTH", "sql")
_text("HSET user:1 name ann password {s}", strong, "name ann", "sql")
_text("SET session:{s} x EX 60", alnum(40), "EX 60", "sql")
_text('{ "find": "u", "filter": { "resetToken": "{s}" } }', alnum(40), '"find"', "sql")
_text("MATCH (u {apiKey: '{s}'}) RETURN u", alnum(32), "RETURN u", "sql")
# prose 2
_text("She told me her password ({s}) yesterday", strong, "yesterday")
_text("Please use '{s}' as the password", v.password, "Please use")
_text("Use {s} as your password", strong, "as your password")
_text("{s} is the root password", strong, "is the root password")
_text("login: ann pass: {s}", v.plain_password, "login: ann")
_text("user/pass: ann/{s}", strong, "user/pass")
_text("Credentials: ann:{s}", strong, "Credentials")
_text("Your one-time code: {s}. It expires soon", v.digits, "It expires soon")
_text("{s} is your login code for Acme", v.digits, "for Acme")
_text("Acme: {s} ist Ihr Sicherheitscode", v.digits, "Acme")
_text("<#> {s} is your Acme code AbC12", v.digits, "Acme")
_text("TAN: {s}", v.digits, "TAN")
_text("The door code is {s}", v.digits, "The door")
_text("Il tuo codice di verifica è {s}", v.digits, "Il tuo")
_text("Twój kod weryfikacyjny: {s}", v.digits, "kod")
_text("Ваш код подтверждения: {s}", v.digits, "Ваш код")
_text("验证码：{s}", v.digits, "验证码")
_text("認証コードは{s}です", v.digits, "です")
_text("인증번호 [{s}]를 입력", v.digits, "입력")
_text("API key for prod = {s}", alnum(32), "for prod")
_text("regenerated API key, new value {s}", alnum(40), "regenerated")
_text("access key id AK and secret {s}", alnum(40), "access key id AK")
_text("token from ann@x: {s}", alnum(40), "token from")
_text("oauth refresh failed with token '{s}'", alnum(60), "oauth refresh failed")
_text("Got JWT {s} from IdP", v.jwt, "from IdP", part=v.signature_of)
_text("decrypted secret value: {s}", v.password, "decrypted")
_text("master key material {s} loaded", hexes(64), "loaded")
_text("AES key (hex): {s}", hexes(64), "AES key")
_text("HMAC key = {s}", hexes(64), "HMAC")
_text("encryption key is {s}", hexes(64), "encryption")
_text(
    "mnemonic: {s}",
    lambda r: " ".join(
        r.choices(
            [
                "zebra",
                "yellow",
                "wrong",
                "wood",
                "winter",
                "window",
                "village",
                "virus",
                "venue",
                "vault",
                "vacant",
                "usual",
            ],
            k=12,
        )
    ),
    "mnemonic",
)
_text(
    "passphrase: {s}",
    lambda r: " ".join(
        r.choices(
            [
                "correct",
                "horse",
                "battery",
                "staple",
                "purple",
                "monkey",
                "dishwasher",
                "velvet",
                "anchor",
                "prism",
            ],
            k=4,
        )
    ),
    "passphrase",
)
_text(
    "password={s}\nuser=ann",
    lambda r: " ".join(
        r.choices(
            [
                "correct",
                "horse",
                "battery",
                "staple",
                "purple",
                "monkey",
                "dishwasher",
                "velvet",
                "anchor",
                "prism",
            ],
            k=4,
        )
    ),
    "user=ann",
)
_text("wallet private key 0x{s}", hexes(64), "wallet")
_text(
    "der {s} loaded",
    lambda r: base64.b64encode(
        bytes.fromhex("308204bd020100300d06092a864886f70d0101010500048204a7") + r.randbytes(400)
    ).decode(),
    "loaded",
)
_text(
    "ec key {s} ok",
    lambda r: base64.b64encode(
        bytes.fromhex("30770201010420")
        + r.randbytes(32)
        + bytes.fromhex("a00a06082a8648ce3d030107a144034200")
        + r.randbytes(65)
    ).decode(),
    "ok",
)
_text("WIF loaded, PIN tries 3, pin={s}", lambda r: v.digits(r, 4), "PIN tries 3")
_text("cvv={s} exp=12/28", lambda r: v.digits(r, 3), "exp=12/28")
_text("card 4111-xxxx, real number {s}", v.card, "real number")
_text("track2 ;{s}=2812101000000000?", v.card, None)
for k in [
    "db_passwd_rw",
    "PgPassword",
    "POSTGRES_PW",
    "oracle.pwd",
    "adminPasswort",
    "root_kennwort",
    "rdsMasterPw",
    "smtp-auth-pass",
    "proxyAuthPassword",
    "imapPass",
    "mqtt_pass",
    "broker.password",
    "sapPasswd",
    "tomcat_manager_pw",
    "jks_pass",
    "keystorePwd",
    "p12password",
    "pfxPass",
    "zipPassword",
    "pdfOwnerPassword",
    "vncpass",
    "samba_pw",
    "wlanSchluessel",
    "telnetPassword",
    "sudoPass",
    "becomePassword",
    "vaultPassphrase",
    "ansible_ssh_pass",
    "WINRM_PASS",
    "loginPassword2",
    "passwortWiederholung",
]:
    _key(k, v.password)
for k in [
    "GITHUB_PAT",
    "azure_devops_pat",
    "gitlabPersonalToken",
    "jiraApiToken",
    "confluence_token",
    "sentryAuthToken",
    "pagerduty_key",
    "opsgenieApiKey",
    "datadogAppKey",
    "DD_APPLICATION_KEY",
    "newRelicLicenseKey",
    "honeycombKey",
    "mixpanelSecret",
    "segment_write_key",
    "braze_api_key",
    "klaviyoPrivateKey",
    "twilioAuthToken",
    "mailjet_secret",
    "postmark_server_token",
    "sparkpostKey",
    "plaid_secret",
    "adyenApiKey",
    "braintree_private_key",
    "checkoutSecretKey",
    "mollieKey",
    "squareAccessToken",
    "coinbaseSecret",
    "binance_api_secret",
    "kraken_private",
    "openrouter_key",
    "mistralApiKey",
    "cohereToken",
    "huggingface_token",
    "replicateApiToken",
    "pineconeApiKey",
    "weaviate_key",
    "qdrantApiKey",
    "elevenlabsKey",
    "deepgram_api_key",
    "x-rapidapi-key",
    "x-goog-iam-authorization-token",
    "x-ms-authorization-auxiliary",
    "x-amz-security-token-2",
    "x-vault-wrap-token",
    "x-consul-token",
    "x-nomad-token",
    "x-kong-admin-token",
    "x-hub-signature-256",
]:
    _key(k, alnum(40))
for n, w, c, sec in [
    ("req", lambda s: {"headers": {"Authorization": ["Bearer " + s]}, "path": "/x"}, "/x", alnum(40)),
    ("req2", lambda s: {"rawHeaders": ["Host", "h", "X-Api-Key", s]}, "Host", alnum(40)),
    ("lambda", lambda s: {"multiValueHeaders": {"cookie": ["sid=" + s + "; a=b"]}}, "a=b", alnum(32)),
    ("sqs", lambda s: {"Records": [{"body": json.dumps({"user": {"password": s}})}]}, "Records", v.password),
    (
        "cfn",
        lambda s: {"Parameters": [{"ParameterKey": "DbPassword", "ParameterValue": s}]},
        "DbPassword",
        v.password,
    ),
    ("ecs", lambda s: {"environment": [{"name": "SECRET_KEY", "value": s}]}, "environment", alnum(40)),
    ("compose", lambda s: {"environment": ["PASS=" + s, "A=b"]}, "A=b", v.plain_password),
    ("gh", lambda s: {"inputs": {"github_token": s, "depth": 1}}, "depth", issued("github_classic")),
    (
        "stripe",
        lambda s: {"object": "payment_intent", "client_secret": s},
        "payment_intent",
        lambda r: "pi_" + v.text(r, v.ALNUM, 24) + "_secret_" + v.text(r, v.ALNUM, 25),
    ),
    ("oauth", lambda s: {"token": {"access": s, "type": "bearer"}}, "bearer", alnum(60)),
    ("firebase", lambda s: {"idToken": s, "localId": "u1"}, "u1", v.jwt),
    ("llm", lambda s: {"messages": [{"role": "user", "content": f"my password is {s} ok"}]}, "user", strong),
    (
        "llm2",
        lambda s: {"tool_calls": [{"function": {"arguments": json.dumps({"password": s})}}]},
        "arguments",
        v.password,
    ),
    ("dbrow", lambda s: {"columns": ["id", "password"], "row": [1, s]}, "columns", v.password),
    ("pandas", lambda s: {"columns": ["user", "api_key"], "data": [["ann", s]]}, "ann", alnum(32)),
    (
        "har",
        lambda s: {
            "request": {
                "queryString": [{"name": "token", "value": s}],
                "cookies": [{"name": "sid", "value": "x"}],
            }
        },
        "queryString",
        alnum(40),
    ),
    (
        "har2",
        lambda s: {"postData": {"params": [{"name": "passwd", "value": s}], "mimeType": "x"}},
        "mimeType",
        v.password,
    ),
    ("audit", lambda s: {"action": "update", "diff": {"api_key": ["old", s]}}, "update", alnum(32)),
    ("ini", lambda s: {"file": f"[db]\nuser=a\npass={s}\n"}, "user=a", v.plain_password),
    ("argv", lambda s: ["mysqldump", "-uroot", f"-p{s}", "shop"], "shop", v.plain_password),
    ("argv2", lambda s: ["ssh-keygen", "-N", s, "-f", "k"], "-f", v.plain_password),
    ("argv3", lambda s: ["aws", "configure", "set", "aws_secret_access_key", s], "configure", alnum(40)),
    ("argv4", lambda s: ["git", "clone", f"https://x:{s}@h/r"], "clone", v.plain_password),
    ("argv5", lambda s: ["docker", "run", "-e", f"API_TOKEN={s}", "img"], "img", alnum(32)),
    ("argv6", lambda s: ["zip", "-P", s, "a.zip"], "a.zip", v.plain_password),
    ("argv7", lambda s: ["snowsql", "-o", f"password={s}"], "snowsql", v.plain_password),
    ("argv8", lambda s: ["curl", "-u", f"ann:{s}", "https://h"], "https://h", v.plain_password),
    ("vault", lambda s: {"auth": {"client_token": s, "lease": 1}}, "lease", issued("vault")),
    (
        "vault2",
        lambda s: {"data": {"data": {"password": s}, "metadata": {"version": 1}}},
        "metadata",
        v.password,
    ),
    ("k8s", lambda s: {"apiVersion": "v1", "kind": "Secret", "stringData": {"x": s}}, "apiVersion", strong),
    ("tf", lambda s: {"outputs": {"x": {"sensitive": True, "value": s}}}, "outputs", strong),
    (
        "jwks",
        lambda s: {"keys": [{"kty": "OKP", "crv": "Ed25519", "d": s, "x": "11qY"}]},
        "Ed25519",
        prefixed("", v.URLSAFE, 43),
    ),
    (
        "sa",
        lambda s: {"type": "service_account", "private_key_id": "x", "private_key": s},
        "service_account",
        base64_of(200),
    ),
    ("twofa", lambda s: {"totp": {"secret": s, "digits": 6}}, "digits", base32(32)),
    (
        "twofa2",
        lambda s: {"recoveryCodes": [s, "x"]},
        None,
        lambda r: v.text(r, v.LOWER, 5) + "-" + v.text(r, v.LOWER, 5),
    ),
    ("wifi", lambda s: {"ssid": "h", "psk": s}, "ssid", v.password),
    ("smtp", lambda s: {"smtp": {"host": "h", "auth": ["ann", s]}}, "host", strong),
    ("urls", lambda s: {"endpoints": [f"https://a:{s}@h/"]}, "@h/", v.plain_password),
    (
        "b64",
        lambda s: {"payload": s},
        "payload",
        lambda r: base64.b64encode(json.dumps({"token": v.token(r, 32)}).encode()).decode(),
    ),
    ("set", lambda s: {"password": [s]}, None, v.password),
    ("tuplekey", lambda s: {"items": [("db", "password", s)]}, None, strong)
    if 0
    else ("tuplekey", lambda s: {"items": [["password", s]]}, "items", strong),
]:
    _key(n, sec, "nested", w, c)

for t, val in [
    ("pull {s}: layer already exists", hexes(12)),
    ("Digest: sha256:{s}", hexes(64)),
    ("helm chart app-{s}.tgz", version),
    ("GET /v2/app/manifests/sha256:{s}", hexes(64)),
    ("oci layer {s} 12 MB", hexes(64)),
    ("npm ERR! integrity sha512-{s}==", lambda r: v.text(r, v.BASE64, 86)),
    ('yarn.lock resolved "https://r.test/x/-/x-1.0.0.tgz#{s}"', revision),
    ("go.sum h1:{s}=", lambda r: v.text(r, v.BASE64, 43)),
    ('Cargo.lock checksum = "{s}"', hexes(64)),
    ("pip hash --hash=sha256:{s}", hexes(64)),
    ('poetry.lock {file = "x.whl", hash = "sha256:{s}"}', hexes(64)),
    ("merge commit {s} into main", revision),
    ("bisect good {s}", short_revision),
    ("cherry-picked from {s}", revision),
    ("tag v{s} points at abc1234", version),
    ("refs/pull/{s}/merge", digits(4)),
    ("git rev-parse -> {s}", revision),
    ("blame ^{s} (Ann 2026-01-01)", short_revision),
    ("tree {s}\nparent abc", revision),
    ("diff --git a/token.py b/token.py", None),
    ("span {s} ended", hexes(16)),
    ("b3: {s}-aabbccdd11223344-1", hexes(32)),
    ("X-Amzn-Trace-Id: Root=1-67891233-{s}", hexes(24)),
    ("uber-trace-id: {s}:1:0:1", hexes(16)),
    ("x-cloud-trace-context: {s}/1;o=1", hexes(32)),
    ("sentry-trace: {s}-b2c3-1", hexes(32)),
    ("tracestate: dd=s:2;o:rum", None),
    ("x-datadog-trace-id: {s}", digits(19)),
    ("cf-ray: {s}-FRA", hexes(16)),
    ("x-served-by: cache-fra-{s}", lower(10)),
    ("x-vercel-id: fra1::{s}-1795300000000-abcdef", lower(5)),
    ("x-github-request-id: {s}", lambda r: ":".join(v.hexadecimal(r, 4).upper() for _ in range(4))),
    ("x-amz-request-id: {s}", upper(16)),
    ("x-amz-id-2: {s}=", lambda r: v.text(r, v.BASE64, 75)),
    ("x-goog-hash: crc32c={s}==", lambda r: v.text(r, v.BASE64, 6)),
    ("x-ms-request-id: {s}", v.guid),
    ('Last-Modified etag "{s}"', lambda r: v.hexadecimal(r, 8) + "-" + v.hexadecimal(r, 4)),
    ('nel: {"report_to":"x","max_age":604800}', None),
    ("Strict-Transport-Security: max-age=31536000", None),
    ("Content-Security-Policy: script-src 'sha256-{s}='", lambda r: v.text(r, v.BASE64, 43)),
    ('Alt-Svc: h3=":443"; ma=86400', None),
    ('Sec-Ch-Ua: "Chromium";v="{s}"', digits(3)),
    ("Sec-WebSocket-Accept: {s}=", lambda r: v.text(r, v.BASE64, 27)),
    ("Sec-WebSocket-Key: {s}==", lambda r: v.text(r, v.BASE64, 22)),
    ("payment pi_{s} succeeded", alnum(24)),
    ("checkout session cs_test_{s}", alnum(20)),
    ("customer cus_{s} created", alnum(14)),
    ("subscription sub_{s}", alnum(24)),
    ("acct_{s}", alnum(16)),
    ("in_{s} finalized", alnum(24)),
    ("prod_{s}", alnum(14)),
    ("seti_{s} requires action", alnum(24)),
    ("whk event evt_{s}", alnum(24)),
    ("txn_{s}", alnum(24)),
    ("tok_visa used", None),
    ("src_{s} chargeable", alnum(24)),
    ("resp_{s} completed", hexes(48)),
    ("run_{s} queued", alnum(24)),
    ("asst_{s}", alnum(24)),
    ("vs_{s}", hexes(32)),
    ("file-{s} uploaded", alnum(22)),
    ("ftjob-{s}", alnum(24)),
    ("gen-1795300000-{s}", alnum(20)),
    ("message id msg_01{s}", alnum(22)),
    ("chatcmpl-{s} finished", alnum(29)),
    ("embd-{s}", hexes(32)),
    ("cmpl-{s}", alnum(29)),
    ("arn:aws:lambda:eu-west-1:123456789012:function:token-refresh:{s}", digits(2)),
    ("arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_{s}", alnum(9)),
    ("sg-{s} open", hexes(17)),
    ("eni-{s} attached", hexes(17)),
    ("lb net/x/{s}", hexes(16)),
    ("ecs task {s} stopped", hexes(32)),
    ("stack arn .../{s}", v.guid),
    ("cloudfront d{s}.cloudfront.net", lower(13)),
    ("rds cluster-{s}.eu-west-1.rds.amazonaws.com", lower(12)),
    ("es vpc-logs-{s}.eu-west-1.es.amazonaws.com", lower(26)),
    ("apigw {s}.execute-api.eu-west-1.amazonaws.com", lower(10)),
    ("k8s app-7d4b9c6f5d-{s} CrashLoopBackOff", lower(5)),
    ("node ip-10-0-1-{s}.ec2.internal", digits(2)),
    ("uid {s} deleted", v.guid),
    ('resourceVersion: "{s}"', digits(9)),
    ("gke-prod-pool-{s}-x2v9 ready", hexes(8)),
    ("container {s} exited 137", hexes(64)),
    ("docker ps {s} nginx", hexes(12)),
    ("cgroup /kubepods/besteffort/pod{s}", v.guid),
    ("serviceaccount default token mounted", None),
    ("kube secret default-token-{s} mounted", lower(5)),
    ("eth tx 0x{s} confirmed", hexes(64)),
    ("tron address T{s}", alnum(33)) if 0 else ("height {s}", digits(7)),
    ("xpub6{s}", lambda r: v.text(r, "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", 100))
    if 0
    else ("nft #{s}", digits(4)),
    ("ens ann.eth", None),
    ("gas {s} gwei", digits(3)),
    ("serial C02{s}", upper(9)),
    ("imei {s}", digits(15)) if 0 else ("mac vendor 00-1B-44", None),
    ("VIN check {s}", digits(5)),
    ("EAN {s}", digits(13)) if 0 else ("EAN ok", None),
    ("DHL 00340434{s}", digits(8)),
    ("flight LH{s} gate B{s}", digits(3)),
    ("seat 12A passenger Ann", None),
    ("PNR lookup ok", None),
    ("booking {s} confirmed", upper(6)),
    ("voucher SAVE{s}", digits(2)),
    ("coupon {s}", upper(8)),
    ("licence plate checked", None),
    ("temperature 21.5 humidity 40", None),
    ("lat=52.52 lon=13.405", None),
    ("2026-11-22T05:07:{s}Z", lambda r: f"{r.randrange(10, 60)}"),
    ("duration 00:01:{s}", lambda r: f"{r.randrange(10, 60)}"),
    ("pid {s} exited", digits(5)),
    ("port {s} in use", digits(5)),
    ("rss {s} kB", digits(6)),
    ("inode {s}", digits(8)),
    ("fd 12 -> socket:[{s}]", digits(6)),
    ("0x00007f{s} in main ()", hexes(10)),
    ("addr2line 0x{s}", hexes(16)),
    ("segfault at {s} ip 00007f", hexes(12)),
    ("core dumped", None),
    ("Python/3.12.{s} aiohttp/3.10.1", digits(1)),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/{s}.0.0.0", digits(3)),
    ("okhttp/4.12.0", None),
    ("curl/8.5.{s}", digits(1)),
    ("grpc-python/1.6{s}.0 grpc-c/44.0.0", digits(1)),
    ("Postgres 16.{s} on x86_64-pc-linux-gnu", digits(1)),
    ("glibc 2.3{s}", digits(1)),
    ("linux 6.8.0-{s}-generic", digits(2)),
    ("CUDA 12.4 driver 550.{s}", digits(2)),
    ("password field rendered", None),
    ("password reset requested by ann", None),
    ("password is required", None),
    ("password was changed by admin", None),
    ("the password is too short", None),
    ("the password you entered is incorrect", None),
    ("passwords do not match", None),
    ("your password has expired", None),
    ("password for user ann expired yesterday", None),
    ("password history: last 5", None),
    ("forgot password link clicked", None),
    ("changing password for ann.", None),
    ("no password given, using key", None),
    ("password prompt timed out after 30 s", None),
    ("password login disabled for root", None),
    ("Passwort wurde geändert", None),
    ("Das Passwort ist falsch", None),
    ("Das Passwort muss 12 Zeichen haben", None),
    ("Kennwort abgelaufen", None),
    ("mot de passe incorrect", None),
    ("le mot de passe est obligatoire", None),
    ("contraseña incorrecta", None),
    ("la contraseña ha expirado", None),
    ("wachtwoord vergeten?", None),
    ("hasło wygasło", None),
    ("пароль неверный", None),
    ("пароль изменён", None),
    ("密码错误", None),
    ("パスワードが違います", None),
    ("비밀번호 오류", None),
    ("token expired at 2026-11-22T05:00:00Z", None),
    ("token is invalid", None),
    ("token refresh took {s} ms", number),
    ("token for user ann revoked", None),
    ("token type: bearer", None),
    ("invalid token: signature mismatch", None),
    ("missing token in header", None),
    ("issued token for client web-{s}", digits(2)),
    ("token count is {s}", number),
    ("tokens left: {s}", number),
    ("tokens used 123 of 4096", None),
    ("token: <redacted>", None),
    ("token=null", None),
    ("token=undefined", None),
    ("token: None", None),
    ("token (jwt) accepted", None),
    ("next token: 'world' logprob=-0.3", None),
    ("token 'select' at line {s}", digits(2)),
    ("Unexpected token: punc (;)", None),
    ("stop token reached", None),
    ("bad token near EOF", None),
    ("token ring network", None),
    ("design tokens exported", None),
    ("tokenized card used", None),
    ("secret not found: prod/db", None),
    ("secret prod/db/password updated to version {s}", digits(2)),
    ("mounting secret volume db-creds", None),
    ("secret manager latency {s} ms", digits(3)),
    ("secret scanning enabled", None),
    ('created secret "tls-cert"', None),
    ("secret/db-credentials configured", None),
    ('Secret "x" is invalid: data: Too long', None),
    ("shared secret mismatch", None),
    ("client secret missing", None),
    ("secrets engine kv-v2 mounted at kv/", None),
    ("api key missing", None),
    ("API key not valid. Please pass a valid API key.", None),
    ("api key rotated by ann", None),
    ("api keys: 3 active", None),
    ("invalid api key provided: sk-****1234", None),
    ("x-api-key header required", None),
    ("apikey auth enabled", None),
    ("apiKey: process.env.API_KEY", None),
    ('api_key=os.getenv("API_KEY")', None),
    ("apiKey: string;", None),
    ("api_key: Optional[str] = None", None),
    ("api_key (str): the key of the API", None),
    ("key not found: user:{s}", number),
    ("key 'password' not in dict", None),
    ("key=value pairs expected", None),
    ("sort by key desc", None),
    ("keys: ['id', 'name']", None),
    ("key {s} expired, ttl 60", lambda r: "user:" + v.digits(r, 4)),
    ("key rotation done", None),
    ("keys rotated: 3", None),
    ("foreign key constraint fails", None),
    ("Duplicate entry 'ann' for key 'users.name'", None),
    ("key down: Enter", None),
    ("key: Ctrl+C", None),
    ("public key: ssh-ed25519", None),
    ("key usage: digitalSignature", None),
    ("key size 2048 bits", None),
    ("ssh key added for ann", None),
    ("encryption key rotated", None),
    ("gpg: key {s}: public key imported", lambda r: v.hexadecimal(r, 16).upper()),
    ("gpg: using RSA key {s}", lambda r: v.hexadecimal(r, 40).upper()),
    ("Primary key fingerprint: {s}", lambda r: " ".join(v.hexadecimal(r, 4).upper() for _ in range(10))),
    ("SHA256:{s} ann@h (ED25519)", lambda r: v.text(r, v.BASE64, 43)),
    ("known_hosts |1|{s}=|x= ssh-rsa", lambda r: v.text(r, v.BASE64, 27))
    if 0
    else ("known_hosts updated", None),
    ("auth: passed", None),
    ("auth server unreachable", None),
    ("auth=enabled", None),
    ("auth: true", None),
    ("authMethod=password", None),
    ("authentication failed: timeout", None),
    ("Authorization header missing", None),
    ("authorization: denied", None),
    ("authorized keys updated", None),
    ("authorizing request {s}", number),
    ("author: Ann <ann>", None),
    ("authors: Ann, Bob", None),
    ("authoritative answer", None),
    ("authenticity verified", None),
    ("session started", None),
    ("session {s} closed", number),
    ("session id missing", None),
    ("session: expired", None),
    ("SSL session reused", None),
    ("session pool size 5", None),
    ("session key negotiated", None),
    ("tmux session main", None),
    ("sessions: 12", None),
    ("db session opened in 3 ms", None),
    ("cookie: none", None),
    ("cookies disabled", None),
    ("cookie consent: accepted", None),
    ("cookie jar empty", None),
    ("SameSite cookie warning", None),
    ("Cookie: consent=1; tz=Europe%2FBerlin", None),
    ("Set-Cookie: lang=en-GB; Path=/; Secure", None),
    ("Set-Cookie: cart_count=3; Path=/", None),
    ("Cookie: ab_variant=blue; visits=12", None),
    ("signature valid", None),
    ("signature mismatch for request {s}", number),
    ("signed by Ann", None),
    ("code signature: adhoc", None),
    ("signature_version=v4", None),
    ("X-Amz-SignedHeaders=host;x-amz-date", None),
    ("method signature: (self, token: str)", None),
    ("otp sent to ann", None),
    ("otp expired", None),
    ("OTP length 6", None),
    ("verification code sent via sms", None),
    ("code: E{s}", digits(4)),
    ("error code: {s}", digits(4)),
    ("exit code: 137", None),
    ("status code {s}", digits(3)),
    ("http code 500", None),
    ("country code: DE", None),
    ("code review requested", None),
    ("code coverage 91%", None),
    ("your code compiles", None),
    ("zip code is {s}", digits(5)),
    ("code block 12", None),
    ("security code review passed", None),
    ("pin to version {s}", version),
    ("pin 12 configured", None),
    ("pin: 13", None) if 0 else ("pin board", None),
    ("pins 1-4 grounded", None),
    ("cvv check: pass", None),
    ("cvv required", None),
    ("card ending 4242", None),
    ("card type visa", None),
    ("card number invalid", None),
    ("card token created", None),
    ("card 3 of 5 played", None),
    ("loyalty card scanned", None),
    ("seed data loaded", None),
    ("seeds: 3", None),
    ("seed {s}", number),
    ("seed=0x{s}", hexes(8)),
    ("seed node 10.0.0.1:9042", None),
    ("seed phrase is never stored", None),
    ("mnemonic: use one", None) if 0 else ("assembler mnemonic mov", None),
    ("salt: 3 g", None),
    ("salted caramel", None),
    ("nonce too low", None),
    ("nonce: {s}", digits(3)),
    ("passphrase required", None),
    ("passphrase is empty", None),
    ("wrong passphrase", None),
    ("recovery complete", None),
    ("recovery codes regenerated", None),
    ("backup codes: 8 left", None),
    ("setup key bindings", None),
    ("hotkeys enabled", None),
    ("passing tests: {s}", number),
    ("password-protected pdf", None),
    ("passthrough mode", None),
    ("pass the salt", None),
    ("pass=12 fail=0", None),
    ("pass: true", None),
    ("pass: 12/12", None),
    ("PASS tests/test_auth.py", None),
    ("PASS src/login.test.ts (5.2 s)", None),
    ("--- PASS: TestToken (0.00s)", None),
    ("PASSED tests/x.py::test_password", None),
    ("bypass list: localhost", None),
    ("compassion", None),
    ("surpassed 100", None),
    ("LOGIN ok for ann", None),
    ("AUTH ok", None),
    ("login: 3 attempts", None),
    ("login from Berlin", None),
    ("login/logout events", None),
    ("ann logged in", None),
    ("USER ann LOGIN success", None),
    ("AUTH LOGIN supported", None),
    ("250-AUTH PLAIN LOGIN CRAM-MD5", None),
    ("* OK IMAP4rev1 LOGIN-REFERRALS", None),
    ("IDENTIFY failed", None),
    ("sql: select password from users where id=1", None),
    ("select token, expires from tokens where id = 7", None),
    ("update users set password_changed_at = now()", None),
    ("alter table users drop column password", None),
    ("where key = 'theme'", None),
    ("order by password_age", None),
    ("create index ix_token on sessions(token)", None),
    ("insert into roles values ('author', 'secretary')", None),
    ("call refresh_token_stats()", None),
    ("select 'password' as label", None),
    ("values ('2026-11-22', 'open', 12.5)", None),
    ("https://a.test/auth/callback?error=access_denied", None),
    ("https://a.test/?token_type=bearer&expires_in=3600", None),
    ("https://a.test/keys?limit=10", None),
    ("https://a.test/?auth=basic", None),
    ("https://a.test/?password=&user=ann", None),
    ("https://a.test/?signature=false", None),
    ("https://a.test/?code=404", None),
    ("https://a.test/?state=open&sort=asc", None),
    ("https://a.test/?hash=top", None),
    ("https://a.test/img/{s}.webp", hexes(32)),
    ("https://a.test/p/{s}-nice-shoes", digits(6)),
    ("https://a.test/orders/{s}", v.guid),
    ("https://a.test/blob/{s}/src/auth/token.py#L12", revision),
    ("https://a.test/commit/{s}", revision),
    ("https://a.test/compare/v1.0...v1.{s}", digits(1)),
    ("https://a.test/v2/users/me/sessions", None),
    ("https://a.test/wiki/Password", None),
    ("https://a.test/secret-santa", None),
    ("https://a.test/secretary/jobs", None),
    ("https://a.test/passenger/123", None),
    ("https://a.test/watch?v={s}", lambda r: v.text(r, v.URLSAFE, 11)),
    ("https://docs.test/d/{s}/edit", lambda r: v.text(r, v.URLSAFE, 44)),
    ("https://a.test/a?ids=1,2,3&fields=id,token_count", None),
    ("https://a.test/?gclid={s}", lambda r: v.text(r, v.URLSAFE, 60)),
    ("https://a.test/?fbclid={s}", lambda r: "IwAR" + v.text(r, v.URLSAFE, 50)),
    ("https://a.test/?_t={s}", digits(10)),
    ("https://a.test/?cb={s}", digits(8)),
    ("https://a.test/?etag={s}", hexes(32)),
    ("https://a.test/?uuid={s}", v.guid),
    ("https://a.test/assets/index-{s}.js", alnum(8)),
    ("  --api-key TEXT  API key to use  [env var: API_KEY]", None),
    ("  -t, --token string   authentication token", None),
    ("Usage: mysql [OPTIONS] [database] -p, --password[=name]", None),
    ("flag provided but not defined: -password", None),
    ('required flag(s) "token" not set', None),
    ("option --password-file is deprecated", None),
    ("--pass-through-args", None),
    ("--key-file=/etc/tls/k.pem --cert-file=/etc/tls/c.pem", None),
    ("--secret-name db-creds", None),
    ("--auth-type none", None),
    ("--session-timeout 30m", None),
    ("--seed 42 --epochs 3", None),
    ("-p 8080:80 -e TZ=UTC", None),
    ("-u 1000:1000", None),
    ("--user 1000", None),
]:
    _harmless(t, val)
for k, val in {
    "thread_id": "thread_abc",
    "gen_ai.response.id": "chatcmpl-" + "9Az" * 9,
    "gen_ai.request.max_tokens": 512,
    "gen_ai.request.seed": 7,
    "gen_ai.tool.call.id": "call_" + "Ab3" * 8,
    "messaging.message.id": "452a7c7c7c7048c2f887f61572b18fc2",
    "aws.s3.upload_id": "VXBsb2FkIElE",
    "db.query.parameter.0": "Bonn",
    "session.id": "s-77",
    "url.scheme": "https",
    "http.request.resend_count": 1,
    "net.sock.peer.addr": "10.0.0.7",
    "code.lineno": 12,
    "thread.name": "MainThread",
    "process.pid": 77,
    "host.id": "i-0abc",
    "cloud.account.id": "123456789012",
    "k8s.node.name": "ip-10-0-0-1",
    "telemetry.sdk.version": "1.38.0",
    "os.version": "6.8",
    "password_confirmation_required": True,
    "passwordless": "yes",
    "password_score": 4,
    "passwd_file": "/etc/passwd",
    "pass_percentage": 97,
    "token_id": "t-7",
    "token_name": "ci",
    "token_expires": "2026-12-01",
    "token_scopes": ["read"],
    "tokenizer": "bpe",
    "tokens.prompt": 99,
    "token_budget": 1000,
    "secretsmanager.region": "eu",
    "secret_id_ttl": "10m",
    "secret_arn": "arn:x",
    "secret_path": "kv/db",
    "is_secret": False,
    "key_id": "k-7",
    "key_alias": "alias/db",
    "keyring": "os",
    "keyword": "shoes",
    "keywords": ["a", "b"],
    "keyframe": 12,
    "turkey": "ist",
    "monkeys": 3,
    "donkey": "x",
    "whiskey": "y",
    "key_ttl": 60,
    "apikey_enabled": True,
    "api_key_last4": "1234",
    "api_key_id": "ak-7",
    "auth_time_ms": 3,
    "auth_method": "oidc",
    "author_id": 7,
    "authority_key_id": "AB:CD",
    "oauth_provider": "github",
    "session_length": 12,
    "session_region": "eu",
    "cookie_domain": ".a.test",
    "cookie_consent": "all",
    "cookie_count": 3,
    "signature_valid": True,
    "signature_type": "rsa",
    "signed_url_expiry": 60,
    "pin_layout": "dip8",
    "pinterest": "x",
    "spinner": "dots",
    "otp_sent": True,
    "otp_channel": "sms",
    "card_count": 2,
    "card_color": "red",
    "cardio": "yes",
    "cvv_present": True,
    "pan_gesture": "left",
    "panel": "right",
    "sid_count": 3,
    "sas_version": "9.4",
    "salt_level": "low",
    "pepper_count": 2,
    "seed_count": 3,
    "nonce_count": 1,
    "hash_rate": 3.5,
    "hash_algorithm": "sha256",
    "file_hash": "d41d8cd98f00b204e9800998ecf8427e",
    "commit_hash": "9d59409",
    "hashtags": ["a"],
    "license_type": "MIT",
    "license_count": 3,
    "serial_baud": 9600,
    "ticket_count": 3,
    "ticket_price": 12.5,
    "magic_number": 42,
    "recovery_mode": "full",
    "webhook_status": 200,
    "webhook_count": 3,
    "webhook_id": "wh-7",
    "hook_name": "pre-commit",
    "codec": "h264",
    "code": "E404",
    "code_name": "noble",
    "codes": [1, 2],
    "barcode_type": "ean13",
    "postal_code": "53111",
    "promo_code": "SAVE10",
    "verification_status": "done",
    "credential_count": 2,
    "credentials_expired": False,
    "access_level": "admin",
    "access_count": 3,
    "access_log": "/var/log/a",
    "private": True,
    "private_ip": "10.0.0.1",
    "privacy": "on",
    "public_key": "ssh-ed25519 AAAAC3Nz ann",
    "community": "de",
    "identity": "ann",
    "answer_count": 3,
    "answer": "yes",
    "phrase": "hello world",
    "phrase_count": 3,
    "phase": "init",
    "bearer_type": "lte",
    "bind_address": "0.0.0.0",
    "conn_id": "c-7",
    "dsn_name": "main",
    "jwt_issuer": "https://a.test",
    "jwks_uri": "https://a.test/jwks",
    "kid": "k1",
    "csrf_enabled": True,
    "xsrf_cookie_name": "XSRF-TOKEN",
    "n1": {"type": "string", "format": "password", "title": "Password"},
    "n2": {"id": "password", "type": "textbox", "visible": True},
    "n3": [{"name": "token_count", "value": 12}],
    "n4": {"path": "/auth/token", "method": "POST", "status": 200},
    "n5": {"field": "password", "message": "is required"},
    "n6": {"errors": {"password": ["can't be blank"]}}
    if 0
    else {"errors": [{"loc": ["body", "password"], "msg": "field required", "type": "missing"}]},
    "n7": {"secret": {"name": "db", "version": 3}},
    "n8": {"key": "theme", "value": "dark"},
    "n9": [{"key": "lang", "value": "de"}],
    "n10": {"tokens": [{"text": "the", "id": 3}]},
    "n11": {"auth": {"method": "none"}},
    "n12": {"cookies": {"theme": "dark"}},
    "n13": {"headers": {"Accept": "*/*", "X-Request-Id": "8a1c"}},
    "n14": {"usage": {"prompt_tokens": 3, "total_tokens": 9}},
    "n15": {"password": {"changed": True, "at": "2026-11-22"}},
    "n16": {"credential": {"type": "publickey", "transports": ["usb"]}},
    "n17": {"label": "Token count", "value": 99},
    "n18": {"id": "key", "value": "name"},
    "n19": {
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    },
    "n20": {"old": "a", "new": "b", "field": "status"},
}.items():
    _harmless_key(k, val)
