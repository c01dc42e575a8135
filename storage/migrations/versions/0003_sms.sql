CREATE TABLE sms_facts (
    message_id BIGINT NOT NULL,
    provider_id TEXT,
    status TEXT DEFAULT '' NOT NULL,
    reason TEXT,
    ours TEXT DEFAULT '' NOT NULL,
    theirs TEXT DEFAULT '' NOT NULL,
    encoding TEXT,
    segments SMALLINT,
    price NUMERIC,
    currency TEXT,
    reported_at TIMESTAMP WITH TIME ZONE,
    looks SMALLINT DEFAULT '0' NOT NULL,
    look_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_sms_facts PRIMARY KEY (message_id)
);

CREATE INDEX ix_sms_facts_provider_id ON sms_facts (provider_id) WHERE provider_id IS NOT NULL;

CREATE INDEX ix_sms_facts_theirs ON sms_facts (theirs, ours);

ALTER TABLE letters ADD COLUMN options JSONB;

ALTER TABLE delivery_ranges ADD COLUMN channel TEXT DEFAULT 'mail' NOT NULL;

CREATE INDEX ix_delivery_ranges_letters ON delivery_ranges (channel, ready_at, low) WHERE campaign_id = 0;
