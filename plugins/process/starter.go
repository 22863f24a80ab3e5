package process

import (
	"os/exec"
	"runtime"
	"sync"
)

// Starter starts processes from one thread, which lives until Close. On systems that
// can do so, the processes are killed when the thread is gone, and so when this program
// is killed. It is safe for concurrent use.
type Starter struct {
	commands chan func()
	close    func()
}

// NewStarter returns a Starter. Close it after use.
func NewStarter() *Starter {
	s := &Starter{commands: make(chan func())}
	s.close = sync.OnceFunc(func() { close(s.commands) })
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with it
		for start := range s.commands {
			start()
		}
	}()
	return s
}

// Close ends the thread. All processes it started must have ended. It may be called
// more than once.
func (s *Starter) Close() { s.close() }

// run starts the command.
func (s *Starter) run(command *exec.Cmd) error {
	done := make(chan error, 1)
	s.commands <- func() { done <- command.Start() }
	return <-done
}
