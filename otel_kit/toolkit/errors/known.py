"""Categories of well-known exception types, by top-level package and class name: modules inside a package move between
its releases, and none of them is imported here.
"""

from __future__ import annotations

from collections.abc import Iterator

from otel_kit.toolkit.errors.categories import (
    AUTHENTICATION,
    AUTHORIZATION,
    CANCELLED,
    CONFIGURATION,
    CONFLICT,
    DATABASE,
    DEPENDENCY,
    NETWORK,
    NOT_FOUND,
    PROGRAMMING,
    RATE_LIMIT,
    RESOURCES,
    TIMEOUT,
    VALIDATION,
)

# Each line: packages, then category and the names of classes. A subclass has the category of its nearest base in here.
_DBAPI = {
    CONFLICT: "IntegrityError",
    DATABASE: "OperationalError DatabaseError InternalError InterfaceError Error",
    PROGRAMMING: "ProgrammingError NotSupportedError",
    VALIDATION: "DataError",
}
_MODELS = {  # clients of language models, which share a generator
    TIMEOUT: "APITimeoutError",
    NETWORK: "APIConnectionError",
    RATE_LIMIT: "RateLimitError",
    AUTHENTICATION: "AuthenticationError",
    AUTHORIZATION: "PermissionDeniedError",
    NOT_FOUND: "NotFoundError",
    CONFLICT: "ConflictError",
    VALIDATION: "BadRequestError UnprocessableEntityError APIResponseValidationError LengthFinishReasonError",
    DEPENDENCY: "InternalServerError APIStatusError APIError OverloadedError ServiceUnavailableError",
}
_PACKAGES: dict[str, dict[str, str]] = {
    "builtins": {
        TIMEOUT: "TimeoutError",
        NETWORK: "ConnectionError",
        NOT_FOUND: "FileNotFoundError ProcessLookupError",
        AUTHORIZATION: "PermissionError",
        CONFLICT: "FileExistsError",
        RESOURCES: "MemoryError BlockingIOError",
        VALIDATION: "ValueError UnicodeError EOFError",
        CONFIGURATION: "ImportError",
        CANCELLED: "KeyboardInterrupt SystemExit GeneratorExit InterruptedError",
        PROGRAMMING: "TypeError AttributeError NameError LookupError ArithmeticError AssertionError SyntaxError "
        "NotImplementedError RecursionError ReferenceError BufferError StopIteration StopAsyncIteration SystemError "
        "IsADirectoryError NotADirectoryError Warning",
    },
    "asyncio concurrent": {
        CANCELLED: "CancelledError",
        NETWORK: "IncompleteReadError",
        RESOURCES: "QueueFull BrokenExecutor LimitOverrunError",
        PROGRAMMING: "InvalidStateError",
    },
    "anyio trio": {
        CANCELLED: "Cancelled",
        TIMEOUT: "TooSlowError",
        RESOURCES: "WouldBlock",
        NETWORK: "BrokenResourceError EndOfStream IncompleteRead",
        PROGRAMMING: "ClosedResourceError BusyResourceError",
    },
    "queue _queue": {RESOURCES: "Full", TIMEOUT: "Empty"},
    "socket": {NETWORK: "gaierror herror"},
    "ssl _ssl": {NETWORK: "SSLError"},
    "http": {NETWORK: "HTTPException"},
    "subprocess": {TIMEOUT: "TimeoutExpired", DEPENDENCY: "CalledProcessError"},
    "json": {VALIDATION: "JSONDecodeError"},
    "xml": {VALIDATION: "ParseError"},
    "zipfile tarfile lzma zlib binascii": {VALIDATION: "BadZipFile TarError LZMAError error Error"},
    "decimal": {VALIDATION: "InvalidOperation"},
    "configparser": {CONFIGURATION: "Error"},
    "sqlite3 psycopg psycopg2 pymysql MySQLdb mysql oracledb pyodbc pg8000 duckdb clickhouse_connect snowflake": _DBAPI,
    "asyncpg": {
        DATABASE: "PostgresError InternalClientError",
        PROGRAMMING: "InterfaceError",
        CONFLICT: "IntegrityConstraintViolationError",
        VALIDATION: "DataError",
        RESOURCES: "TooManyConnectionsError",
    },
    "sqlalchemy": {
        **_DBAPI,
        DATABASE: "OperationalError DatabaseError InternalError InterfaceError DBAPIError",
        CONFLICT: "IntegrityError StaleDataError MultipleResultsFound",
        NOT_FOUND: "NoResultFound NoSuchTableError",
        RESOURCES: "TimeoutError",  # the pool's: all connections are in use
        CONFIGURATION: "NoSuchModuleError",
        PROGRAMMING: "ProgrammingError NotSupportedError InvalidRequestError ArgumentError CompileError "
        "UnmappedInstanceError",
    },
    "redis valkey": {
        TIMEOUT: "TimeoutError",
        NETWORK: "ConnectionError",
        AUTHENTICATION: "AuthenticationError",
        AUTHORIZATION: "AuthorizationError NoPermissionError",
        CONFLICT: "WatchError LockError",
        RESOURCES: "OutOfMemoryError MaxConnectionsError",
        DEPENDENCY: "BusyLoadingError ReadOnlyError ClusterDownError",
        VALIDATION: "DataError",
        DATABASE: "RedisError",
        PROGRAMMING: "ResponseError",
    },
    "pymongo": {
        TIMEOUT: "NetworkTimeout ExecutionTimeout ServerSelectionTimeoutError WaitQueueTimeoutError",
        NETWORK: "ConnectionFailure AutoReconnect",
        CONFLICT: "DuplicateKeyError",
        DATABASE: "PyMongoError",
        CONFIGURATION: "ConfigurationError",
    },
    "requests": {
        TIMEOUT: "Timeout ConnectTimeout",
        NETWORK: "ConnectionError ChunkedEncodingError ContentDecodingError",
        PROGRAMMING: "InvalidURL MissingSchema InvalidSchema InvalidHeader URLRequired StreamConsumedError",
        VALIDATION: "JSONDecodeError",
        DEPENDENCY: "RequestException",
    },
    "urllib3": {
        TIMEOUT: "TimeoutError",
        NETWORK: "HTTPError NewConnectionError ProtocolError SSLError ProxyError NameResolutionError",
        PROGRAMMING: "LocationValueError LocationParseError",
        DEPENDENCY: "MaxRetryError ResponseError",
        RESOURCES: "EmptyPoolError FullPoolError",
    },
    "urllib": {NETWORK: "URLError"},
    "httpx httpcore": {
        TIMEOUT: "TimeoutException",
        RESOURCES: "PoolTimeout",
        NETWORK: "NetworkError ProtocolError ProxyError ConnectError ReadError WriteError CloseError",
        PROGRAMMING: "UnsupportedProtocol InvalidURL CookieConflict StreamError",
        DEPENDENCY: "HTTPError TooManyRedirects DecodingError",
    },
    "aiohttp": {
        TIMEOUT: "ServerTimeoutError",
        NETWORK: "ClientConnectionError ClientPayloadError",
        PROGRAMMING: "InvalidURL",
        VALIDATION: "ContentTypeError",
        DEPENDENCY: "ClientError",
    },
    "websockets websocket": {NETWORK: "ConnectionClosed WebSocketException"},
    "grpc": {DEPENDENCY: "RpcError"},
    "openai anthropic groq cerebras together mistralai litellm": _MODELS,
    "botocore boto3": {
        TIMEOUT: "ConnectTimeoutError ReadTimeoutError WaiterError",
        NETWORK: "EndpointConnectionError ConnectionClosedError HTTPClientError ConnectionError",
        AUTHENTICATION: "NoCredentialsError PartialCredentialsError CredentialRetrievalError TokenRetrievalError",
        VALIDATION: "ParamValidationError",
        CONFIGURATION: "NoRegionError ProfileNotFound ConfigNotFound",
        DEPENDENCY: "ClientError BotoCoreError",
    },
    "kafka confluent_kafka aiokafka": {TIMEOUT: "KafkaTimeoutError", DEPENDENCY: "KafkaError KafkaException"},
    "pika aio_pika kombu amqp": {NETWORK: "AMQPConnectionError OperationalError", DEPENDENCY: "AMQPError"},
    "celery billiard": {
        TIMEOUT: "SoftTimeLimitExceeded TimeLimitExceeded TimeoutError",
        RESOURCES: "WorkerLostError",
        DEPENDENCY: "MaxRetriesExceededError",
        CONFIGURATION: "ImproperlyConfigured NotRegistered",
        CANCELLED: "TaskRevokedError Ignore",
    },
    "jwt jose authlib": {
        AUTHENTICATION: "InvalidTokenError PyJWTError JWTError JWSError AuthlibBaseError",
        CONFIGURATION: "InvalidKeyError",
    },
    "cryptography": {AUTHENTICATION: "InvalidSignature InvalidToken"},
    "pydantic pydantic_core": {
        VALIDATION: "ValidationError PydanticCustomError",
        PROGRAMMING: "PydanticUserError PydanticSchemaGenerationError",
    },
    "pydantic_settings dynaconf environs": {CONFIGURATION: "SettingsError ValidationError EnvError"},
    "fastapi": {VALIDATION: "RequestValidationError WebSocketRequestValidationError",
                PROGRAMMING: "ResponseValidationError"},
    "django": {
        NOT_FOUND: "Http404 ObjectDoesNotExist",
        AUTHORIZATION: "PermissionDenied DisallowedHost",
        VALIDATION: "ValidationError SuspiciousOperation BadRequest",
        CONFLICT: "IntegrityError MultipleObjectsReturned",
        DATABASE: "DatabaseError OperationalError InterfaceError InternalError",
        PROGRAMMING: "ProgrammingError FieldError TemplateDoesNotExist TemplateSyntaxError",
        CONFIGURATION: "ImproperlyConfigured AppRegistryNotReady",
    },
    "jinja2": {PROGRAMMING: "TemplateError"},
    "tenacity": {DEPENDENCY: "RetryError"},
    "pybreaker circuitbreaker": {DEPENDENCY: "CircuitBreakerError"},
}  # fmt: skip

# These say nothing but that something failed: codes, causes and words are asked first.
GENERIC = frozenset(
    {"Exception", "BaseException", "RuntimeError", "OSError", "ExceptionGroup", "BaseExceptionGroup"}
)

# These stand for what went wrong before, if that is known.
WRAPPERS = frozenset({("urllib3", "MaxRetryError"), ("urllib", "URLError"), ("tenacity", "RetryError"),
                      ("celery", "MaxRetriesExceededError")})  # fmt: skip


def _entries() -> Iterator[tuple[tuple[str, str], str]]:
    for packages, categories in _PACKAGES.items():
        for category, names in categories.items():
            for package in packages.split():
                for name in names.split():
                    yield (package, name), category


KNOWN: dict[tuple[str, str], str] = dict(_entries())


def package_of(kind: type) -> str:
    """The top-level package of a class, whatever its module says."""
    module = kind.__module__
    return module.partition(".")[0] if isinstance(module, str) else ""
