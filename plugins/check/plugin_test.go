package check_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/check"
)

var update = flag.Bool("update", false, "write the golden file of the findings")

// TestMain makes of the test's program a plugin where it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 {
		switch os.Args[1] {
		case "right":
			plugins.Serve("right", "1.0.0", plugins.Of(reader{}))
		case "dies":
			plugins.Serve("right", "1.0.0", plugins.Of(dying{}))
		case "stops":
			plugins.Serve("right", "1.0.0", plugins.Of(stopping{}))
		case "changes":
			plugins.Serve("right", strconv.Itoa(os.Getpid()), plugins.Of(reader{}))
		case "quits":
			fmt.Fprintln(os.Stderr, "the licence has run out")
			os.Exit(3)
		}
	}
	os.Exit(m.Run())
}

// Each wrong plugin is found out by the rule that it breaks and by no other, and
// told what to do in the very words of the golden file.
func TestWrongPluginsAreFound(t *testing.T) {
	options := check.Options{
		Deadline:  20 * time.Second,
		TakenType: func(name string) bool { return name == "taken" },
		TakenName: func(name string) bool { return name == "ReaderTaken" },
	}
	list := wrongs()
	names := make([]string, 0, len(list))
	for name := range list {
		names = append(names, name)
	}
	slices.Sort(names)
	texts := make([]string, len(names))
	t.Run("all", func(t *testing.T) {
		for i, name := range names {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				o := options
				if strings.Contains(name, "hangs") {
					o.Deadline = time.Second
				}
				report := check.Plugin(t.Context(), check.InProcess(list[name]), o)
				rule, _, _ := strings.Cut(name, ":")
				text := "# " + name + "\n"
				for _, result := range report.Results {
					if len(result.Findings) == 0 {
						continue
					}
					if result.Rule != rule {
						t.Errorf("it is found by another rule too: %s", result)
					}
					result.Tried = "" // figures that may differ
					text += result.String()
				}
				if found := report.Findings() > 0; found != (name != "right") {
					t.Errorf("%d findings", report.Findings())
				}
				texts[i] = text
			})
		}
	})
	got := strings.Join(texts, "\n")
	golden := filepath.Join("testdata", "findings.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		if !strings.Contains(string(want), text) {
			t.Errorf("%s is not so in %s; if it should be, run go test ./plugins/check -update. It is\n%s", names[i], golden, text)
		}
	}
	if got != string(want) {
		t.Errorf("%s holds something else too", golden)
	}
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plugin")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// stopping is a plugin that a call stops as a whole.
type stopping struct{ reader }

func (stopping) Compile(context.Context, readerArgs) (filter.Expr, error) {
	return nil, syscall.Kill(os.Getpid(), syscall.SIGSTOP)
}

// A plugin that answers nothing, not even that it is to end, does not keep a check from
// ending.
func TestStoppedProcessIsFound(t *testing.T) {
	t.Parallel()
	report := check.Plugin(t.Context(), check.Executable(self(t), "stops"), check.Options{Deadline: time.Second})
	for _, result := range report.Results {
		if strings.Contains(result.String(), "was not answered within 1s") {
			return
		}
	}
	t.Errorf("%v", report.Results)
}

// What only a process can do wrong.
func TestWrongProcessesAreFound(t *testing.T) {
	t.Parallel()
	plugin := "'" + self(t) + "' right"
	for _, test := range []struct {
		name, path string
		args       []string
		rule, want string
	}{
		{"right", self(t), []string{"right"}, "", ""},
		{"right, through a script", script(t, "exec "+plugin), nil, "", ""},
		{"quits", self(t), []string{"quits"}, check.Start, "the licence has run out"},
		{"no plugin", script(t, "echo hello"), nil, check.Start, "It does not start"},
		{"another protocol", script(t, "echo '1|2|unix|/tmp/none|grpc'; read line"), nil, check.Start, "version"},
		{"missing", filepath.Join(t.TempDir(), "none"), nil, check.Start, "no such file"},
		{"dies", self(t), []string{"dies"}, check.Limits, "A list of 50,000 texts for tags ended the plugin."},
		{"describes itself otherwise", self(t), []string{"changes"}, check.Purity, "describes itself differently"},
		// The script waits for the plugin, and is all that it is the parent of.
		{"lives on", script(t, plugin+" & wait"), nil, check.End, "still runs"},
		// The second start answers otherwise.
		{"differs when it is started again", script(t, `[ -e "$0.started" ] && exit 4; : >"$0.started"; exec `+plugin), nil, check.Purity, "After a restart"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			report := check.Plugin(t.Context(), check.Executable(test.path, test.args...), check.Options{Deadline: 20 * time.Second})
			var text bytes.Buffer
			if err := report.Write(&text); err != nil {
				t.Fatal(err)
			}
			for _, result := range report.Results {
				if len(result.Findings) > 0 && result.Rule == test.rule && strings.Contains(result.String(), test.want) {
					return
				}
			}
			if report.Findings() > 0 || test.rule != "" {
				t.Errorf("want a finding of %q that says %q; the report is\n%s", test.rule, test.want, &text)
			}
		})
	}
}
