package host

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/goalgraph/goalgraph/plugins"
)

// scratch is a folder for the plugins' sockets and the copies of their programs. A
// host that is killed leaves it behind; the next one removes it.
type scratch struct {
	path string
	// lock is locked as long as the host lives.
	lock *os.File
}

const (
	scratchName = plugins.SocketFolder
	lockName    = "lock"
)

func openScratch() (scratch, error) {
	parent := scratchParent(os.TempDir())
	sweep(parent)
	path, err := os.MkdirTemp(parent, scratchName)
	if err != nil {
		return scratch{}, fmt.Errorf("creating a folder for the plugins' sockets: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		os.RemoveAll(path)
		return scratch{}, fmt.Errorf("locking the folder for the plugins' sockets: %w", err)
	}
	return scratch{path, lock}, nil
}

// scratchParent returns the folder for temporary files, or a shorter one if a socket's
// path in it would be too long (104 bytes on macOS).
func scratchParent(temp string) string {
	if len(temp) > 40 {
		return "/tmp"
	}
	return temp
}

// sweep removes the folders of hosts that are gone. If that fails, the next host tries.
func sweep(parent string) {
	left, _ := filepath.Glob(filepath.Join(parent, scratchName+"*", lockName))
	for _, path := range left {
		info, err := os.Stat(path)
		// One that is being made is not locked yet.
		if err != nil || time.Since(info.ModTime()) < time.Second {
			continue
		}
		lock, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			os.RemoveAll(filepath.Dir(path))
		}
		lock.Close()
	}
}

func (s scratch) close() error {
	s.lock.Close()
	return os.RemoveAll(s.path)
}
