package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"parley/shared/parley"
)

// TestRun starts Parley in this process, talks to it and stops it.
func TestRun(t *testing.T) {
	t.Chdir(t.TempDir())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out, log buffer
	done := make(chan error, 1)
	env := map[string]string{"PORT": "0"}
	go func() { done <- run(ctx, func(name string) string { return env[name] }, &out, &log) }()
	waitFor(t, "the addresses", func() bool { return strings.Contains(out.String(), "Ctrl-C") })
	page, key := addresses(t, out.String())
	v := newVisitor(t, page, key)
	reply := v.ask("m1", "What is Parley?")
	if !strings.Contains(reply.text.String(), "Parley is a self-hosted backend") {
		t.Errorf("Parley says of itself: %q", reply.text.String())
	}
	stop()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("run = %v", err)
		}
	case <-time.After(patience):
		t.Fatal("run goes on after its context ended")
	}
	if _, err := http.Get(page); err == nil {
		t.Error("the port is still served")
	}
	if strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("log: %s", log.String())
	}
}

// TestPage: what the bundle adds to the functions.
func TestPage(t *testing.T) {
	p := start(t, t.TempDir())
	tests := []struct {
		path        string
		status      int
		contentType string
		has         string
	}{
		{"/", 200, "text/html; charset=utf-8", "<title>Parley"},
		{"/demo.json", 200, "application/json", p.key},
		{"/openapi.yaml", 200, "", "openapi: 3.1"},
		{"/docs/overview.md", 200, "text/plain; charset=utf-8", "# "},
		{"/docs/nothing.md", 404, "text/plain; charset=utf-8", ""},
		{"/docs/docs.go", 404, "text/plain; charset=utf-8", ""},
		{"/docs/", 404, "text/plain; charset=utf-8", ""},
		{"/docs/../main.go", 404, "text/plain; charset=utf-8", ""},
		{"/nowhere", 404, "text/plain; charset=utf-8", ""},
		{"/chat/nowhere/at/all", 404, "application/problem+json", "not_found"},
	}
	for _, test := range tests {
		response, err := http.Get(p.page + test.path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		contentType := response.Header.Get("Content-Type")
		if err != nil || response.StatusCode != test.status || test.contentType != "" && contentType != test.contentType || !strings.Contains(string(body), test.has) {
			t.Errorf("GET %s = %d %q %.80q, %v, want %d %q with %q", test.path, response.StatusCode, contentType, body, err, test.status, test.contentType, test.has)
		}
		if test.status == http.StatusOK && strings.HasPrefix(contentType, "text/") && response.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("GET %s lets browsers guess the type", test.path)
		}
	}
}

// TestRestart: data, key and tokens outlive a restart, and not a reset, which
// leaves alone what Parley did not make.
func TestRestart(t *testing.T) {
	folder := t.TempDir()
	first := start(t, folder)
	v := newVisitor(t, first.page, first.key)
	asked := v.ask("m1", "What is Parley?")
	if code := first.kill(syscall.SIGTERM); code != 0 {
		t.Fatalf("exit code %d after SIGTERM, want 0: %s", code, first.log)
	}
	private(t, filepath.Join(folder, ".parley"))

	second := start(t, folder)
	if second.key != first.key {
		t.Errorf("the key is %s after a restart, want %s", second.key, first.key)
	}
	v.base = second.page
	if got, want := v.history(), []string{asked.session}; !slices.Equal(got, want) {
		t.Errorf("sessions after a restart are %q, want %q", got, want)
	}
	second.kill(syscall.SIGTERM)

	mine := filepath.Join(folder, ".parley", "notes.txt")
	if err := write(mine, "mine"); err != nil {
		t.Fatal(err)
	}
	third := start(t, folder, "RESET=1")
	if third.key == first.key {
		t.Error("the key is the same after a reset")
	}
	v.base, v.key = third.page, third.key
	if response := v.open("GET", "/history", nil); response.StatusCode != http.StatusUnauthorized {
		t.Errorf("history by a token from before the reset = %d, want 401", response.StatusCode)
	}
	if _, err := os.Stat(mine); err != nil {
		t.Errorf("the reset removed what is not Parley's: %v", err)
	}
}

