module github.com/embws/embws/tests/interop

go 1.25

require (
	github.com/embws/embws v0.0.0
	github.com/stretchr/testify v1.12.1
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect

replace github.com/embws/embws => ../..
