package lambdatest

import (
	"os"
	"syscall"
)

// processAttributes makes a process die with the test, also where the test is
// killed: a frozen one would stay for ever.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// freeze stops a process between invocations: what it has left running in the
// background stands still until the next event.
func freeze(p *os.Process) { p.Signal(syscall.SIGSTOP) }

func thaw(p *os.Process) { p.Signal(syscall.SIGCONT) }
