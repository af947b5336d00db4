-- What the agency has already. sqlite3 standards.db < standards.sql, and STANDARDS_URL=sqlite:///standards.db
create table certificates (uscc text, cert_no text, issued text);
insert into certificates values ('91331002XQYP0GH1XC', 'ISO9001-0001', '2024-05-06');
