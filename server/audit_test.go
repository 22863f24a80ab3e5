//go:build system

package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

func TestEraseCommand(t *testing.T) {
	t.Parallel()
	database := "sqlite:" + filepath.Join(t.TempDir(), "goalgraph.db")
	load := program(t, "--database", database, "import", "--site", "shop.example", "--format", "messages", "-")
	load.Stdin = strings.NewReader(`{"type": "page", "messageId": "1", "anonymousId": "phone", "userId": "zoe", "timestamp": "2026-05-17T10:00:00Z", "properties": {"path": "/"}}
{"type": "page", "messageId": "2", "anonymousId": "other", "timestamp": "2026-05-17T10:00:00Z", "properties": {"path": "/"}}
`)
	load.mustRun(t, done)
	erase := func(args ...string) string {
		return program(t, append([]string{"--database", database, "erase", "--site", "shop.example"}, args...)...).mustRun(t, done).stdout.String()
	}
	for _, test := range []struct{ flag, id, want string }{{"--user", "zoe", `{"sessions":1}`}, {"--visitor", "phone", `{"sessions":0}`}, {"--visitor", "other", `{"sessions":1}`}} {
		if got := strings.TrimSpace(erase(test.flag, test.id)); got != test.want {
			t.Errorf("%s %s: %s, want %s", test.flag, test.id, got, test.want)
		}
	}
	if log := program(t, "--database", database, "audit").mustRun(t, done).stdout.String(); strings.Count(log, "ERASED") != 2 || strings.Contains(log, "zoe") || strings.Contains(log, "phone") {
		t.Errorf("the audit log has %s", log)
	}
}

func TestAuditCommand(t *testing.T) {
	t.Parallel()
	database := "sqlite:" + filepath.Join(t.TempDir(), "goalgraph.db")
	program(t, "--database", database, "key", "create", "--scope", "read", "--site", "shop.example", "--site", "other.example", "Two").mustRun(t, done)
	audit := func(args ...string) (lines []auditLine) {
		t.Helper()
		printed := program(t, append([]string{"--database", database, "audit"}, args...)...).mustRun(t, done).stdout.String()
		for text := range strings.Lines(printed) {
			var line auditLine
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			lines = append(lines, line)
		}
		return lines
	}
	all := audit()
	if len(all) != 3 || all[2].Object.Kind != model.KeyObject || all[2].Object.Name != "Two" || all[2].Action != model.Created || time.Since(all[2].At) > time.Minute {
		t.Errorf("%+v", all)
	}
	if lines := audit("--since", "1h"); len(lines) != 3 {
		t.Errorf("of the last hour: %+v", lines)
	}
	if lines := audit("--since", "2100-01-01"); len(lines) != 0 {
		t.Errorf("of times to come: %+v", lines)
	}
	if lines := audit("--site", "shop.example"); len(lines) != 1 || lines[0].Object.Kind != model.SiteObject {
		t.Errorf("of one site: %+v", lines)
	}
	program(t, "--database", database, "audit", "--since", "soon").mustRun(t, wrongUsage)
}
