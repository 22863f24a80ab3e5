package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
)

// put puts a script into the folder that becomes the program, the way that copies
// should be made: under a hidden name first.
func put(t *testing.T, dir, name, program string) {
	t.Helper()
	hidden := filepath.Join(dir, "."+name)
	if err := os.WriteFile(hidden, []byte("#!/bin/sh\nexec "+program+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(hidden, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// plugin returns the state of the plugin of the name.
func (h testHost) plugin(name string) Plugin {
	for _, p := range h.Plugins() {
		if p.Name == name {
			return p
		}
	}
	return Plugin{}
}

// versionOf asks the plugin odd which one it is.
func versionOf(t *testing.T, s *Set) string {
	t.Helper()
	compiled, err := s.Compile(t.Context(), spec("odd", `{"do":"version"}`))
	if err != nil {
		t.Fatal(err)
	}
	return compiled.Label
}

func TestFolderIsFollowed(t *testing.T) {
	programs, dir := folder(t, "odd", "odd-2"), t.TempDir()
	h := newHost(t, Options{Folder: dir})
	empty := h.Acquire()

	put(t, dir, "mine", filepath.Join(programs, "odd"))
	eventually(t, "it was loaded", func() bool { return h.plugin("odd").Version == "1.0.0" })
	first := h.Acquire()
	if version := versionOf(t, first); version != "one" {
		t.Errorf("version %s", version)
	}
	if _, found := empty.Type("odd"); found {
		t.Error("a set changed")
	}
	old := pidOf(t, first.byName["odd"].worker)

	put(t, dir, "mine", filepath.Join(programs, "odd-2"))
	eventually(t, "it was replaced", func() bool { return h.plugin("odd").Version == "2.0.0" })
	second := h.Acquire()
	if a, b := versionOf(t, first), versionOf(t, second); a != "one" || b != "two" {
		t.Errorf("versions %s and %s", a, b)
	}
	for _, set := range []*Set{first, second} {
		want := versionOf(t, set)
		merged, err := set.Merge(t.Context(), specs(`odd {"do":"version"}`), nil)
		if err != nil || merged.Label != want {
			t.Errorf("merged %s, want %s; %v", merged.Label, want, err)
		}
	}
	// What was never asked is asked of the process that the set has.
	if _, err := first.Compile(t.Context(), spec("odd", `{"do":"nothing","n":7}`)); err != nil || !alive(old) {
		t.Errorf("the replaced plugin: %v", err)
	}
	first.Release()
	eventually(t, "the replaced plugin ended", func() bool { return !alive(old) })

	new := pidOf(t, second.byName["odd"].worker)
	second.Release()
	if !alive(new) {
		t.Error("the plugin ended with a set that was released, though it is in the current one")
	}
	remove(t, dir, "mine")
	eventually(t, "it ended", func() bool { return !alive(new) && len(h.Plugins()) == 1 })
	if _, err := h.Compile(t.Context(), spec("odd", `{"do":"version"}`)); model.CodeOf(err) != model.Unavailable {
		t.Errorf("without its plugin: %v", err)
	}
	put(t, dir, "mine", filepath.Join(programs, "odd"))
	eventually(t, "it came back", func() bool {
		_, err := h.Compile(t.Context(), spec("odd", `{"do":"version"}`))
		return err == nil
	})
}

func TestFileWrittenInPlace(t *testing.T) {
	programs, dir := folder(t, "odd", "odd-2"), t.TempDir()
	h := newHost(t, Options{Folder: dir})
	program, err := os.ReadFile(filepath.Join(programs, "odd"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range [][]byte{
		program,
		[]byte("#!/bin/sh\nexec " + filepath.Join(programs, "odd-2")),
		program,
	} {
		path := filepath.Join(dir, "odd")
		file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		want := "1.0.0"
		if len(text) < 1000 {
			want = "2.0.0"
		}
		eventually(t, "version "+want+" is loaded", func() bool { return h.plugin("odd").Version == want && h.plugin("odd").Reason == "" })
	}
}

func TestReplacementThatFailsLeavesWhatServes(t *testing.T) {
	programs, dir := folder(t, "odd", "odd-2", "quitter", "unprefixed"), t.TempDir()
	put(t, dir, "mine", filepath.Join(programs, "odd"))
	h := newHost(t, Options{Folder: dir})
	for program, reason := range map[string]string{"quitter": "the licence has run out", "unprefixed": "its name must begin with Mine"} {
		put(t, dir, "mine", filepath.Join(programs, program))
		eventually(t, "it says why the new file is not used", func() bool {
			p := h.plugin("odd")
			return p.Status == Running && p.Version == "1.0.0" && strings.Contains(p.Reason, "the current file is not used: ") && strings.Contains(p.Reason, reason)
		})
	}
	if _, err := h.Compile(t.Context(), spec("odd", `{"do":"nothing"}`)); err != nil {
		t.Error(err)
	}
	put(t, dir, "mine", filepath.Join(programs, "odd-2"))
	eventually(t, "it was replaced", func() bool { return h.plugin("odd").Version == "2.0.0" && h.plugin("odd").Reason == "" })
}

func TestNameThatBecomesFreeIsTaken(t *testing.T) {
	programs, dir := folder(t, "odd", "odd-2"), t.TempDir()
	put(t, dir, "mine", filepath.Join(programs, "odd"))
	h := newHost(t, Options{Folder: dir})
	// What is loaded first keeps the name, whatever the files are called.
	put(t, dir, "also", filepath.Join(programs, "odd-2"))
	eventually(t, "the second is refused", func() bool {
		p := h.plugin("also")
		return p.Status == Failed && strings.Contains(p.Reason, "there is already a plugin named odd") && len(p.Types) == 0
	})
	if version := h.plugin("odd").Version; version != "1.0.0" {
		t.Errorf("version %s", version)
	}
	remove(t, dir, "mine")
	eventually(t, "the second is loaded", func() bool { return h.plugin("odd").Version == "2.0.0" })
}

func TestPluginThatDoesNotStartIsTriedAgain(t *testing.T) {
	programs, dir := folder(t, "odd"), t.TempDir()
	there := filepath.Join(t.TempDir(), "there")
	put(t, dir, "mine", fmt.Sprintf("sh -c 'test -e %s && exec %s'", there, filepath.Join(programs, "odd")))
	h := newHost(t, Options{Folder: dir})
	if p := h.plugin("mine"); p.Status != Failed || p.File != filepath.Join(dir, "mine") {
		t.Errorf("%+v", p)
	}
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it was started", func() bool { return h.plugin("odd").Status == Running })
}
