"""The words of keys: what they name, and what takes the sting out of them.

Words, not keys: ``keys.py`` splits a key into words and looks at the last one that says something, as a reader would.
"""

# ruff: noqa: E501  (a row of a table, or a branch of an expression, is a line)

from __future__ import annotations

from otel_kit.pipeline.redact.expression import word_set

# Secret wherever they stand in a key: dbPassword, password_for_db, PASSWORD_2.
PASSWORDS = word_set(
    """
    password passwords passwd passwds passw passwrd paswd psswd pwd pwds pw psw pswd pass passphrase passphrases
    passcode pword userpass passwort passworter passwoerter kennwort kennworter kennwoerter zugangscode losungswort
    motdepasse mdp contrasena contrasenya contrasinal clave senha wachtwoord toegangscode losenord adgangskode
    kodeord passord salasana contrasenia haslo heslo parola palavrapasse jelszo sifre sifresi parool geslo lozinka slaptazodis
    parole пароль паролі пароля лозинка сифра 密码 密碼 口令 パスワード 暗証番号 비밀번호 암호 κωδικος סיסמה
    """
)
SECRETS = word_set(
    """
    secret secrets credential credentials cred creds apikey apikeys privatekey secretkey accesskey authkey geheimnis
    geheim geheimschlussel zugangsdaten jeton secreto secretos segreto segreti segredo sekret hemlighet hemmelighed
    salaisuus tajemstvi секрет 秘密 シークレット 비밀 geheimwort authorization proxyauthorization mnemonic psk totp otp hotp
    jwt sastoken bearer csrf xsrf csrftoken xsrftoken csrfmiddlewaretoken authenticitytoken requestverificationtoken
    """
)
RULE_OF_WORD = {
    **dict.fromkeys(("authorization", "proxyauthorization", "bearer"), "authorization"),
    **dict.fromkeys(("apikey", "apikeys", "accesskey", "authkey", "secretkey"), "api_key"),
    **dict.fromkeys(("otp", "totp", "hotp"), "otp"),
    **dict.fromkeys(
        ("csrf", "xsrf", "csrftoken", "xsrftoken", "csrfmiddlewaretoken", "authenticitytoken", "requestverificationtoken"),
        "csrf",
    ),
    **dict.fromkeys(("credential", "credentials", "cred", "creds", "zugangsdaten"), "credential"),
    "privatekey": "private_key",
    "jwt": "jwt",
}  # fmt: skip

# A long stem that makes a glued word secret at either end: dbpassword, passwordconfirm, contraseñausuario.
STEMS = (
    "password", "passwd", "passwort", "passphrase", "passcode", "kennwort", "contrasena", "motdepasse", "wachtwoord",
    "losenord", "apikey", "secretkey", "clientsecret", "appsecret", "accesskey", "privatekey", "accesstoken", "authtoken",
    "refreshtoken", "sessiontoken", "csrftoken", "bearertoken", "signingkey", "encryptionkey", "authkey", "masterkey",
    "credentials", "пароль",
)  # fmt: skip

# What glued lower-case keys are made of, beside the words above: "authtoken", "dbpass", "usersessionid".
GLUE = word_set(
    """
    access account admin anti api app application auth authentication authenticity aws azure backup bearer bind bot
    card client code config confirm consumer conn connection cookie credit csrf current customer cvc cvv data
    database db device docker email encryption forgery ftp git github gitlab google hash header hidden hmac host
    http id imap internal json jwt key keystore ldap license local login mail main master member merchant middleware
    mongo my mysql new number oauth old oracle otp pass passwd password path pg php pin postgres prod private proxy
    pwd query redis refresh registry remote repo request reset root s3 sas secret secure security server service
    session sess shared signature signing slack smtp sms social sql ssh ssl sso store string stripe system telegram
    test tls token truststore twilio two url user username vault verification verify vpn web webhook wifi x xsrf csr
    """
)

