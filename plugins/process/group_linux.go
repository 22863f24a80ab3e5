package process

import "syscall"

// groupAttributes make a process the first of its own group, and have the system
// kill it when the thread that started it is gone.
func groupAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
