package bundle

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"syscall"
)

// MaxPort is the highest port for the page: the files are on the one after it.
const MaxPort = 1<<16 - 2

// door is where one server listens.
type door struct {
	host      string // the name under which others reach it
	port      int
	listeners []net.Listener
}

// openDoors listens on a port for the page and on the one after it for files.
// Port 0 takes two free ones.
func openDoors(host string, port int) (page, files *door, err error) {
	if page, err = openDoor(host, port); err != nil {
		return nil, nil, refusedPort(host, port, port, err)
	}
	next := 0
	if port != 0 {
		next = port + 1
	}
	if files, err = openDoor(host, next); err != nil {
		page.close()
		return nil, nil, refusedPort(host, port, next, err)
	}
	return page, files, nil
}

// openDoor listens on every address that the host stands for. Of localhost the
// first one is enough, for not every machine has both; but a server of somebody
// else's on the other would get the browser's requests.
func openDoor(host string, port int) (*door, error) {
	d := &door{host: reachable(host), port: port}
	addresses := []string{host}
	if host == "localhost" {
		addresses = []string{"127.0.0.1", "::1"}
	}
	for i, address := range addresses {
		l, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(d.port)))
		switch {
		case err == nil:
			d.listeners = append(d.listeners, l)
			d.port = l.Addr().(*net.TCPAddr).Port
		case i == 0, port != 0 && errors.Is(err, syscall.EADDRINUSE):
			d.close()
			return nil, err
		}
	}
	return d, nil
}

// reachable returns the name of a host that a browser can use: for "all
// addresses" the first that others reach too.
func reachable(host string) string {
	if ip := net.ParseIP(host); ip == nil || !ip.IsUnspecified() {
		return host
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return "localhost"
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	return "localhost"
}

// refusedPort explains why a port cannot be had; first is the one asked for.
func refusedPort(host string, first, port int, err error) error {
	what := fmt.Sprintf("port %d", port)
	if port != first {
		what += fmt.Sprintf(", which PORT=%d needs for files,", first)
	}
	another := first + 100
	if another > MaxPort {
		another = first - 100
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is taken; choose another, as in: make run PORT=%d", what, another)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s is only for administrators; choose another, as in: make run PORT=3000", what)
	}
	return fmt.Errorf("HOST=%s is no address of this machine: %w", host, err)
}

func (d *door) origin() string {
	return "http://" + net.JoinHostPort(d.host, strconv.Itoa(d.port))
}

func (d *door) close() {
	for _, l := range d.listeners {
		l.Close()
	}
}

// serve returns when a listener cannot be used any more, or s is shut down.
func (d *door) serve(s *http.Server) error {
	ended := make(chan error, len(d.listeners))
	for _, l := range d.listeners {
		go func() { ended <- s.Serve(l) }()
	}
	err := <-ended
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve %s: %w", d.origin(), err)
}