# The last word of a key that speaks *about* a secret: password_policy, token_count, secretName, api_key_created_at.
METADATA = word_set(
    """
    type types kind class policy policies name names label labels title description desc comment note reason message
    enabled disabled required optional valid invalid validity validated verified expired expires expire expiry
    expiration lifetime ttl age version revision status state states strength score complexity rule rules url uri
    urls uris endpoint endpoints link host hostname port domain file filename path paths dir directory folder
    provider providers method methods mode source sources origin format formats algorithm algo alg cipher encoding
    charset present exists exist found missing change changes in configured provisioned supported allowed rotated
    rotation index idx position offset start end begin error errors failure failures failed fail attempts attempt
    retries retry success successes latency duration elapsed time times timestamp date created updated modified
    changed issued seen used last first manager service server store storage backend vault env variable var
    variables ref reference references arn scope scopes role roles group groups header headers param params
    parameter parameters column columns table tables field fields prefix suffix last4 fingerprint thumbprint masked
    hint hints owner author user username users login usage limit limits quota rate ratio cost price budget events
    event reset resets request requests required response page pages form forms screen view dialog button icon input
    inputs template email emails notification strategy strategies handler factory generator validator validation
    verifier provider middleware plugin module cache bucket buckets stream stats statistics metric metrics summary
    report test tests check checks checker flow grant grants level levels category categories region zone locale
    language lang audience issuer subject kid owner ownership permissions permission enforcement history audit log
    logs logging feature features flag flags support option options settings setting config configuration manager
    length len size minlength maxlength distribution embedding embeddings budget window vocab vocabulary ids id uuid
    guid count counts total totals num number sum avg average mean min max minimum maximum median ms ns us seconds
    second secs sec minutes minute hours hour days day weeks months years at on by per bytes bits kb mb gb kib mib
    percent pct set cardinality entropy tokenizer ized less manager reader writer parser lexer consumed remaining left
    processed generated sent received visible visibility focus focused color font style placeholder toggle
    autocomplete minage maxage schedule interval
    """
)
# "secret_id" and "session_id" end like metadata and are not; see PHRASES.
QUANTITIES = word_set(
    """
    count counts total totals num sum avg average mean min max minimum maximum median ms ns us seconds second secs
    sec minutes minute hours hour days day weeks months years at bytes bits kb mb gb kib mib percent pct ratio rate
    time timestamp ts date duration elapsed latency size length len offset position index idx port pid tid line
    lineno version nanos millis micros epoch utime created updated modified expires seq sequence lsn
    """
)
# A first word that makes the whole key a question or a quantity: is_password_set, has_secret, max_tokens.
QUESTIONS = word_set(
    """
    is has have had was were are can could should must may will would needs need requires require required num max
    min total avg mean sum count allow allows allowed enable enabled enables disable disabled use uses used show
    hide force skip ignore forgot forgotten lost missing invalid wrong bad incorrect expired supports support no not
    if
    """
)
# Words at the end that change nothing: password_confirmation, api_key_prod, TOKEN_2, secretValue.
NEUTRAL = word_set(
    """
    value val values text txt string str plain plaintext clear cleartext raw confirmation confirm confirmed again
    repeat repeated retype base64 b64 hex enc encrypted encoded decrypted decoded v new old current previous prev
    next prod production staging stage dev development live sandbox primary secondary default backup main global
    local base content data contents body item entry
    """
)

