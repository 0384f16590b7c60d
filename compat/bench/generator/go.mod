module kbroker/compat/bench/generator

go 1.25
