package host

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// LockFile is the name of the file that pins the plugins of its folder. It has the
// format of sha256sum: a line per plugin, with its SHA-256 in hexadecimal, two spaces
// and its file name. If the file exists, the host runs no plugin that it does not list
// with the same checksum.
const LockFile = "plugins.lock"

// pins are the checksums in a lock file, by file name; nil if there is no lock file.
type pins map[string][]byte

// readPins reads the lock file of a folder.
func readPins(folder string) (pins, error) {
	path := filepath.Join(folder, LockFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the pinned plugins: %w", err)
	}
	p := pins{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		sum, name, _ := strings.Cut(line, " ")
		name = strings.TrimPrefix(strings.TrimSpace(name), "*") // sha256sum --binary
		raw, err := hex.DecodeString(sum)
		if err != nil || len(raw) != 32 || name == "" {
			return nil, fmt.Errorf("%s:%d is not a SHA-256 followed by a file name; run goalgraph plugin lock to write the file again", path, n)
		}
		p[strings.TrimPrefix(name, "./")] = raw
	}
	return p, lines.Err()
}

// allow tells whether a program may run.
func (p pins) allow(program program) error {
	if p == nil {
		return nil
	}
	name := filepath.Base(program.file)
	switch pinned, listed := p[name]; {
	case !listed:
		return fmt.Errorf("%s does not list the file %s; if you trust the file, run goalgraph plugin lock", LockFile, name)
	case !bytes.Equal(pinned, program.sum):
		return fmt.Errorf("the file %s has the SHA-256 %x, but %s lists another one; if you trust the file, run goalgraph plugin lock", name, program.sum, LockFile)
	}
	return nil
}

// Lock pins the plugins now in the folder, and returns their file names. A running
// server notices.
func Lock(folder string) (names []string, err error) {
	files, err := find(folder)
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	for path := range files {
		names = append(names, filepath.Base(path))
	}
	slices.Sort(names)
	for _, name := range names {
		sum, err := sumOf(filepath.Join(folder, name))
		if err != nil {
			return nil, fmt.Errorf("pinning the plugin %s: %w", name, err)
		}
		fmt.Fprintf(&text, "%x  %s\n", sum, name)
	}
	// Written under another name first, so that no server reads half of it.
	hidden := filepath.Join(folder, "."+LockFile)
	if err := os.WriteFile(hidden, []byte(text.String()), 0o644); err != nil {
		return nil, fmt.Errorf("pinning the plugins: %w", err)
	}
	return names, os.Rename(hidden, filepath.Join(folder, LockFile))
}