# The end of a key, as words, and what it is. Longest first.
_ALWAYS = {
    "api_key": """
        api key; access key; auth key; app key; application key; subscription key; account key; shared access key;
        shared key; secret access key; master key; service key; admin key; server key; functions key; function key;
        host key; storage key; license key; licence key; activation key; product key; ingest key; ingestion key;
        integration key; write key; deploy key; deployment key; consumer key; developer key; client key; webhook key;
        instrumentation key; account access key; user key; merchant key; write api key; root key; provisioning key;
        serial key; tacacs key; radius key; api schluessel; api schlussel; cle api; clave api; cle d api; llave api; chave api; chiave api;
        auth api key; zugriffsschlussel; cle d acces; clave de acceso; wifi key; wpa key; network key
        """,
    "private_key": """
        private key; priv key; secret key; signing key; signature key; encryption key; decryption key; crypto key;
        cipher key; aes key; rsa key; hmac key; ssh key; session key; pem key; tls key; ssl key; wrapping key; seed key;
        preshared key; pre shared key; master secret; signing secret; private pem; private keys; secret keys;
        privater schlussel; geheimer schlussel; cle privee; cle secrete; clave privada; chiave privata; chave privada;
        seed phrase; recovery phrase; mnemonic phrase; wallet seed; key material; shared secret; data key; fernet key;
        age key; jwk d; xprv; xpriv; zprv; yprv; wif; seed words; mnemonic words; wlan schluessel; wlan schlussel; wifi schlussel; totp seed; otp seed; mfa seed; recovery key; setup key; stream key; machine key; validation key; kek; dek
        """,
    "token": """
        access token; refresh token; refresh tok; access tok; auth tok; honeycomb team; auth token; oauth token; id token; api token; bearer token; session token;
        bot token; session token id; user token; client token; personal access token; security token; csrf token; device token;
        push token; registration token; verification token; reset token; login token; service token; deploy token;
        job token; runner token; web token; secret token; private token; upload token; download token; invite token;
        activation token; confirmation token; magic token; sso token; mfa token; registry token; npm token; gh token;
        github token; gitlab token; slack token; pat; pats; sas token; sas; saml response; saml assertion; assertion;
        client assertion; code verifier; oauth verifier; request token; remember token; registry auth; auth header;
        identity token; impersonation token; delegation token; vault token; unsubscribe token; card token; hub token;
        authorisation; authentification; zugangstoken; jeton d acces; token de acceso; token d acces; id token hint;
        webhook secret; x auth; logout token; share token; api auth; http auth; proxy auth; basic auth; auth basic;
        auth string; auth value; auth data; auth payload; kerberos ticket; tgt; service ticket; x amz security
        """,
    "otp": """
        otp code; mfa code; 2 fa code; fa code; factor code; totp code; verification code; security code; auth code; login code;
        sms code; one time code; one time password; one time passcode; authentication code; authorization code;
        access code; recovery code; recovery codes; backup code; backup codes; confirmation code; activation code; reset code;
        device code; pairing code; code verification; code de verification; code de securite;
        codigo de verificacion; codigo de seguridad; bestatigungscode; sicherheitscode; verifizierungscode; tan;
        scratch codes; scratch code; unlock code; door code; puk; puk code; codigo verificacion; mobile tan
        """,
    "cvv": "cvv; cvc; cvv2; cvc2; csc; cvn; card code; card verification; card security; verification value",
    "pin": "pin; pin code; pincode; pin number; user pin; card pin; atm pin; pins; code pin",
    "password": """
        mot de passe; mots de passe; secure string; recovery password; pass word; pass phrase; palabra clave; parola chiave; palavra passe; parola d ordine;
        kata sandi; mat khau; pass code; user pass; db pass; root pw; security answer; secret answer; security answers;
        community string; snmp community; bind credentials; geheime antwort; password answer; frase de contrasena
        """,
    "signature": """
        signature; x amz signature; x goog signature; hub signature; signature 256; sig; hmac; hmac sha 256; hmac sha 1;
        oauth signature; webhook signature; stripe signature; slack signature; request signature; twilio signature;
        x signature; signatur; firma digital
        """,
    "session": """
        session cookie; auth cookie; login cookie; session secret; asp net session id; aspsessionid; phpsessid; jsessionid;
        connect sid; laravel session; session ticket; cfid; cftoken; asp xauth; auth session; remember me; aspxauth
        """,
    "credential": "auth config; docker config json; dockerconfigjson; dockercfg; service account json; kubeconfig",
}  # fmt: skip
_RANDOM = {
    "session": "session id; sessionid; session; sess id; sess; sid; session hash; sitzung; sitzungs id; sesion",
    "seed": "seed",
    "token": "tok; tkn; token; tokens; auth; authentication; ticket; nonce; login ticket; macaroon; verifier; oauth; st; sso; magic link; refresh; access; oauth refresh",
    "hash": """
        password hash; passwd hash; pass hash; pwd hash; password digest; token hash; secret hash; hashed password;
        salt; pepper; password salt; key hash; user hash; passworthash; hash passwd; secret digest; ntlm hash; nt hash; lm hash; ntlm;
        shadow hash; crypt hash; login hash; credential hash; pin hash; otp hash
        """,
    "key": "keytab; keytab data; keystore; pkcs 12; pfx; p 12; jks; key; keys; schlussel; schluessel; cle; chiave; llave; chave; sleutel; ключ; nyckel; avain",
    "secret_id": "secret id; role secret",
    "backup_code": "invite code; invitation code; magic code; secret code; code challenge",
    "webhook": "webhook; webhook url; hook url; callback secret; incoming webhook; slack webhook url; slack url",
    "private": "private",
    "license": "license; licence; activation",
    "userinfo": "userinfo",
}
_CARD = {
    "card": """
        card number; card num; card no; cc number; cc num; cc no; ccnum; credit card; creditcard; cardnumber; pan; debit card;
        card pan; primary account number; card; kreditkarte; kartennummer; kreditkartennummer; carte bancaire;
        numero de carte; numero de tarjeta; tarjeta; tarjeta credito; cc; payment card; numero carte; cardno
        """
}
# Keys that hold a random value which opens nothing: pagination, caches, databases, protocols.
_PLAIN = """
    public key; gpg key; gpg keys; public keys; pubkey; pub key; primary key; foreign key; sort key; partition key; range key; cache key;
    routing key; row key; object key; s 3 key; idempotency key; dedup key; deduplication key; group key; surrogate key;
    shard key; hash key; composite key; natural key; unique key; index key; map key; dict key; message key; sec web socket key;
    websocket key; translation key; i 18 n key; lookup key; join key; flag key; feature flag key; config key; setting key;
    storage path key; registry key; hot key; hotkey; project key; issue key; document key; doc key; state key; query key;
    answer key; piano key; metric key; attribute key; label key; tag key; field key; event key; kafka key; redis key;
    record key; entity key; resource key; partition keys; sort keys; primary keys; foreign keys; cache keys; lock key;
    dedupe key; rate limit key; throttle key; bucket key; trace key; correlation key; order key; cluster key; key pair;
    blob key; file key; image key; asset key; locale key; message keys; job key; task key; queue key; topic key; error key;
    publishable key; verify key; verification key; host public key; site key; json key; yaml key; header key; cookie key name;
    page token; next page token; prev page token; continuation token; cursor token; sync token; next token; pagination token;
    resume token; unexpected token; current token; special token; stop token; eos token; bos token; pad token; unk token;
    mask token; start token; end token; first token; last token; first tokens; input tokens; output tokens; prompt tokens;
    completion tokens; total tokens; max tokens; cached tokens; reasoning tokens; stop tokens; csp nonce; script nonce;
    account number; phone number; order number; serial number; tracking number; invoice number; status code; error code;
    country code; zip code; postal code; exit code; return code; currency code; promo code; language code; product code; auth method;
    random seed; rng seed; numpy seed; torch seed; world seed; map seed; test pass; first pass; second pass; ski pass; boarding pass; render pass; shader pass; bypass; gate pass; season pass; pass type;
    business card; gift card; sim card; graphics card; id card; score card; report card; client id; key id; token id; card id; card type;
    card brand; network card; video card; sound card; memory card; wild card; wildcard
    """
