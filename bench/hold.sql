-- A transaction that keeps its server connection for as long as it is told to: the next client has to get another one.
select pg_sleep(:seconds);
