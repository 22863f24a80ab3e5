package check

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin"

	"github.com/goalgraph/goalgraph/plugins"
)

// endTimeout is how long a plugin may live on after its parent.
const endTimeout = 5 * time.Second

// checkEnd starts the plugin as the child of a shell, and kills the shell by force.
func (c *checker) checkEnd() {
	r := &Result{Rule: End}
	defer func() { c.add(r) }()
	took, err := c.orphan()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		r.find("Check the parent regularly, and exit when getppid() changes (in Go, plugins.Serve does so). A wrapper script must exec the program. "+
			"Otherwise every killed server leaves a process behind.", "It still runs %s after its parent was killed.", brief(endTimeout))
	case err != nil:
		r.find("Make it start as the child of any process.", "It does not work when a shell starts it: %s.", plain(err.Error()))
	default:
		r.Tried = fmt.Sprintf("it ends %s after its parent was killed", brief(took))
	}
}

// orphan returns how long the plugin lives after its parent. The error is
// os.ErrDeadlineExceeded where it does not end.
func (c *checker) orphan() (time.Duration, error) {
	sockets, err := os.MkdirTemp("", plugins.SocketFolder)
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(sockets)
	out, writes, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer out.Close()
	// Whoever runs holds the end alive of another pipe, which is how the end of a
	// process is seen that is nobody's child.
	ended, alive, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer ended.Close()
	shell := exec.Command("/bin/sh", append([]string{"-c", `"$@" & wait`, "sh", c.subject.path}, c.subject.args...)...)
	shell.Env = []string{
		plugins.CookieKey + "=" + plugins.Cookie, plugin.EnvUnixSocketDir + "=" + sockets,
		"PLUGIN_MIN_PORT=10000", "PLUGIN_MAX_PORT=25000", "PLUGIN_PROTOCOL_VERSIONS=1",
	}
	shell.Stdout, shell.ExtraFiles = writes, []*os.File{alive}
	// A group of its own, to end what does not end by itself.
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = shell.Start()
	writes.Close()
	alive.Close()
	if err != nil {
		return 0, err
	}
	defer syscall.Kill(-shell.Process.Pid, syscall.SIGKILL)
	if err := out.SetReadDeadline(time.Now().Add(startTimeout)); err != nil {
		return 0, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	shell.Process.Kill()
	shell.Wait()
	if err != nil || !strings.Contains(line, "|grpc") {
		return 0, fmt.Errorf("its first line is %q", excerpt(line))
	}
	began := time.Now()
	if err := ended.SetReadDeadline(began.Add(endTimeout)); err != nil {
		return 0, err
	}
	if _, err := bufio.NewReader(ended).ReadByte(); errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, err
	}
	return time.Since(began), nil
}
