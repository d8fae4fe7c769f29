package bundle

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"
)

// TestDoubledSlashes: pages of widgets whose base ends in a slash are answered, and not
// redirected, which a preflight may not be.
func TestDoubledSlashes(t *testing.T) {
	b, err := Open(t.Context(), Config{Folder: filepath.Join(t.TempDir(), "data"), Port: 0, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- b.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for path, key := range map[string]string{"/cossistant/v1//websites": "X-Public-Key", "//cossistant/v1/websites": "X-Public-Key", "/hissuno//chat//settings": ""} {
		for _, method := range []string{http.MethodOptions, http.MethodGet} {
			r, err := http.NewRequestWithContext(t.Context(), method, b.Page+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Origin", "http://localhost:5173")
			if method == http.MethodOptions {
				r.Header.Set("Access-Control-Request-Method", http.MethodGet)
			} else if key != "" {
				r.Header.Set(key, b.Key)
			}
			response, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode/100 == 3 || response.Header.Get("Access-Control-Allow-Origin") == "" || key != "" && response.StatusCode/100 != 2 {
				t.Errorf("%s %s = %d %v", method, path, response.StatusCode, response.Header)
			}
		}
	}
}
