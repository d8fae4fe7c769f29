package sam

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// engine is the Docker or Podman that runs SAM's containers.
type engine struct {
	// host is what DOCKER_HOST says of it.
	host   string
	podman bool
	client *http.Client
}

// openEngine finds an engine that answers: what DOCKER_HOST names, else Docker, else
// Podman, whose API is then served at a socket in the folder until ctx ends.
func (s *Stack) openEngine(ctx context.Context, folder string) (*engine, error) {
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		e, err := dialEngine(ctx, host)
		if err != nil {
			return nil, fmt.Errorf("DOCKER_HOST=%s: %w", host, err)
		}
		return e, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, err
	}
	for _, path := range []string{"/var/run/docker.sock", filepath.Join(home, ".docker", "run", "docker.sock")} {
		if e, err := dialEngine(ctx, "unix://"+path); err == nil {
			return e, nil
		}
	}
	if _, err := exec.LookPath("podman"); err != nil {
		return nil, errors.New("SAM runs functions in containers, and neither Docker answers nor is Podman installed: start Docker, install Podman, or set DOCKER_HOST")
	}
	return s.servePodman(ctx, folder)
}

// podmanService serves Podman's API at a socket. Podman gives root's containers a
// million open files, and they do not start where root itself may not have that many,
// as in a container: then they get what it may.
const podmanService = `
most=$(ulimit -Hn)
if [ "$(id -u)" = 0 ] && [ "$most" != unlimited ] && [ "$most" -lt 1048576 ]; then
	export CONTAINERS_CONF="${CONTAINERS_CONF:-$2}"
fi
exec podman system service --time=0 "$1"`

// ownLimits are the settings of Podman for such a machine.
const ownLimits = "[containers]\ndefault_ulimits = []\n"

// servePodman needs no service of the system's: it starts Podman's API itself.
func (s *Stack) servePodman(ctx context.Context, folder string) (e *engine, err error) {
	settings := filepath.Join(folder, "containers.conf")
	if err := os.WriteFile(settings, []byte(ownLimits), 0o600); err != nil {
		return nil, err
	}
	socket := "unix://" + filepath.Join(folder, "podman.sock")
	err = s.run("podman", exec.Command("sh", "-c", podmanService, "sh", socket, settings), func() (err error) {
		e, err = dialEngine(ctx, socket)
		return err
	})
	return e, err
}

// dialEngine fails if nobody answers at a DOCKER_HOST.
func dialEngine(ctx context.Context, host string) (*engine, error) {
	u, err := url.Parse(host)
	if err != nil {
		return nil, err
	}
	network, address := "tcp", u.Host
	switch u.Scheme {
	case "unix":
		network, address = "unix", u.Path
	case "tcp", "http":
	default:
		return nil, fmt.Errorf("only unix and tcp addresses are known here")
	}
	e := &engine{host: host, client: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		}}}}
	var version struct{ Components []struct{ Name string } }
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := e.call(ctx, http.MethodGet, "/version", nil, &version); err != nil {
		return nil, err
	}
	for _, c := range version.Components {
		e.podman = e.podman || strings.HasPrefix(c.Name, "Podman")
	}
	return e, nil
}

// call makes a request of Docker's API, which Podman has too. A nil body is none, a
// reader is sent as an archive, anything else as JSON; a nil out is not wanted.
func (e *engine) call(ctx context.Context, method, path string, body, out any) error {
	answer, err := e.open(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer answer.Close()
	if out == nil {
		_, err = io.Copy(io.Discard, answer)
		return err
	}
	return json.NewDecoder(answer).Decode(out)
}

func (e *engine) open(ctx context.Context, method, path string, body any) (io.ReadCloser, error) {
	var sent io.Reader
	mediaType := "application/json"
	switch b := body.(type) {
	case nil:
	case io.Reader:
		sent, mediaType = b, "application/x-tar"
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return nil, err
		}
		sent = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://engine"+path, sent)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", mediaType)
	response, err := e.client.Do(r)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= 300 {
		defer response.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return nil, fmt.Errorf("%s %s: %s %s", method, path, response.Status, text)
	}
	return response.Body, nil
}
