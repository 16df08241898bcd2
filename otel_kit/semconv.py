"""Every attribute, metric and event name that otel_kit puts on the wire.

Stable names come from ``opentelemetry.semconv``. Names still in development are written out, because their module costs
milliseconds of import; a test compares them with the installed package. ``otel_kit.*`` only where no convention exists.
"""

from __future__ import annotations

from opentelemetry.semconv.attributes import (
    code_attributes,
    error_attributes,
    exception_attributes,
    service_attributes,
    telemetry_attributes,
)

# resource
SERVICE_NAME = service_attributes.SERVICE_NAME
SERVICE_VERSION = service_attributes.SERVICE_VERSION
SERVICE_NAMESPACE = "service.namespace"
SERVICE_INSTANCE_ID = "service.instance.id"
DEPLOYMENT_ENVIRONMENT_NAME = "deployment.environment.name"
TELEMETRY_SDK_LANGUAGE = telemetry_attributes.TELEMETRY_SDK_LANGUAGE
TELEMETRY_SDK_NAME = telemetry_attributes.TELEMETRY_SDK_NAME
TELEMETRY_SDK_VERSION = telemetry_attributes.TELEMETRY_SDK_VERSION
TELEMETRY_DISTRO_NAME = "telemetry.distro.name"
TELEMETRY_DISTRO_VERSION = "telemetry.distro.version"
HOST_NAME = "host.name"
HOST_ARCH = "host.arch"
OS_TYPE = "os.type"
OS_DESCRIPTION = "os.description"
PROCESS_PID = "process.pid"
PROCESS_EXECUTABLE_NAME = "process.executable.name"
PROCESS_COMMAND = "process.command"
PROCESS_RUNTIME_NAME = "process.runtime.name"
PROCESS_RUNTIME_VERSION = "process.runtime.version"
PROCESS_RUNTIME_DESCRIPTION = "process.runtime.description"
CONTAINER_ID = "container.id"
VCS_REF_HEAD_REVISION = "vcs.ref.head.revision"

# errors
ERROR_TYPE = error_attributes.ERROR_TYPE
EXCEPTION_TYPE = exception_attributes.EXCEPTION_TYPE
EXCEPTION_MESSAGE = exception_attributes.EXCEPTION_MESSAGE
EXCEPTION_STACKTRACE = exception_attributes.EXCEPTION_STACKTRACE
EVENT_EXCEPTION = "exception"
EVENT_CANCELLED = "otel_kit.cancelled"
ERROR_CATEGORY = "otel_kit.error.category"
ERROR_SEVERITY = "otel_kit.error.severity"
ERROR_FINGERPRINT = "otel_kit.error.fingerprint"
ERROR_SUGGESTIONS = "otel_kit.error.suggestions"
ERROR_VERSION_FIRST = "otel_kit.error.version.first"
ERROR_SEEN_FIRST = "otel_kit.error.seen.first"
ERROR_RATE = "otel_kit.error.rate"
ERROR_RATE_USUAL = "otel_kit.error.rate.usual"
METRIC_ERRORS = "otel_kit.errors"
EVENT_ERROR_FIRST_SEEN = "otel_kit.error.first_seen"
EVENT_ERROR_NEW_VERSION = "otel_kit.error.new_version"
EVENT_ERROR_RATE_JUMPED = "otel_kit.error.rate_jumped"

# recovery
RETRY_NAME = "otel_kit.retry.name"
RETRY_ATTEMPT = "otel_kit.retry.attempt"
RETRY_WAIT = "otel_kit.retry.wait"
METRIC_RETRIES = "otel_kit.retries"
EVENT_RETRY = "otel_kit.retry"
FALLBACK_NAME = "otel_kit.fallback.name"
METRIC_FALLBACKS = "otel_kit.fallbacks"
EVENT_FALLBACK = "otel_kit.fallback"
DEGRADED_NAME = "otel_kit.degraded.name"
DEGRADED_REASON = "otel_kit.degraded.reason"
DEGRADED_DURATION = "otel_kit.degraded.duration"
METRIC_DEGRADED = "otel_kit.degraded"
METRIC_DEGRADATIONS = "otel_kit.degradations"
EVENT_DEGRADED = "otel_kit.degraded"
EVENT_RECOVERED = "otel_kit.recovered"

