package sam

import (
	"archive/tar"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// engineAt is an engine that says of itself what the test wants.
func engineAt(t *testing.T, component string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/version" {
			http.Error(w, `{"message":"no such image"}`, http.StatusNotFound)
			return
		}
		io.WriteString(w, `{"Components":[{"Name":"`+component+`"},{"Name":"conmon"}]}`)
	}))
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "http:", "tcp:", 1)
}

// TestEngine: DOCKER_HOST decides, and whether Podman answers there is found out.
func TestEngine(t *testing.T) {
	for component, podman := range map[string]bool{"Engine": false, "Podman Engine": true} {
		t.Setenv("DOCKER_HOST", engineAt(t, component))
		e, err := new(Stack).openEngine(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if e.podman != podman || !strings.HasPrefix(e.host, "tcp://") {
			t.Errorf("%s: %+v", component, e)
		}
		if !podman {
			if got, err := e.gateway(t.Context(), "x86_64"); got != "host-gateway" || err != nil {
				t.Errorf("Docker's containers reach this machine at %q, %v", got, err)
			}
		} else if _, err := e.gateway(t.Context(), "x86_64"); err == nil || !strings.Contains(err.Error(), "no such image") {
			t.Errorf("gateway = %v, want what the engine says", err)
		}
	}
	for _, host := range []string{"unix:///nobody/here.sock", "ssh://somebody@example.com", "tcp://127.0.0.1:1"} {
		t.Setenv("DOCKER_HOST", host)
		if _, err := new(Stack).openEngine(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "DOCKER_HOST="+host) {
			t.Errorf("engine at %s: %v", host, err)
		}
	}
}

func TestHostIn(t *testing.T) {
	const hosts = "# nothing\n\n127.0.0.1\tlocalhost\n10.88.0.1\tother host.containers.internal host.docker.internal\n"
	if got, err := hostIn(hosts); got != "10.88.0.1" || err != nil {
		t.Errorf("host = %q, %v", got, err)
	}
	if got, err := hostIn("127.0.0.1 localhost\n"); err == nil {
		t.Errorf("host = %q where none is named", got)
	}
}

func TestImported(t *testing.T) {
	for text, want := range map[string]string{
		`{"status":"sha256:abc","progress":"","id":"sha256:abc"}`:             "abc",
		"{\"status\":\"Importing\"}\r\n{\"status\":\"sha256:def\"}\r\n":       "def",
		`{"errorDetail":{"message":"no space"},"error":"no space left here"}`: "",
	} {
		if got, err := imported(strings.NewReader(text)); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: image %q, %v", text, got, err)
		}
	}
}

// TestRootFileSystem: the emulator may be run, and functions may write to /tmp alone.
func TestRootFileSystem(t *testing.T) {
	archive, err := rootFileSystem([]byte("program"))
	if err != nil {
		t.Fatal(err)
	}
	modes, files := map[string]int64{}, tar.NewReader(archive)
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		modes["/"+h.Name] = h.Mode
		if text, err := io.ReadAll(files); h.Typeflag == tar.TypeReg && string(text) != "program" || err != nil {
			t.Errorf("%s = %q, %v", h.Name, text, err)
		}
	}
	for name, want := range map[string]int64{emulator: 0o755, "/tmp/": 0o1777, "/var/task/": 0o755} {
		if modes[name] != want {
			t.Errorf("%s has mode %o, want %o", name, modes[name], want)
		}
	}
}

func stack() *Stack { return &Stack{log: &locked{w: io.Discard}, ended: make(chan error, 1)} }

// TestPrograms: one that does not start says why, one that ends too early is told of,
// and Close ends all of them.
func TestPrograms(t *testing.T) {
	never := func() error { return errors.New("not yet") }
	ready := func() error { return nil }
	s := stack()
	if err := s.run("broken", exec.Command("sh", "-c", "echo no port is free; exit 3"), never); err == nil || !strings.Contains(err.Error(), "broken does not start: no port is free") {
		t.Errorf("run = %v", err)
	}
	s = stack()
	if err := s.run("short", exec.Command("sh", "-c", "echo goodbye; exit 3"), ready); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-s.Ended():
		if !strings.Contains(err.Error(), "short has ended: exit status 3: goodbye") {
			t.Errorf("ended: %v", err)
		}
	case <-time.After(patience):
		t.Error("nobody is told that a program has ended")
	}
	s.Close()

	s = stack()
	long := exec.Command("sleep", "1000")
	if err := s.run("long", long, ready); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if long.ProcessState == nil {
		t.Error("a program goes on after Close")
	}
	select {
	case err := <-s.Ended():
		t.Errorf("what Close ends is told of: %v", err)
	default:
	}
}

// TestTail: of what a program says the last is kept.
func TestTail(t *testing.T) {
	var said tail
	io.WriteString(&said, strings.Repeat("x", tailBytes))
	io.WriteString(&said, "the end\n")
	if got := said.String(); !strings.HasSuffix(got, "x\nthe end") && !strings.HasSuffix(got, "xthe end") || len(got) > tailBytes {
		t.Errorf("kept %d bytes, … %q", len(got), got[len(got)-10:])
	}
}

// TestEnvironment: nothing leads SAM to somebody's account.
func TestEnvironment(t *testing.T) {
	t.Setenv("AWS_PROFILE", "work")
	t.Setenv("AWS_SESSION_TOKEN", "token")
	s := &Stack{}
	s.keys.AccessKeyID = "id"
	env := s.environment(&engine{host: "unix:///x"})
	for _, v := range env {
		if strings.HasPrefix(v, "AWS_PROFILE=") || strings.HasPrefix(v, "AWS_SESSION_TOKEN=") {
			t.Errorf("SAM gets %s", v)
		}
	}
	for _, want := range []string{"AWS_ACCESS_KEY_ID=id", "DOCKER_HOST=unix:///x"} {
		if !slices.Contains(env, want) {
			t.Errorf("SAM does not get %s", want)
		}
	}
}

// TestMissing: what has to be installed is named, with how.
func TestMissing(t *testing.T) {
	_, err := Start(t.Context(), Config{Root: t.TempDir(), Log: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "sam is not installed: run .ci/tools/sam") {
		t.Errorf("start = %v", err)
	}
}
