package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mustLock pins what is in the folder.
func mustLock(t *testing.T, dir string, want ...string) {
	t.Helper()
	names, err := Lock(dir)
	if err != nil || strings.Join(names, " ") != strings.Join(want, " ") {
		t.Fatalf("%v, %v", names, err)
	}
}

func TestLockFile(t *testing.T) {
	programs, dir := folder(t, "odd", "odd-2"), t.TempDir()
	put(t, dir, "mine", filepath.Join(programs, "odd"))
	mustLock(t, dir, "mine")
	put(t, dir, "other", filepath.Join(programs, "odd-2"))
	h := newHost(t, Options{Folder: dir})
	if p := h.plugin("other"); p.Status != Failed || !strings.Contains(p.Reason, "plugins.lock does not list the file other") {
		t.Errorf("%+v", p)
	}
	if p := h.plugin("odd"); p.Status != Running {
		t.Errorf("%+v", p)
	}
	remove(t, dir, "other")
	put(t, dir, "mine", filepath.Join(programs, "odd-2"))
	eventually(t, "the other program is refused, and the one before serves on", func() bool {
		p := h.plugin("odd")
		return p.Version == "1.0.0" && p.Status == Running && strings.Contains(p.Reason, "has the SHA-256 ")
	})
	mustLock(t, dir, "mine")
	eventually(t, "the other program is allowed", func() bool { p := h.plugin("odd"); return p.Version == "2.0.0" && p.Reason == "" })

	if err := os.WriteFile(filepath.Join(dir, LockFile), []byte("# none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what is allowed no more is ended", func() bool {
		p := h.plugin("mine")
		return p.Status == Failed && strings.Contains(p.Reason, "does not list") && h.onlyBuiltin()
	})
	remove(t, dir, LockFile)
	eventually(t, "without a lock file it is started", func() bool { return h.plugin("odd").Version == "2.0.0" })
}

// While the lock file cannot be read nothing new is started, and what runs goes on.
func TestLockFileThatIsNone(t *testing.T) {
	programs, dir := folder(t, "odd", "odd-2"), t.TempDir()
	put(t, dir, "mine", filepath.Join(programs, "odd"))
	h := newHost(t, Options{Folder: dir})
	if err := os.WriteFile(filepath.Join(dir, LockFile), []byte("mine is fine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "mine", filepath.Join(programs, "odd-2"))
	eventually(t, "it is said", func() bool {
		p := h.plugin("odd")
		return p.Version == "1.0.0" && p.Status == Running && strings.Contains(p.Reason, "plugins.lock:1 is not a SHA-256 followed by a file name")
	})
}