# measured operations
OPERATION_NAME = "otel_kit.operation.name"
OPERATION_DURATION = "otel_kit.operation.duration"
OPERATION_OUTCOME = "otel_kit.operation.outcome"
OPERATION_OWN_TIME = "otel_kit.operation.own_time"
OPERATION_CPU_TIME = "otel_kit.operation.cpu_time"
OPERATION_PROCESS_CPU_TIME = "otel_kit.operation.process_cpu_time"
OPERATION_MEMORY_BEFORE = "otel_kit.operation.memory.before"
OPERATION_MEMORY_AFTER = "otel_kit.operation.memory.after"
OPERATION_MEMORY_PEAK = "otel_kit.operation.memory.peak"
OPERATION_THREADS = "otel_kit.operation.threads"
OPERATION_COUNT = "otel_kit.operation.count."  # followed by what was counted: query, http_call, log.warning
OPERATION_TIME = "otel_kit.operation.time."
METRIC_OPERATION_DURATION = "otel_kit.operation.duration"
EVENT_OPERATION = "otel_kit.operation"

# code and threads
CODE_FUNCTION_NAME = code_attributes.CODE_FUNCTION_NAME
CODE_FILE_PATH = code_attributes.CODE_FILE_PATH
CODE_LINE_NUMBER = code_attributes.CODE_LINE_NUMBER
CODE_STACKTRACE = code_attributes.CODE_STACKTRACE
THREAD_ID = "thread.id"
THREAD_NAME = "thread.name"

# identity: the context ids
USER_ID = "user.id"
SESSION_ID = "session.id"
REQUEST_ID = "otel_kit.request.id"
CORRELATION_ID = "otel_kit.correlation.id"
RUN_ID = "otel_kit.run.id"
WORKFLOW_ID = "otel_kit.workflow.id"

# metrics
METRIC_OVERFLOW = "otel.metric.overflow"

# databases
DB_COLLECTION_NAME = "db.collection.name"
DB_OPERATION_NAME = "db.operation.name"
DB_QUERY_SUMMARY = "db.query.summary"

# process and runtime
CPU_MODE = "cpu.mode"
DISK_IO_DIRECTION = "disk.io.direction"
METRIC_PROCESS_CPU_TIME = "process.cpu.time"
METRIC_PROCESS_CPU_UTILIZATION = "process.cpu.utilization"
METRIC_PROCESS_MEMORY_USAGE = "process.memory.usage"
METRIC_PROCESS_MEMORY_VIRTUAL = "process.memory.virtual"
METRIC_PROCESS_DISK_IO = "process.disk.io"
METRIC_PROCESS_THREAD_COUNT = "process.thread.count"
METRIC_PROCESS_UNIX_FILE_DESCRIPTOR_COUNT = "process.unix.file_descriptor.count"
METRIC_PROCESS_CONTEXT_SWITCHES = "process.context_switches"
PROCESS_CONTEXT_SWITCH_TYPE = "process.context_switch.type"
METRIC_PROCESS_PAGING_FAULTS = "process.paging.faults"
SYSTEM_PAGING_FAULT_TYPE = "system.paging.fault.type"
METRIC_PROCESS_UPTIME = "process.uptime"
METRIC_CPYTHON_GC_COLLECTIONS = "cpython.gc.collections"
METRIC_CPYTHON_GC_COLLECTED_OBJECTS = "cpython.gc.collected_objects"
METRIC_CPYTHON_GC_UNCOLLECTABLE_OBJECTS = "cpython.gc.uncollectable_objects"
CPYTHON_GC_GENERATION = "cpython.gc.generation"

