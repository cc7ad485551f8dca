-- The catalog is a fast view of what the repository holds, plus what only this control plane knows (which files declare
-- the environments, who owns retention). Positions and sizes beyond 2^53 lie in the records as decimal text.

create table control_plane (
  only_one    boolean primary key default true check (only_one),
  id          text not null,
  epoch       bigint not null default 0,
  holder      text not null default '',
  taken_at    timestamptz not null default now()
);

create table environment (
  name        text not null,
  stage       text not null,
  file        text not null,
  overlay     text,
  applied_at  timestamptz not null default now(),
  primary key (name, stage)
);

create table store (
  environment text not null,
  stage       text not null,
  name        text not null,
  source      text not null,
  -- Protection and objective as declared, without the source's own fields: those may hold secrets.
  declared    jsonb not null,
  active      boolean not null default true,
  primary key (environment, stage, name),
  foreign key (environment, stage) references environment (name, stage)
);

create table capture (
  id          text primary key,
  environment text not null,
  stage       text not null,
  store       text not null,
  kind        text not null,
  snapshot    text not null,
  started_at  timestamptz not null,
  ended_at    timestamptz not null,
  record      jsonb not null
);
create index capture_by_store on capture (environment, stage, store, ended_at desc);

create table point (
  id          text primary key,
  environment text not null,
  stage       text not null,
  at          timestamptz not null,
  record      jsonb not null
);
create index point_by_time on point (environment, stage, at desc);

create table mark (
  id          text primary key,
  environment text not null,
  stage       text not null,
  kind        text not null,
  at          timestamptz not null,
  sha         text,
  author      text,
  note        text,
  record      jsonb not null
);
create index mark_by_time on mark (environment, stage, at desc);

create table gap (
  id          text primary key,
  environment text not null,
  stage       text not null,
  store       text not null,
  from_at     timestamptz not null,
  to_at       timestamptz,
  because     text not null,
  record      jsonb not null
);
create index gap_by_store on gap (environment, stage, store, from_at desc);
