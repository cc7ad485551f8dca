-- What was brought up and looked at: rows that mirror the repository's records of proofs.

create table proof (
  id          text primary key,
  environment text not null,
  stage       text not null,
  point       text,
  instant     timestamptz not null,
  started_at  timestamptz not null,
  ended_at    timestamptz not null,
  verdict     text not null,
  record      jsonb not null
);
create index proof_by_time on proof (environment, stage, ended_at desc);
create index proof_by_point on proof (point) where point is not null;
