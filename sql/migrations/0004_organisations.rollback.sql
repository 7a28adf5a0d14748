drop table app.memberships;
drop table app.organisations;
