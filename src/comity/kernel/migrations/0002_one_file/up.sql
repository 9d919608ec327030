delete from kernel.migration where phase = 'post';
alter table kernel.migration drop column phase;
alter table kernel.migration add primary key (room, name);
