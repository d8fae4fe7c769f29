package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestDamagedFolder: what is damaged, or missing beside other data, is named in
// one line that says what to do. Nothing begins anew by itself, but what a start
// that was killed has left goes on.
func TestDamagedFolder(t *testing.T) {
	whole := t.TempDir()
	p := start(t, whole)
	newVisitor(t, p.page, p.key).ask("m1", "What is Parley?")
	p.kill(syscall.SIGTERM)
	zeros := func(path string) error {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		_, err = f.WriteAt(make([]byte, info.Size()-2*4096), 2*4096)
		return err
	}
	empty := func(path string) error { return os.Truncate(path, 0) }
	cut := func(path string) error { return os.Truncate(path, 3*4096) }
	both := func(first func(string) error, other string) func(string) error {
		return func(path string) error {
			if err := os.Remove(filepath.Join(filepath.Dir(path), other)); err != nil {
				return err
			}
			return first(path)
		}
	}
	for _, test := range []struct {
		name, file string
		do         func(path string) error
		says       string // with the file's name; "" is nothing: Parley starts
	}{
		{"zeros in the table", "table.db", zeros, "damaged"},
		{"an empty table", "table.db", empty, "damaged"},
		{"a cut table", "table.db", cut, "damaged"},
		{"no table", "table.db", os.Remove, "missing"},
		{"zeros in the files", "files.db", zeros, "damaged"},
		{"empty files", "files.db", empty, "damaged"},
		{"cut files", "files.db", cut, "damaged"},
		{"no files", "files.db", os.Remove, "missing"},
		{"no secret", "secret", os.Remove, "missing"},
		{"an empty secret", "secret", empty, "damaged"},
		{"no secret and no table", "secret", both(os.Remove, "table.db"), "missing"},
		{"no private key, which is replaced", "private-key", os.Remove, ""},
		{"a first start killed before its last file", "table.db", both(os.Remove, "private-key"), ""},
		{"a leftover of a file being made", "table.db", func(path string) error { return os.WriteFile(path+".new", []byte("half"), 0o600) }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			data := filepath.Join(folder, ".parley")
			if err := os.CopyFS(data, os.DirFS(filepath.Join(whole, ".parley"))); err != nil {
				t.Fatal(err)
			}
			if err := test.do(filepath.Join(data, test.file)); err != nil {
				t.Fatal(err)
			}
			if test.says == "" {
				start(t, folder).kill(syscall.SIGTERM)
				return
			}
			line := refused(t, command(folder, "PORT=0"))
			for _, want := range []string{test.file, test.says, "RESET=1", "backup"} {
				if !strings.Contains(line, want) {
					t.Errorf("Parley said %q, want %q in it", line, want)
				}
			}
			start(t, folder, "RESET=1").kill(syscall.SIGTERM)
		})
	}
}

// TestDamageWhileRunning: Parley stops with one line when its table turns out to
// be damaged, and with no stack trace.
func TestDamageWhileRunning(t *testing.T) {
	folder := t.TempDir()
	p := start(t, folder)
	v := newVisitor(t, p.page, p.key)
	v.ask("m1", "What is Parley?")
	if err := os.Truncate(filepath.Join(folder, ".parley", "table.db"), 2*4096); err != nil {
		t.Fatal(err)
	}
	// What runs in the background may have met the damage first.
	if response, err := v.try("GET", "/history", nil); err == nil && response.StatusCode < 500 {
		t.Errorf("history of a damaged table = %d", response.StatusCode)
	}
	if code := p.kill(syscall.Signal(0)); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	log := p.log.String()
	if lines := strings.Split(strings.TrimSpace(log), "\n"); !strings.HasPrefix(lines[len(lines)-1], "parley: the data in .parley cannot be used: .parley/table.db is damaged") ||
		strings.Contains(log, "goroutine ") || strings.Contains(log, "panic") {
		t.Errorf("Parley said %s", log)
	}
}
