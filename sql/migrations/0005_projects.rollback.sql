drop table app.projects;
