-- A database for each side, and nobody but its owner in it: neither service can see the other's rows.
CREATE ROLE operations LOGIN PASSWORD 'operations';
CREATE DATABASE operations OWNER operations;
REVOKE ALL ON DATABASE operations FROM PUBLIC;
CREATE ROLE billing LOGIN PASSWORD 'billing';
CREATE DATABASE billing OWNER billing;
REVOKE ALL ON DATABASE billing FROM PUBLIC;