# logs
LOG_TEMPLATE = "otel_kit.log.template"
LOG_ARGUMENTS = "otel_kit.log.arguments"
WARNING_CATEGORY = "otel_kit.warning.category"

# telemetry about telemetry
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
METRIC_OTEL_SDK_EXPORTER_SPAN_EXPORTED = "otel.sdk.exporter.span.exported"
METRIC_OTEL_SDK_EXPORTER_LOG_EXPORTED = "otel.sdk.exporter.log.exported"
METRIC_OTEL_SDK_EXPORTER_METRIC_DATA_POINT_EXPORTED = "otel.sdk.exporter.metric_data_point.exported"
METRIC_OTEL_SDK_PROCESSOR_SPAN_QUEUE_SIZE = "otel.sdk.processor.span.queue.size"
METRIC_OTEL_SDK_PROCESSOR_LOG_QUEUE_SIZE = "otel.sdk.processor.log.queue.size"

# HTTP servers
CLIENT_ADDRESS = "client.address"
HTTP_REQUEST_BODY_SIZE = "http.request.body.size"
HTTP_REQUEST_METHOD = "http.request.method"
HTTP_REQUEST_METHOD_ORIGINAL = "http.request.method_original"
HTTP_RESPONSE_BODY_SIZE = "http.response.body.size"
HTTP_RESPONSE_STATUS_CODE = "http.response.status_code"
HTTP_ROUTE = "http.route"
NETWORK_PROTOCOL_NAME = "network.protocol.name"
NETWORK_PROTOCOL_VERSION = "network.protocol.version"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
URL_PATH = "url.path"
URL_QUERY = "url.query"
URL_SCHEME = "url.scheme"
USER_AGENT_ORIGINAL = "user_agent.original"
METRIC_HTTP_SERVER_REQUEST_DURATION = "http.server.request.duration"
METRIC_HTTP_SERVER_ACTIVE_REQUESTS = "http.server.active_requests"
METRIC_HTTP_SERVER_REQUEST_BODY_SIZE = "http.server.request.body.size"
METRIC_HTTP_SERVER_RESPONSE_BODY_SIZE = "http.server.response.body.size"
EVENT_HTTP_ACCESS = "otel_kit.http.access"
HTTP_DURATION = "otel_kit.http.duration"
HTTP_DISCONNECTED = "otel_kit.http.disconnected"
HTTP_REQUEST_BODY = "otel_kit.http.request.body"
HTTP_RESPONSE_BODY = "otel_kit.http.response.body"

# redaction
METRIC_REDACTIONS = "otel_kit.redactions"
REDACTION_RULE = "otel_kit.redaction.rule"
REDACTION_SURFACE = "otel_kit.redaction.surface"

# HTTP clients
HTTP_REQUEST_RESEND_COUNT = "http.request.resend_count"
URL_FULL = "url.full"
URL_TEMPLATE = "url.template"
METRIC_HTTP_CLIENT_REQUEST_DURATION = "http.client.request.duration"
EVENT_HTTP_RESEND = "otel_kit.http.resend"

# redis, caches
DB_SYSTEM_NAME = "db.system.name"
DB_NAMESPACE = "db.namespace"
DB_QUERY_TEXT = "db.query.text"
DB_OPERATION_BATCH_SIZE = "db.operation.batch.size"
DB_RESPONSE_STATUS_CODE = "db.response.status_code"
METRIC_DB_CLIENT_OPERATION_DURATION = "db.client.operation.duration"
METRIC_CACHE_LOOKUPS = "otel_kit.cache.lookups"
CACHE_RESULT = "otel_kit.cache.result"

