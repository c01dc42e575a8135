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
    raw_id BIGINT,
    command TEXT,
    unsettled BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT pk_sms_facts PRIMARY KEY (message_id)
);

CREATE INDEX ix_sms_facts_provider_id ON sms_facts (provider_id) WHERE provider_id IS NOT NULL;

CREATE INDEX ix_sms_facts_theirs ON sms_facts (theirs, ours);

CREATE INDEX ix_sms_facts_look_at ON sms_facts (look_at) WHERE look_at IS NOT NULL;

ALTER TABLE letters ADD COLUMN options JSONB;

ALTER TABLE delivery_ranges ADD COLUMN channel TEXT DEFAULT 'mail' NOT NULL;

CREATE INDEX ix_delivery_ranges_letters ON delivery_ranges (channel, ready_at, low) WHERE campaign_id = 0;

CREATE INDEX ix_sms_facts_unsettled ON sms_facts (message_id) WHERE unsettled;

CREATE TABLE sms_media (
    message_id BIGINT NOT NULL,
    no SMALLINT NOT NULL,
    url TEXT NOT NULL,
    content_type TEXT NOT NULL,
    attempts SMALLINT DEFAULT '0' NOT NULL,
    fetch_at TIMESTAMP WITH TIME ZONE,
    trouble TEXT,
    CONSTRAINT pk_sms_media PRIMARY KEY (message_id, no)
);

CREATE INDEX ix_sms_media_due ON sms_media (fetch_at) WHERE fetch_at IS NOT NULL;

ALTER TABLE raw_mails ADD COLUMN channel TEXT DEFAULT 'mail' NOT NULL;

DROP INDEX ix_raw_mails_stored;

CREATE INDEX ix_raw_mails_stored ON raw_mails (channel, id) WHERE state = 'stored';
