package files_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/local/files"
	"parley/shared/bucket"
	"parley/shared/bucket/buckettest"
	"parley/shared/parley"
)

// served is the bucket of a folder, reachable until the test ends or stop is called.
type served struct {
	*files.Server
	parley.Bucket
	stop func()
}

func serve(t *testing.T, folder string) served {
	t.Helper()
	web := httptest.NewUnstartedServer(nil)
	server, err := files.Open(files.Config{Folder: folder, Origin: "http://" + web.Listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	web.Config.Handler = server
	web.Start()
	stop := sync.OnceFunc(func() {
		web.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return served{server, bucket.New(bucket.Config{Client: server.Client(), Name: files.Name}), stop}
}

func TestContract(t *testing.T) {
	buckettest.Run(t, serve(t, t.TempDir()), "http://localhost:3000")
}

func TestRestart(t *testing.T) {
	folder := t.TempDir()
	first := serve(t, folder)
	// The longest attachment that anybody is likely to allow.
	file := bytes.Repeat([]byte("0123456789abcdef"), 2<<20)
	if status := upload(t, grant(t, first, "a/b", int64(len(file))), file); status != http.StatusCreated {
		t.Fatalf("upload = %d", status)
	}
	before, err := first.Inspect(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	old := grant(t, first, "a/b", 10)
	first.stop()
	second := serve(t, folder)
	after, err := second.Inspect(t.Context(), "a/b")
	if err != nil || after.ETag != before.ETag || after.Size != int64(len(file)) {
		t.Errorf("Inspect after a restart = %d bytes, %s, %v, want %d, %s", after.Size, after.ETag, err, len(file), before.ETag)
	}
	old.URL = grant(t, second, "a/b", 10).URL
	if status := upload(t, old, []byte("again")); status != http.StatusCreated {
		t.Errorf("upload by a grant from before the restart = %d, want 201", status)
	}
	other := serve(t, t.TempDir())
	old.URL = grant(t, other, "a/b", 10).URL
	if status := upload(t, old, []byte("again")); status != http.StatusForbidden {
		t.Errorf("upload by a grant of another folder = %d, want 403", status)
	}
}

func TestOpenErrors(t *testing.T) {
	folder := t.TempDir()
	serve(t, folder)
	if _, err := files.Open(files.Config{Folder: folder}); err == nil || !strings.Contains(err.Error(), "files.db") {
		t.Errorf("Open of an open folder = %v, want an error that names the file", err)
	}
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := files.Open(files.Config{Folder: filepath.Join(file, "below")}); err == nil {
		t.Error("Open below a file = nil, want an error")
	}
}

// TestCopyUnderWrites lets uploads race with copies: a copy that succeeds must
// be of the content that was asked for.
func TestCopyUnderWrites(t *testing.T) {
	b := serve(t, t.TempDir())
	g := grant(t, b, "quarantine", 10)
	upload(t, g, []byte("good"))
	good, err := b.Inspect(t.Context(), "quarantine")
	if err != nil {
		t.Fatal(err)
	}
	var swapping sync.WaitGroup
	for range 4 {
		swapping.Go(func() {
			for i := range 300 {
				upload(t, g, []byte([]string{"evil", "good"}[i%2]))
			}
		})
	}
	defer swapping.Wait()
	for range 1000 {
		err := b.Copy(t.Context(), "quarantine", good.ETag, "kept", "text/plain", "a.txt")
		if errors.Is(err, parley.ErrObjectChanged) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if o, err := b.Inspect(t.Context(), "kept"); err != nil || string(o.Head) != "good" {
			t.Fatalf("the copy is %q, %v, want %q", o.Head, err, "good")
		}
	}
}

// TestReadWhileFileGrows: a download goes on while uploads make the file longer, so that
// it is mapped into memory elsewhere.
func TestReadWhileFileGrows(t *testing.T) {
	b := serve(t, t.TempDir())
	file := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // more than connections hold
	upload(t, grant(t, b, "quarantine/read", int64(len(file))), file)
	link, err := b.Link(t.Context(), "quarantine/read", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	for n := range 3 {
		upload(t, grant(t, b, fmt.Sprint("quarantine/", n), int64(len(file))), file)
	}
	if got, err := io.ReadAll(response.Body); err != nil || !bytes.Equal(got, file) {
		t.Errorf("the download has %d bytes, %v, want %d", len(got), err, len(file))
	}
}

func grant(t *testing.T, b parley.Bucket, key string, size int64) parley.UploadGrant {
	t.Helper()
	g, err := b.GrantUpload(t.Context(), key, "text/plain", 1, size, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return g
}
