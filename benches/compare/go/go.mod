module regrow/compare

go 1.19