# work beside the request
EVENT_ASYNCIO_BLOCKED = "otel_kit.asyncio.blocked"
ASYNCIO_DURATION = "otel_kit.asyncio.duration"
ASYNCIO_TASK_NAME = "otel_kit.asyncio.task.name"
ASYNCIO_IMPORTED_MODULES = "otel_kit.asyncio.imported_modules"
MESSAGING_SYSTEM = "messaging.system"
MESSAGING_DESTINATION_NAME = "messaging.destination.name"
MESSAGING_OPERATION_NAME = "messaging.operation.name"
MESSAGING_OPERATION_TYPE = "messaging.operation.type"
MESSAGING_MESSAGE_ID = "messaging.message.id"
METRIC_MESSAGING_PROCESS_DURATION = "messaging.process.duration"
TASK_NAME = "otel_kit.task.name"
TASK_STATE = "otel_kit.task.state"
EVENT_TASK_RETRY = "otel_kit.task.retry"
TASK_RETRIES = "otel_kit.task.retries"

# databases, the rest of them
DB_QUERY_PARAMETER = "db.query.parameter"
DB_RESPONSE_RETURNED_ROWS = "db.response.returned_rows"
DB_CLIENT_CONNECTION_POOL_NAME = "db.client.connection.pool.name"
DB_CLIENT_CONNECTION_STATE = "db.client.connection.state"
METRIC_DB_CLIENT_CONNECTION_COUNT = "db.client.connection.count"
METRIC_DB_CLIENT_CONNECTION_MAX = "db.client.connection.max"
METRIC_DB_CLIENT_CONNECTION_IDLE_MAX = "db.client.connection.idle.max"
METRIC_DB_CLIENT_CONNECTION_PENDING_REQUESTS = "db.client.connection.pending_requests"
METRIC_DB_CLIENT_CONNECTION_TIMEOUTS = "db.client.connection.timeouts"
METRIC_DB_CLIENT_CONNECTION_CREATE_TIME = "db.client.connection.create_time"
METRIC_DB_CLIENT_CONNECTION_WAIT_TIME = "db.client.connection.wait_time"
METRIC_DB_CLIENT_CONNECTION_USE_TIME = "db.client.connection.use_time"
DB_AFFECTED_ROWS = "otel_kit.db.affected_rows"
DB_DURATION = "otel_kit.db.duration"
DB_RELATIONSHIP = "otel_kit.db.relationship"
DB_REPEAT_COUNT = "otel_kit.db.repeat.count"
DB_REPEAT_DURATION = "otel_kit.db.repeat.duration"
DB_TRANSACTION_OUTCOME = "otel_kit.db.transaction.outcome"
DB_TRANSACTION_STATEMENTS = "otel_kit.db.transaction.statements"
DB_TRANSACTION_DURATION = "otel_kit.db.transaction.duration"
EVENT_DB_TRANSACTION = "otel_kit.db.transaction"
EVENT_DB_SLOW_QUERY = "otel_kit.db.slow_query"
EVENT_DB_N_PLUS_ONE = "otel_kit.db.n_plus_one"

