#!/bin/sh
# Makes filter.pb.go and filter_grpc.pb.go of filter.proto. The two generators are
# tools of the module, so their versions are go.mod's; protoc itself is the
# system's (Debian and brew: protobuf-compiler, protobuf).
set -eu
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
GOBIN=$bin go install google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc
PATH="$bin:$PATH" protoc --go_out=. --go_opt=paths=source_relative \
	--go-grpc_out=. --go-grpc_opt=paths=source_relative filter.proto
