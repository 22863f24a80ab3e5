package process

import (
	"os/exec"
	"runtime"
	"sync"
)

// Starter starts processes from one thread, which lives until it is closed: where the
// system can, the processes are killed when that is gone, and so when the program is,
// even by force. It may be used by several goroutines at once.
type Starter struct {
	commands chan func()
	close    func()
}

// NewStarter returns a Starter, which is to be closed.
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

// Close ends the thread, after all processes that it has started. It may be called
// more than once.
func (s *Starter) Close() { s.close() }

// run starts the command.
func (s *Starter) run(command *exec.Cmd) error {
	done := make(chan error, 1)
	s.commands <- func() { done <- command.Start() }
	return <-done
}
