package host

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// program is how a plugin is started.
type program struct {
	// file is the executable in the folder. path is what runs: a copy of it, or the
	// file itself.
	file, path string
	args       []string
	// sum is the file's SHA-256, checked at every start; nil for the built-in plugin.
	sum     []byte
	builtin bool
}

// load returns the program of a file. A compiled program runs from a copy below
// scratch, so that the file can be written to while it runs, and a restart runs the
// same code. A script runs in place, next to the files it needs.
func load(file, scratch string) (p program, err error) {
	source, err := os.Open(file)
	if err != nil {
		return p, err
	}
	defer source.Close()
	p = program{file: file, path: file}
	sum := sha256.New()
	start := make([]byte, 2)
	if n, _ := io.ReadFull(source, start); bytes.Equal(start[:n], []byte("#!")) {
		sum.Write(start)
		_, err = io.Copy(sum, source)
		p.sum = sum.Sum(nil)
		return p, err
	}
	if _, err := source.Seek(0, io.SeekStart); err != nil {
		return p, err
	}
	own, err := os.MkdirTemp(scratch, "")
	if err != nil {
		return p, fmt.Errorf("creating a folder for a copy of the plugin: %w", err)
	}
	p.path = filepath.Join(own, filepath.Base(file))
	if err := copyTo(p.path, io.TeeReader(source, sum)); err != nil {
		p.unload()
		return p, fmt.Errorf("copying the plugin: %w", err)
	}
	p.sum = sum.Sum(nil)
	return p, nil
}

// copyTo makes an executable file. No process may start meanwhile: it would inherit the
// open file, and a file that is open for writing cannot run.
func copyTo(path string, from io.Reader) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	to, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o700)
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		return err
	}
	return to.Close()
}

// inPlace returns the program as it runs without a copy.
func (p program) inPlace() program {
	p.unload()
	p.path = p.file
	return p
}

// unload removes the copy. Anything left is removed with the host's folder.
func (p program) unload() {
	if p.path != p.file && !p.builtin {
		os.RemoveAll(filepath.Dir(p.path))
	}
}

// check tells whether the program is still what was loaded.
func (p program) check() error {
	if p.sum == nil {
		return nil
	}
	sum, err := sumOf(p.path)
	if err != nil {
		return err
	}
	if !bytes.Equal(sum, p.sum) {
		return errors.New("its file has changed since it was loaded")
	}
	return nil
}

// sumOf returns the SHA-256 of a file.
func sumOf(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, file)
	return sum.Sum(nil), err
}
