module kbroker/compat/golang

go 1.25