// private fails the test if others may read anything in the folder.
func private(t *testing.T, folder string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestKilledInReply: a reply of which some text was seen is kept and marked, and
// can be tried again.
func TestKilledInReply(t *testing.T) {
	t.Parallel()
	folder, m := t.TempDir(), newModel(t)
	first := start(t, folder, m.env()...)
	v := newVisitor(t, first.page, first.key)
	s := v.send(map[string]any{"messageId": "m1", "content": "Tell me."})
	m.says <- "Half a story"
	s.untilText()
	first.kill(syscall.SIGKILL)

	second := start(t, folder, m.env()...)
	v.base = second.page
	seen := v.resume(s.session, "m1").rest()
	if seen.status != parley.StatusIncomplete || seen.text.String() != "Half a story" {
		t.Fatalf("after a restart the reply is %q, %q, want the seen text, incomplete", seen.text.String(), seen.status)
	}
	again := v.send(map[string]any{"messageId": "m2", "sessionId": s.session, "retry": "m1"})
	m.says <- "A whole story."
	m.says <- ""
	if again.rest(); again.status != parley.StatusDone || again.text.String() != "A whole story." {
		t.Errorf("tried again the reply is %q, %q", again.text.String(), again.status)
	}
	if n := m.calls.Load(); n != 2 {
		t.Errorf("the model was called %d times, want 2", n)
	}
	var texts []string
	for _, e := range v.transcript(s.session) {
		texts = append(texts, string(e.Author.Kind)+" "+e.Text+" "+string(e.Status))
	}
	if want := []string{"user Tell me. ", "ai Half a story incomplete", "ai A whole story. done"}; !slices.Equal(texts, want) {
		t.Errorf("the transcript is %q, want %q", texts, want)
	}
}

// TestKilledBeforeReply: a reply of which nothing was seen begins anew by itself.
func TestKilledBeforeReply(t *testing.T) {
	t.Parallel()
	folder, m := t.TempDir(), newModel(t)
	first := start(t, folder, m.env()...)
	v := newVisitor(t, first.page, first.key)
	s := v.send(map[string]any{"messageId": "m1", "content": "Tell me."})
	s.next()
	waitFor(t, "call of the model", func() bool { return m.calls.Load() == 1 })
	first.kill(syscall.SIGKILL)

	second := start(t, folder, m.env()...)
	v.base = second.page
	resumed := v.resume(s.session, "m1")
	m.says <- "A whole story."
	m.says <- ""
	if resumed.rest(); resumed.status != parley.StatusDone || resumed.text.String() != "A whole story." {
		t.Errorf("after a restart the reply is %q, %q", resumed.text.String(), resumed.status)
	}
}

// TestStopLetsRepliesEnd: who stops Parley does not cut a reply that is nearly
// done, nor waits for who only waits for news.
func TestStopLetsRepliesEnd(t *testing.T) {
	t.Parallel()
	m := newModel(t)
	p := start(t, t.TempDir(), m.env()...)
	v := newVisitor(t, p.page, p.key)
	s := v.send(map[string]any{"messageId": "m1", "content": "Tell me."})
	m.says <- "A whole "
	s.untilText()
	waiting := v.open("GET", "/updates/"+s.session+"?after=1", nil)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, waiting.Body); err != nil {
		t.Errorf("the wait for news was cut: %v", err)
	}
	m.says <- "story."
	m.says <- ""
	if s.rest(); s.status != parley.StatusDone || s.text.String() != "A whole story." {
		t.Errorf("the reply is %q, %q", s.text.String(), s.status)
	}
	if code := p.kill(syscall.Signal(0)); code != 0 {
		t.Errorf("exit code %d, want 0: %s", code, p.log)
	}
}

// TestStopIsBounded: a reply that does not end delays the stop by seconds.
func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	m := newModel(t)
	p := start(t, t.TempDir(), m.env()...)
	v := newVisitor(t, p.page, p.key)
	s := v.send(map[string]any{"messageId": "m1", "content": "Tell me."})
	m.says <- "Half a story"
	s.untilText()
	began := time.Now()
	if code := p.kill(syscall.SIGINT); code != 0 {
		t.Errorf("exit code %d, want 0: %s", code, p.log)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the stop took %v", took)
	}
	if s.rest(); s.status != "" || s.text.String() != "Half a story" {
		t.Errorf("the reader was told %q, %q, want the seen text and no end", s.text.String(), s.status)
	}
}