# agents: the GenAI conventions
GEN_AI_OPERATION_NAME = "gen_ai.operation.name"
GEN_AI_PROVIDER_NAME = "gen_ai.provider.name"
GEN_AI_AGENT_NAME = "gen_ai.agent.name"
GEN_AI_AGENT_ID = "gen_ai.agent.id"
GEN_AI_AGENT_DESCRIPTION = "gen_ai.agent.description"
GEN_AI_AGENT_VERSION = "gen_ai.agent.version"
GEN_AI_CONVERSATION_ID = "gen_ai.conversation.id"
GEN_AI_REQUEST_MODEL = "gen_ai.request.model"
GEN_AI_REQUEST_TEMPERATURE = "gen_ai.request.temperature"
GEN_AI_REQUEST_TOP_P = "gen_ai.request.top_p"
GEN_AI_REQUEST_TOP_K = "gen_ai.request.top_k"
GEN_AI_REQUEST_MAX_TOKENS = "gen_ai.request.max_tokens"
GEN_AI_REQUEST_SEED = "gen_ai.request.seed"
GEN_AI_REQUEST_STOP_SEQUENCES = "gen_ai.request.stop_sequences"
GEN_AI_REQUEST_STREAM = "gen_ai.request.stream"
GEN_AI_RESPONSE_MODEL = "gen_ai.response.model"
GEN_AI_RESPONSE_ID = "gen_ai.response.id"
GEN_AI_RESPONSE_FINISH_REASONS = "gen_ai.response.finish_reasons"
GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
GEN_AI_USAGE_INPUT_TOKENS = "gen_ai.usage.input_tokens"
GEN_AI_USAGE_OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS = "gen_ai.usage.cache_read.input_tokens"
GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS = "gen_ai.usage.cache_creation.input_tokens"
GEN_AI_USAGE_REASONING_OUTPUT_TOKENS = "gen_ai.usage.reasoning.output_tokens"
GEN_AI_TOKEN_TYPE = "gen_ai.token.type"
GEN_AI_TOOL_NAME = "gen_ai.tool.name"
GEN_AI_TOOL_TYPE = "gen_ai.tool.type"
GEN_AI_TOOL_CALL_ID = "gen_ai.tool.call.id"
GEN_AI_TOOL_DESCRIPTION = "gen_ai.tool.description"
GEN_AI_TOOL_CALL_ARGUMENTS = "gen_ai.tool.call.arguments"
GEN_AI_TOOL_CALL_RESULT = "gen_ai.tool.call.result"
GEN_AI_INPUT_MESSAGES = "gen_ai.input.messages"
GEN_AI_OUTPUT_MESSAGES = "gen_ai.output.messages"
GEN_AI_SYSTEM_INSTRUCTIONS = "gen_ai.system_instructions"
METRIC_GEN_AI_CLIENT_TOKEN_USAGE = "gen_ai.client.token.usage"
METRIC_GEN_AI_CLIENT_OPERATION_DURATION = "gen_ai.client.operation.duration"
METRIC_GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"
METRIC_GEN_AI_INVOKE_AGENT_DURATION = "gen_ai.invoke_agent.duration"
METRIC_GEN_AI_EXECUTE_TOOL_DURATION = "gen_ai.execute_tool.duration"
EVENT_GEN_AI_DETAILS = "gen_ai.client.inference.operation.details"
AGENT_STEP = "otel_kit.agent.step"

# workflows, money, business
WORKFLOW_NAME = "otel_kit.workflow.name"
WORKFLOW_STATE = "otel_kit.workflow.state"
WORKFLOW_PREVIOUS_STATE = "otel_kit.workflow.state.previous"
WORKFLOW_STATE_DURATION = "otel_kit.workflow.state.duration"
WORKFLOW_OUTCOME = "otel_kit.workflow.outcome"
WORKFLOW_DURATION = "otel_kit.workflow.duration"
WORKFLOW_UNDECLARED = "otel_kit.workflow.undeclared"
METRIC_WORKFLOW_ACTIVE = "otel_kit.workflow.active"
METRIC_WORKFLOW_STATE_DURATION = "otel_kit.workflow.state.duration"
METRIC_WORKFLOW_DURATION = "otel_kit.workflow.duration"
METRIC_WORKFLOW_UNDECLARED = "otel_kit.workflow.undeclared_transitions"
EVENT_WORKFLOW_STARTED = "otel_kit.workflow.started"
EVENT_WORKFLOW_MOVED = "otel_kit.workflow.moved"
EVENT_WORKFLOW_HANDED_ON = "otel_kit.workflow.handed_on"
EVENT_WORKFLOW_CONTINUED = "otel_kit.workflow.continued"
EVENT_WORKFLOW_ENDED = "otel_kit.workflow.ended"
COST_AMOUNT = "otel_kit.cost.amount"
COST_CURRENCY = "otel_kit.cost.currency"
COST_OPERATION = "otel_kit.cost.operation"
COST_BUDGET = "otel_kit.cost.budget"
COST_LIMIT = "otel_kit.cost.limit"
COST_SPENT = "otel_kit.cost.spent"
COST_PERIOD = "otel_kit.cost.period"
COST_USUAL_LIMIT = "otel_kit.cost.usual_limit"
COST_USUAL_MEDIAN = "otel_kit.cost.usual_median"
METRIC_COST = "otel_kit.cost"
EVENT_COST = "otel_kit.cost"
EVENT_COST_BUDGET = "otel_kit.cost.budget"
EVENT_COST_UNUSUAL = "otel_kit.cost.unusual"
BUSINESS_EVENT = "otel_kit.business.event"
BUSINESS_VALUE = "otel_kit.business.value"
METRIC_BUSINESS_EVENTS = "otel_kit.business.events"
METRIC_BUSINESS_VALUE = "otel_kit.business.value"
EVENT_BUSINESS = "otel_kit.business"

