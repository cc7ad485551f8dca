-- What maintenance of a repository (check, prune) did last. Not part of what is captured of the catalog: a change here
-- must not give the catalog's own protection something to protect.

create table maintenance (
  environment   text not null,
  stage         text not null,
  task          text not null,
  -- Of the last run that came to an end: what it found.
  done_at       timestamptz,
  record        jsonb,
  -- Of runs that couldn't be made since then: the first one, and why the last one couldn't.
  failing_since timestamptz,
  failure       jsonb,
  primary key (environment, stage, task)
);
