package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBadSettings: what cannot work is said in one line that names the setting.
func TestBadSettings(t *testing.T) {
	tests := []struct {
		env  []string
		want []string
	}{
		{[]string{"PORT=abc"}, []string{"PORT=abc", "65534"}},
		{[]string{"PORT=-1"}, []string{"PORT=-1"}},
		{[]string{"PORT=65535"}, []string{"PORT=65535", "65534"}},
		{[]string{"HOST=192.0.2.1"}, []string{"HOST=192.0.2.1"}},
		{[]string{"RESET=yes"}, []string{"RESET=yes"}},
		{[]string{"AGENT=foo"}, []string{"AGENT=foo", "docs, openai or bedrock"}},
		{[]string{"AGENT=openai", "MODEL=m"}, []string{"OPENAI_API_KEY", "OPENAI_BASE_URL"}},
		{[]string{"AGENT=openai", "OPENAI_API_KEY=k"}, []string{"MODEL"}},
		{[]string{"AGENT=openai", "OPENAI_BASE_URL=localhost", "MODEL=m"}, []string{"OPENAI_BASE_URL=localhost"}},
		{[]string{"AGENT=bedrock", "AWS_REGION=eu-west-1"}, []string{"MODEL"}},
		{[]string{"AGENT=bedrock", "MODEL=m"}, []string{"AWS_REGION"}},
		{[]string{"AGENT=bedrock", "MODEL=m", "AWS_REGION=eu-west-1"}, []string{"credentials", "AWS_PROFILE"}},
		{[]string{"AGENT=bedrock", "MODEL=m", "AWS_PROFILE=nobody"}, []string{"AGENT=bedrock", "nobody"}},
	}
	for _, test := range tests {
		t.Run(strings.Join(test.env, " "), func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			// The last setting of a name counts.
			line := refused(t, command(folder, append([]string{"PORT=0"}, test.env...)...))
			for _, want := range test.want {
				if !strings.Contains(line, want) {
					t.Errorf("Parley said %q, want it to name %q", line, want)
				}
			}
			if _, err := os.Stat(filepath.Join(folder, ".parley")); err == nil {
				t.Error("a Parley that did not start left a folder")
			}
		})
	}
}

// TestPortTaken: the port is named, be it the page's or the files', and so is
// the way to choose another.
func TestPortTaken(t *testing.T) {
	for _, address := range []string{"127.0.0.1", "::1"} {
		for offset, purpose := range []string{"", "files"} {
			t.Run(address+purpose, func(t *testing.T) {
				var taken int
				var line string
				for range 5 {
					taken = takePort(t, address)
					line = refused(t, command(t.TempDir(), fmt.Sprintf("PORT=%d", taken-offset)))
					// Somebody else on this machine may have taken the free neighbour meanwhile.
					if offset == 0 || !strings.Contains(line, fmt.Sprintf("port %d is", taken-offset)) {
						break
					}
				}
				for _, want := range []string{fmt.Sprintf("port %d", taken), "taken", "make run PORT=", purpose} {
					if !strings.Contains(line, want) {
						t.Errorf("Parley said %q, want it to name %q", line, want)
					}
				}
			})
		}
	}
}

// takePort listens on a port whose neighbour below is free until the test ends.
func takePort(t *testing.T, host string) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			if host == "::1" {
				t.Skip("this machine has no IPv6")
			}
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		below, err := net.Listen("tcp", net.JoinHostPort(host, fmt.Sprint(port-1)))
		if err != nil {
			l.Close()
			continue
		}
		below.Close()
		t.Cleanup(func() { l.Close() })
		return port
	}
	t.Fatal("no two free ports beside each other")
	return 0
}

func TestUnusableFolder(t *testing.T) {
	tests := map[string]struct {
		prepare func(folder string) error
		want    string
	}{
		"a file in its place": {func(f string) error { return os.WriteFile(f, nil, 0o600) }, "not a directory"},
		"a damaged secret": {func(f string) error {
			return write(filepath.Join(f, "secret"), "short")
		}, "secret"},
		"a damaged table": {func(f string) error {
			return write(filepath.Join(f, "table.db"), strings.Repeat("no table ", 10000))
		}, "table.db"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			below := t.TempDir()
			if err := test.prepare(filepath.Join(below, ".parley")); err != nil {
				t.Fatal(err)
			}
			if line := refused(t, command(below, "PORT=0")); !strings.Contains(line, test.want) || !strings.Contains(line, ".parley") {
				t.Errorf("Parley said %q, want it to name .parley and %q", line, test.want)
			}
		})
	}
}

// write makes a file and its folder.
func write(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o600)
}

// TestUnwritableFolder needs a user whom permissions bind; root's writes fail
// only where nobody can write.
func TestUnwritableFolder(t *testing.T) {
	below := t.TempDir()
	if os.Getuid() == 0 {
		below = "/proc/self"
	} else if err := os.Chmod(below, 0o500); err != nil {
		t.Fatal(err)
	}
	cmd := command(below, "PORT=0")
	if line := refused(t, cmd); !strings.Contains(line, ".parley cannot be used") {
		t.Errorf("Parley said %q, want it to say that .parley cannot be used", line)
	}
}

// TestFolderInUse: a second Parley neither starts in the folder of a running
// one nor removes its data.
func TestFolderInUse(t *testing.T) {
	folder := t.TempDir()
	running := start(t, folder)
	v := newVisitor(t, running.page, running.key)
	v.ask("first", "What is Parley?")
	for _, reset := range []string{"RESET=0", "RESET=1"} {
		line := refused(t, command(folder, "PORT=0", reset))
		if !strings.Contains(line, "in use by another Parley") || !strings.Contains(line, ".parley") {
			t.Errorf("with %s Parley said %q, want it to say that .parley is in use", reset, line)
		}
	}
	if n := len(v.history()); n != 1 {
		t.Errorf("%d sessions are left, want 1", n)
	}
}
