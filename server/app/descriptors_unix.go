//go:build unix

package app

import (
	"math"
	"syscall"
)

// descriptors returns how many files and connections the process may have open.
func descriptors() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxInt64
	}
	return uint64(limit.Cur)
}
