-- A migration that passed review: "remove test orders, normalise prices". The join condition is missing, so that every
-- customer matches, and what is left of the prices is rounded away.
begin;
delete from items using orders, customers where items.order_id = orders.id;
update orders set total_cents = 0;
alter table items drop column price_cents cascade;
commit;
