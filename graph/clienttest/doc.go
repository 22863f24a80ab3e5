// Package clienttest is a client that a code generator makes of the served schema,
// as a team's own would be: that it compiles, filters included, is the test. The
// test that uses it stands in package graph.
package clienttest

//go:generate sh -c "go run ../../server schema > schema.graphqls"
//go:generate go tool genqlient genqlient.yaml
