-- The shop's tables. `orphans` is what must always be empty: the shop's own idea of consistency.
create table customers (
  id bigint generated always as identity primary key,
  name text not null,
  email text not null unique
);

create table orders (
  id bigint generated always as identity primary key,
  customer_id bigint not null references customers (id),
  total_cents bigint not null,
  placed_at timestamptz not null default clock_timestamp()
);

create table items (
  order_id bigint not null references orders (id),
  line int not null,
  sku text not null,
  quantity int not null check (quantity > 0),
  price_cents bigint not null,
  upload_key text,
  uploaded_at timestamptz not null default clock_timestamp(),
  primary key (order_id, line)
);

create view orphans as
select o.id
from orders o
left join items i on i.order_id = o.id
group by o.id, o.total_cents
having coalesce(sum(i.quantity * i.price_cents), 0) <> o.total_cents;
