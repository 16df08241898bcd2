"""Credentials that tell their issuer: a prefix, an alphabet and a length, as the providers document them.

A row is not an example of a key: it is ``rule prefix alphabet shortest-rest``. What follows a prefix must look made up,
so that ``sk-your-key-here`` in a document stays.
"""

# ruff: noqa: E501  (a row of a table, or a branch of an expression, is a line)

from __future__ import annotations

import re

from otel_kit.pipeline.redact import looks
from otel_kit.pipeline.redact.expression import expression, word_set
from otel_kit.pipeline.redact.finding import Finding, Findings

_ALPHABETS = {
    "A": "[A-Za-z0-9]",
    "U": r"[A-Za-z0-9_\-]",
    "D": r"[A-Za-z0-9_\-.]",
    "B": r"[A-Za-z0-9+/=_\-]",
    "H": "[0-9a-fA-F]",
    "L": "[a-z0-9]",
    "C": "[A-Z0-9]",
    "S": "[A-Z2-7]",
    "P": r"[A-Za-z0-9_\-.%+/=~:$]",
}
_TABLE = r"""
github ghp_ A 20; github gho_ A 20; github ghu_ A 20; github ghs_ D 20; github ghr_ A 20
github github_pat_ U 22; gitlab glpat- D 16; gitlab gldt- D 16; gitlab glrt- D 16; gitlab glrtr- D 16
gitlab glcbt- D 16; gitlab glptt- D 16; gitlab glft- D 16; gitlab glimt- D 16; gitlab glagent- D 16
gitlab gloas- D 16; gitlab glsoat- D 16; gitlab glffct- D 16; gitlab GR1348941 U 18; bitbucket ATBB A 24
bitbucket ATCTT3 B 40; atlassian ATATT3 B 40; atlassian ATSTT B 40; aws AKIA C 16; aws ASIA C 16; aws ABIA C 16
aws ACCA C 16; aws ABSK B 60; aws bedrock-api-key- B 20; aws IQoJb3JpZ2lu B 60; google AIza U 30
google GOCSPX- U 20; google ya29. D 20; google 1//0 U 20; google AQ.Ab8 U 20; google 4/0A U 20; azure AzFu B 20
azure JQQJ99 A 40; azure AZDO B 20; openai sk-proj- U 20; openai sk-svcacct- U 20; openai sk-admin- U 20
openai sk-None- U 20; openai sk- U 20; anthropic sk-ant- U 20; openrouter sk-or- U 20; langfuse sk-lf- U 20
groq gsk_ A 24; xai xai- A 24; perplexity pplx- A 24; huggingface hf_ A 24; replicate r8_ A 24
nvidia nvapi- U 24; fireworks fw_ A 16; fireworks fpk_ A 16; langsmith lsv2_ U 24; pinecone pcsk_ U 24
together tgp_v1_ U 24; cerebras csk- A 24; elevenlabs sk_ A 32; tavily tvly- U 20; jina jina_ U 24
e2b e2b_ A 24; letta at-let- A 24; weights wandb_v1_ U 20; stripe sk_live_ A 10; stripe sk_test_ A 10
stripe rk_live_ A 10; stripe rk_test_ A 10; stripe whsec_ B 16; stripe sk_org_ A 10; stripe ek_live_ B 16
stripe ek_test_ B 16; paypal access_token$production$ P 20; paypal access_token$sandbox$ P 20
square sq0atp- U 20; square sq0csp- U 20; square sandbox-sq0 U 20; plaid access-sandbox- U 30
plaid access-production- U 30; plaid access-development- U 30; razorpay rzp_live_ A 10; razorpay rzp_test_ A 10
paddle pdl_ U 24; polar polar_oat_ A 20; flutterwave FLWSECK U 20; shopify shpat_ A 24; shopify shpca_ A 24
shopify shppa_ A 24; shopify shpss_ A 24; shopify shptka_ A 24; shopify shpua_ A 24; slack xoxb- U 16
slack xoxp- U 16; slack xoxa- U 16; slack xoxr- U 16; slack xoxs- U 16; slack xoxo- U 16; slack xoxc- U 16
slack xoxd- P 16; slack xoxe. D 16; slack xoxe- D 16; slack xapp- U 16; slack xwfp- U 16; sendgrid SG. D 30
sendinblue xkeysib- U 24; sendinblue xsmtpsib- U 24; mailgun key- H 30; mailersend mlsn. A 24; resend re_ U 20
twilio SK H 32; intercom dG9rOg B 40; hubspot pat-na1- U 30; hubspot pat-na2- U 30; hubspot pat-eu1- U 30
typeform tfp_ U 24; notion ntn_ A 24; notion secret_ A 32; figma figd_ U 24; airtable pat A 14
linear lin_api_ A 20; linear lin_oauth_ A 20; postman PMAK- U 24; npm npm_ A 24; npm npm_s U 24
pypi pypi-AgE U 40; pypi pypi- U 60; rubygems rubygems_ H 30; cargo cio A 32; nuget oy2 L 40
clojars CLOJARS_ A 30; docker dckr_pat_ U 20; docker dckr_oat_ U 20; docker dckr_ U 24; jfrog cmVmdGtuOj A 40
jfrog AKCp A 50; deno ddp_ A 30; deno ddo_ A 30; hashicorp hvs. D 18; hashicorp hvb. D 18; hashicorp hvr. D 18
pulumi pul- H 30; doppler dp.pt. A 30; doppler dp.st. D 30; doppler dp.ct. A 30; doppler dp.sa. A 30
doppler dp.scim. A 30; doppler dp.audit. A 30; onepassword ops_ U 40; onepassword A3- C 20
age AGE-SECRET-KEY-1 C 40; tailscale tskey- U 20; cloudflare v1.0- U 40; cloudflare cfut_ U 20
cloudflare cfat_ U 20; cloudflare ORIGIN-CA-KEY- U 20; digitalocean dop_v1_ H 40; digitalocean doo_v1_ H 40
digitalocean dor_v1_ H 40; fly fo1_ U 30; fly fm1 B 40; fly fm2_ B 40; fly FlyV1 P 40; vercel vcp_ A 20
vercel vck_ A 20; vercel vca_ A 20; vercel vercel_blob_rw_ U 20; netlify nfp_ A 20; netlify nfu A 30
render rnd_ A 20; heroku HRKU- U 30; scaleway SCW C 17; supabase sbp_ A 24; supabase sb_secret_ U 16
planetscale pscale_tkn_ D 20; planetscale pscale_pw_ D 20; planetscale pscale_oauth_ D 20; neon napi_ A 24
neon npg_ A 12; fauna fnA U 30; databricks dapi H 30; databricks dose H 30; databricks dkea H 30
elastic essu_ B 20; dynatrace dt0 D 30; newrelic NRAK- A 20; newrelic NRII- U 20; newrelic NRRA- A 20
newrelic NRIQ- A 20; grafana glc_ B 24; grafana eyJrIjoi B 40; grafana glsa_ U 24; sentry sntrys_ P 30; sentry sntryu_ H 30
sentry sntryi_ A 30; honeycomb hcaik_ A 24; honeycomb hcbik_ A 24; honeycomb hcalk_ A 24; honeycomb hcamk_ A 24
axiom xaat- U 24; axiom xapt- U 24; posthog phx_ A 24; posthog phs_ A 24; logfire pylf_ U 24
sourcegraph sgp_ U 24; sourcegraph sgd_ A 30; snyk snyk_ D 24; sonar sqp_ A 24; sonar squ_ A 24; sonar sqa_ A 24
circleci CCIPAT_ U 20; circleci CCIPRJ_ U 20; buildkite bkua_ A 24; buildkite bkaj_ A 24; buildkite bkat_ A 24
prefect pnu_ A 24; prefect pnb_ A 24; dbt dbtc_ U 20; dbt dbts_ U 20; dbt dbtu_ U 20; readme rdme_ A 24
launchdarkly sdk- U 30; launchdarkly api- U 34; launchdarkly mob- U 30; configcat configcat-sdk-1/ P 30
contentful CFPAT- U 24; mapbox sk.eyJ D 24; mapbox tk.eyJ D 24; duffel duffel_ U 30; easypost EZAK A 30
easypost EZTK A 30; shippo shippo_live_ H 30; shippo shippo_test_ H 30; frameio fio-u- U 30; clerk sk_live_ A 20
stytch secret-live- U 20; stytch secret-test- U 20; discord mfa. U 60; dropbox sl. U 40; dropbox sl.u. U 40
facebook EAAC A 40; facebook EAA A 80; instagram IGQ U 60; instagram IGAA U 60
twitter AAAAAAAAAAAAAAAAAAAAA P 30; linkedin AQV U 60; alibaba LTAI A 14; tencent AKID A 24; yandex AQVN U 34
yandex y0_ U 40; yandex YCA U 34; baidu bce-v3/ P 30; openshift sha256~ U 40; kubernetes k8s-aws-v1. B 40
rancher kubeconfig- P 40; netbird nbp_ A 24; huggingface api_org_ A 30; kubernetes base64url.bearer.authorization.k8s.io. D 20; voyage pa- U 40; firecrawl fc- H 32; brave BSA A 24; cursor crsr_ H 60
twitch oauth: L 30; woocommerce ck_ H 40; woocommerce cs_ H 40; adyen AQE B 80; mollie live_ A 30; mollie test_ A 30
statsig secret- A 36; confluent cflt B 50; aiven AVNS_ U 16; xata xau_ A 30; trello ATTA H 60; infracost ico- A 32
modal as- A 22; llamaindex llx- A 40; mem0 m0- A 36; hashicorp s. A 24; okta SSWS\x20 U 20; n8n n8n_api_ D 24; retool retool_ A 20; temporal tmprl_ A 28
inngest signkey- U 30; trigger tr_dev_ A 16; trigger tr_prod_ A 16; trigger tr_pat_ A 16
""".strip()
# Prefixes that name an id of the same shape in other products, or are too short to trust: key, digest and case decide more strictly.
_WEAK = word_set(
    """
    key- pat A3- sk- sk_ SK fw_ re_ tr_dev_ sdk- api- mob- cio EAA EAAC SCW secret_ sl. AQV y0_ nfu cfat_ cfut_ fm1
    e2b_ xai- hf_ r8_ pa- BSA live_ test_ secret- as- m0- s. oauth: llx-
    """
)