# Shapes of keys that are only secret in the query of a URL, in a form or a cookie.
QUERY_NAMES = {
    "code": "oauth_code", "state": "state", "key": "key", "sig": "signature", "s": "signature", "h": "signature",
    "hash": "signature", "t": "token", "k": "key", "auth": "token", "ticket": "token", "st": "token", "hmac": "signature",
    "samlresponse": "saml", "samlrequest": "saml", "relaystate": "state", "sso": "token", "u": "token", "invite": "token",
    "access": "token", "oobcode": "otp", "apn": "token", "l": "token", "sv_sig": "signature", "policy": "signature",
    "c": "token", "appid": "key", "id_token_hint": "jwt", "login_hint_token": "token", "confirm": "token", "verify": "token", "reset": "token",
    "sid": "session", "session": "session", "unsubscribe": "token", "magic": "token", "x": "token", "p": "token",
}  # fmt: skip


def _phrases(table: dict[str, str]) -> dict[str, str]:
    return {" ".join(phrase.split()): rule for rule, text in table.items() for phrase in text.split(";")}


ALWAYS_PHRASES = _phrases(_ALWAYS)
RANDOM_PHRASES = _phrases(_RANDOM)
CARD_PHRASES = _phrases(_CARD)
PLAIN_PHRASES = frozenset(" ".join(phrase.split()) for phrase in _PLAIN.split(";"))

