-- Webhook endpoints of providers, the messages for them, their deliveries and every attempt.

CREATE TABLE webhook_endpoint (
    endpoint_id text PRIMARY KEY,
    provider_id text NOT NULL,
    url text NOT NULL,
    status text NOT NULL CHECK (status IN ('unverified', 'active', 'disabled')),
    disabled_reason text,
    sealed_secret text NOT NULL,
    sealed_previous_secret text,
    previous_secret_until timestamptz,
    challenge text NOT NULL,
    failures_in_a_row integer NOT NULL DEFAULT 0 CHECK (failures_in_a_row >= 0),
    slowed_until timestamptz,
    created_at timestamptz NOT NULL,
    verified_at timestamptz,
    disabled_at timestamptz,
    CHECK ((sealed_previous_secret IS NULL) = (previous_secret_until IS NULL)),
    CHECK ((status = 'disabled') = (disabled_at IS NOT NULL))
);

CREATE UNIQUE INDEX webhook_endpoint_address ON webhook_endpoint (provider_id, url) WHERE status <> 'disabled';
CREATE INDEX webhook_endpoint_provider ON webhook_endpoint (provider_id, endpoint_id);

-- A message belongs to a provider; a ping belongs to one endpoint and to no case.
CREATE TABLE webhook_message (
    message_id text PRIMARY KEY,
    position bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    provider_id text NOT NULL,
    application_id text,
    type text NOT NULL,
    body text NOT NULL,
    created_at timestamptz NOT NULL,
    traceparent text,
    correlation_id text,
    causation_id text
);

CREATE INDEX webhook_message_provider ON webhook_message (provider_id, position);

CREATE TABLE webhook_delivery (
    endpoint_id text NOT NULL REFERENCES webhook_endpoint,
    message_id text NOT NULL REFERENCES webhook_message,
    position bigint NOT NULL,
    order_key text NOT NULL,
    is_ping boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'delivered', 'exhausted', 'canceled')),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    due_at timestamptz NOT NULL,
    leased_until timestamptz,
    ended_at timestamptz,
    PRIMARY KEY (endpoint_id, message_id)
);

CREATE INDEX webhook_delivery_due ON webhook_delivery (endpoint_id, due_at, position) WHERE state = 'pending';
CREATE INDEX webhook_delivery_order ON webhook_delivery (endpoint_id, order_key, position) WHERE state = 'pending';
CREATE INDEX webhook_delivery_log ON webhook_delivery (endpoint_id, position);
CREATE INDEX webhook_delivery_message ON webhook_delivery (message_id);

CREATE TABLE webhook_attempt (
    attempt_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    endpoint_id text NOT NULL,
    message_id text NOT NULL,
    attempt_number integer NOT NULL,
    started_at timestamptz NOT NULL,
    duration_ms integer NOT NULL CHECK (duration_ms >= 0),
    status integer,
    error text,
    FOREIGN KEY (endpoint_id, message_id) REFERENCES webhook_delivery
);

CREATE INDEX webhook_attempt_delivery ON webhook_attempt (endpoint_id, message_id, attempt_id);
