//go:build system

// Package nodetest gives tests Node.js, with npm packages at the versions of a lock file. It has the tag system, like every
// test that uses it: a plain go test ./... runs no npm.
package nodetest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// installing lets one npm run at a time: two in a folder delete each other's files.
var installing sync.Mutex

// Install installs what the folder's lock file names, unless it is installed already. It fails the test if there is
// no Node.js. A folder belongs to the tests of one package, which may call Install at the same time.
func Install(tb testing.TB, folder string) {
	tb.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			tb.Fatalf("install Node.js 20 or later with npm, or run make test, which does: %v", err)
		}
	}
	installing.Lock()
	defer installing.Unlock()
	lock, err := os.ReadFile(filepath.Join(folder, "package-lock.json"))
	if err != nil {
		tb.Fatal(err)
	}
	stamp := filepath.Join(folder, "node_modules", ".installed")
	if done, err := os.ReadFile(stamp); err == nil && bytes.Equal(done, lock) {
		return
	}
	command := exec.Command("npm", "ci")
	command.Dir = folder
	if output, err := command.CombinedOutput(); err != nil {
		tb.Fatalf("npm ci: %v\n%s", err, output)
	}
	if err := os.WriteFile(stamp, lock, 0o644); err != nil {
		tb.Fatal(err)
	}
}
