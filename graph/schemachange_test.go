package graph_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/host"
	"github.com/goalgraph/goalgraph/plugins/host/hosttest"
)

// everyone is a filter type of a plugin that comes and goes. The test's own program serves it.
type everyone struct{}

const everyoneArgument = "serve-everyone"

func serveEveryoneIfAsked() {
	if len(os.Args) == 2 && os.Args[1] == everyoneArgument {
		plugins.Serve("everyone", "1.0.0", plugins.Of(everyone{}))
	}
}

func (everyone) Describe() plugins.Description {
	return plugins.Description{Name: "everyone", Title: "Everyone", Description: "All sessions.", Rule: plugins.Last, SDL: `input EveryoneFilter { any: Boolean }`, Input: "EveryoneFilter"}
}

func (everyone) Compile(context.Context, struct {
	Any bool `json:"any"`
}) (filter.Expr, error) {
	return filter.Bool(true), nil
}

// Compute chooses everyone.
func (everyone) Compute(context.Context, struct {
	Any bool `json:"any"`
}, plugins.Visit) (bool, error) {
	return true, nil
}

// addEveryone puts the plugin into a folder, and returns its program.
func addEveryone(t *testing.T, folder string) (program string) {
	t.Helper()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(folder, "everyone")
	if err := os.WriteFile(program, fmt.Appendf(nil, "#!/bin/sh\nexec '%s' %s\n", own, everyoneArgument), 0o700); err != nil {
		t.Fatal(err)
	}
	return program
}

// A client is told when the schema has changed, and by which version it is known. Whoever reads something may know.
func TestSchemaChanged(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	folder := t.TempDir()
	g = newGraphOver(t, g.store, hosttest.Start(t, host.Options{Folder: folder, Taken: graph.HasType}))
	const subscription = `subscription { schemaChanged { version } }`
	w := g.connect()
	w.subscribe("1", subscription, nil)
	version := func() string {
		var a struct {
			Data struct{ SchemaChanged struct{ Version string } }
		}
		if err := json.Unmarshal(w.want("next", "1"), &a); err != nil || a.Data.SchemaChanged.Version == "" {
			t.Fatalf("%+v, %v", a, err)
		}
		return a.Data.SchemaChanged.Version
	}
	before := version()
	plugin := addEveryone(t, folder)
	with := version()
	g.want(`{ __type(name: "EveryoneFilter") { name } }`, nil, `{"__type": {"name": "EveryoneFilter"}}`)
	if err := os.Remove(plugin); err != nil {
		t.Fatal(err)
	}
	if after := version(); with == before || after != before {
		t.Errorf("the versions are %s, with the plugin %s, and then %s", before, with, after)
	}

	reader := &model.Principal{Name: "reader", Grants: []model.Grant{{Site: 7, Scope: model.ReadScope}}}
	if a := g.as(reader).firstEvent(subscription); len(a.Errors) > 0 {
		t.Errorf("a reader of one site: %v", a.Errors)
	}
	writer := &model.Principal{Name: "writer", Grants: []model.Grant{{Site: 7, Scope: model.WriteScope}}}
	if a := g.as(writer).firstEvent(subscription); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != string(model.Forbidden) {
		t.Errorf("who may only write: %v %s", a.Errors, a.Data)
	}
}