# audit
AUDIT = "otel_kit.audit"
EVENT_AUDIT = "otel_kit.audit"
AUDIT_SEQUENCE = "otel_kit.audit.sequence"
AUDIT_HASH = "otel_kit.audit.hash"

# events of security; their names are those of OWASP's logging vocabulary where it has them
EVENT_AUTHN_LOGIN_SUCCESS = "authn_login_success"
EVENT_AUTHN_LOGIN_SUCCESS_AFTER_FAIL = "authn_login_successafterfail"
EVENT_AUTHN_LOGIN_FAIL = "authn_login_fail"
EVENT_AUTHN_LOGIN_FAIL_MAX = "authn_login_fail_max"
EVENT_AUTHN_PASSWORD_CHANGE = "authn_password_change"
EVENT_AUTHN_PASSWORD_CHANGE_FAIL = "authn_password_change_fail"
EVENT_AUTHN_TOKEN_CREATED = "authn_token_created"
EVENT_AUTHN_TOKEN_REVOKED = "authn_token_revoked"
EVENT_AUTHZ_FAIL = "authz_fail"
EVENT_PRIVILEGE_PERMISSIONS_CHANGED = "privilege_permissions_changed"
EVENT_SENSITIVE = "sensitive_"  # followed by create, read, update or delete
EVENT_SESSION_CREATED = "session_created"
EVENT_SESSION_EXPIRED = "session_expired"
EVENT_SECURITY_AUTHORIZED = "otel_kit.security.authorized"
EVENT_SECURITY_DATA_EXPORTED = "otel_kit.security.data_exported"
EVENT_SECURITY_SESSION_ENDED = "otel_kit.security.session_ended"
EVENT_SECURITY_REPEATED_FAILURES = "otel_kit.security.repeated_failures"
SECURITY_EVENT = "otel_kit.security.event"
SECURITY_OUTCOME = "otel_kit.security.outcome"
SECURITY_REASON = "otel_kit.security.reason"
SECURITY_METHOD = "otel_kit.security.method"
SECURITY_RESOURCE = "otel_kit.security.resource"
SECURITY_ACTION = "otel_kit.security.action"
SECURITY_RECORDS = "otel_kit.security.records"
SECURITY_DESTINATION = "otel_kit.security.destination"
SECURITY_TOKEN_ID = "otel_kit.security.token.id"
SECURITY_SCOPES = "otel_kit.security.scopes"
SECURITY_ACTOR = "otel_kit.security.actor"
SECURITY_BEFORE = "otel_kit.security.before"
SECURITY_AFTER = "otel_kit.security.after"
SECURITY_FAILURES = "otel_kit.security.failures"
SECURITY_WINDOW = "otel_kit.security.window"
METRIC_SECURITY_EVENTS = "otel_kit.security.events"