Row = tuple[str, str, str, int]


def _parse(table: str) -> list[Row]:
    rows: list[Row] = []
    for entry in re.split(r"[;\n]", table):
        rule, prefix, alphabet, rest = entry.split()
        rows.append((rule, prefix.replace(r"\x20", " "), alphabet, int(rest)))
    return sorted(set(rows), key=lambda row: (-len(row[1]), row))


ROWS = _parse(_TABLE)


def _nested(rows: list[Row]) -> str:
    """One alternation, grouped by first letter, so that a position costs a few comparisons and not one per row."""
    letters: dict[str, list[str]] = {}
    for index, (_, prefix, alphabet, rest) in enumerate(rows):
        tail = f"{re.escape(prefix[1:])}(?P<r{index}>{_ALPHABETS[alphabet]}{{{rest},}}+)"
        letters.setdefault(prefix[0], []).append(tail)
    return "|".join(f"{re.escape(letter)}(?:{'|'.join(tails)})" for letter, tails in letters.items())


_ISSUED = expression(rf"(?<![A-Za-z0-9])(?:{_nested(ROWS)})")
# Formats that have their mark inside or at the end.
_SHAPES: tuple[tuple[str, str, re.Pattern[str]], ...] = tuple(
    (rule, mark, expression(shape, re.ASCII))
    for rule, mark, shape in (
        ("telegram", ":", r"(?<![0-9])[0-9]{8,10}:[A-Za-z0-9_\-]{35}(?![A-Za-z0-9_\-])"),
        ("discord", ".", r"(?<![\w\-.])[MNO][\w\-]{23,27}\.[\w\-]{6}\.[\w\-]{27,40}(?![\w\-])"),
        ("azure", "q~", r"(?<![\w~.\-])[\w~.\-]{3}[0-9]Q~[\w~.\-]{30,36}(?![\w~])"),
        ("launchdarkly", "sdk-", r"(?<![\w\-])sdk-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![\w\-])"),
        ("mailchimp", "-us", r"(?<![0-9a-f])[0-9a-f]{32}-us[0-9]{1,2}(?![0-9])"),
        ("terraform", ".atlasv1.", r"(?<![A-Za-z0-9])[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_\-=]{60,}"),
        ("airtable", "pat", r"(?<![A-Za-z0-9])pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
        ("google_oauth", ".apps.", r"(?<![0-9])[0-9]{9,}-[a-z0-9]{32}\.apps\.googleusercontent\.com:[\w\-]{20,}"),
        ("aws", "amzn.mws.", r"(?<![A-Za-z0-9])amzn\.mws\.[0-9a-f\-]{36}"),
        ("heroku", "hrku-", r"(?<![A-Za-z0-9])HRKU-[\w\-]{36,}"),
        ("paseto", ".local.", r"(?<![\w.])v[1-4]\.local\.[A-Za-z0-9_\-]{20,}(?:\.[A-Za-z0-9_\-]+)?"),
        ("paseto", ".public.", r"(?<![\w.])v[1-4]\.public\.[A-Za-z0-9_\-]{20,}(?:\.[A-Za-z0-9_\-]+)?"),
        ("asana", "/", r"(?<![\w/.])[0-2]/(?:[0-9]{10,20}(?:/[0-9]{10,20})?:)?[0-9a-f]{32}(?![0-9a-f])"),
        ("clickup", "pk_", r"(?<![\w])pk_[0-9]{5,10}_[0-9A-Z]{32}(?![0-9A-Z])"),
        ("square", "eaaa", r"(?<![A-Za-z0-9])EAAA[A-Za-z0-9_\-]{60}"),
    )
)  # fmt: skip
_LONG_REST = expression(r"[_-][A-Za-z0-9]{20}")
# An issuer that nobody knows, in the manner of those that are known: acme_live_..., foo-sk-..., bar_pat_...
_MANNER = expression(
    r"(?<![A-Za-z0-9])([a-z][a-z0-9]{0,11}(?:[_-][a-z0-9]{1,10}){0,3}?)[_-]([A-Za-z0-9]{20,128}+)(?![A-Za-z0-9])"
)
_MARKS = word_set(
    """
    sk rk pat secret live apikey token whsec priv private accesstoken password pwd sec prod tkn
    """
)


_MIXED = (expression("[a-z]"), expression("[A-Z]"), expression("[0-9]"))
_OPEN = word_set(
    "pk pub public publishable id sha256 sha384 sha512 sha1 md5 digest hash etag req request file chatcmpl"
)


def issued(text: str) -> Findings:
    """Credentials whose prefix and length name their issuer."""
    for match in _ISSUED.finditer(text):
        rule, prefix, _, _ = ROWS[int((match.lastgroup or "r0")[1:])]
        body = match.group(match.lastindex or 0)
        if _made_up(prefix, body):
            yield Finding(match.start(), match.end(), rule)


def _made_up(prefix: str, body: str) -> bool:
    if len(set(body)) < 6 or looks.placeholder(body):
        return False
    if prefix not in _WEAK:
        return not looks.wordy(body) or looks.hexadecimal(body)
    if looks.hexadecimal(body):
        return prefix in ("key-", "SK") or (prefix in ("sk-", "sk_") and len(body) >= 32)
    mixed = any(map(str.isdigit, body)) or (not body.islower() and not body.isupper())
    # Thirty letters of both cases without a word in them are made up, even if their neighbours go together.
    random = looks.random_looking(body) or (len(body) >= 30 and body.isalnum())
    return mixed and random and not looks.uuid(body) and not looks.wordy(body)


def shaped(text: str, lower: str) -> Findings:
    """Credentials that have their mark inside or at the end."""
    for rule, mark, shape in _SHAPES:
        for match in shape.finditer(text) if mark in lower else ():
            yield Finding(match.start(), match.end(), rule)


def in_manner(text: str) -> Findings:
    """Credentials of unknown issuers, named in the manner of the known ones."""
    for match in _MANNER.finditer(text) if _LONG_REST.search(text) else ():
        words, body = re.split("[_-]", match.group(1)), match.group(2)
        # A key has 32 characters and more of mixed case, an object's id ("evt_…", "msg_…") has fewer.
        known = _MARKS.intersection(words) or (len(body) >= 32 and all(kind.search(body) for kind in _MIXED))
        if (
            known
            and not _OPEN.intersection(words)
            and looks.random_looking(body)
            and not looks.hexadecimal(body)
        ):
            yield Finding(match.start(), match.end(), "token")
