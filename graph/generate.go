package graph

// The configuration is gqlgen.yml in the root; gqlgen finds it there, and reads its paths from there.
//go:generate go tool gqlgen generate
//go:generate go run ../scripts/inorder generated/exec.go
