//go:build !linux

package process

import "syscall"

// groupAttributes make a process the first of its own group. That it ends with the
// host is its own to see to.
func groupAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
