module example.com/othergo

go 1.23