# Personal data, as last words.
PERSONAL_PHRASES = _phrases(
    {
        "email": "email; e mail; mail; email address; mail address; courriel; correo; e mail adresse; recipient email",
        "phone": """
            phone; phone number; telephone; tel; mobile; mobile number; cell; cellphone; fax; telefon; telefonnummer;
            handynummer; handy; telefono; phonenumber; msisdn; numero de telephone; portable; whatsapp
            """,
        "birth": """
            date of birth; dob; birth date; birthdate; birthday; birth day; geburtsdatum; geburtstag; date de naissance;
            fecha de nacimiento; fecha nacimiento; data di nascita; date naissance; year of birth; place of birth; birthplace
            """,
        "national_id": """
            ssn; social security number; social security; tax id; tin; tax number; national id; nin; national insurance number;
            steuer id; steuernummer; steuerid; sozialversicherungsnummer; dni; nie; nif; nir; cpf; cnpj; pesel; bsn; aadhaar; sin;
            codice fiscale; numero de securite sociale; personnummer; passport; passport number; passport no; reisepassnummer;
            ausweisnummer; driver license; drivers license; driving licence; driver licence; license number; drivers license number;
            fuhrerschein; rrn; curp; tckn; passportnumber; id card number; identity number; personal number; medicare number; nhs number
            """,
        "iban": "iban; bank account; bank account number; account iban; bic; swift; kontonummer; sort code; routing number",
        "name": """
            first name; firstname; last name; lastname; surname; full name; fullname; given name; family name; maiden name;
            middle name; vorname; nachname; familienname; nom de famille; prenom; apellido; apellidos; nombre completo;
            mothers maiden name; mother maiden name; display name; real name; legal name; cardholder; cardholder name; card holder; patient name
            """,
        "address": """
            street; street address; home address; postal address; address line; address line 1; address line 2; mailing address;
            shipping address; billing address; strasse; adresse; anschrift; direccion
            """,
        "ip": "client address; remote addr; remote address; client ip; ip address; x forwarded for; x real ip; remote ip; user ip; forwarded for; peer ip; cf connecting ip; true client ip",
        "health": "diagnosis; blood type; medical record number; mrn; health insurance number; ethnicity; religion; gender; sex; race; nationality",
        "location": "latitude; longitude; geo location; gps; lat; lng; lon; gps coordinates; coordinates",
    }
)  # fmt: skip
